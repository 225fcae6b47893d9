"""Which local modules and files belong to a task's code, and how they are frozen."""

import dataclasses
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from psyrun.code import CodeImage, frozen_code, present_code
from psyrun.exceptions import TaskError, WorkdirError
from psyrun.loading import is_local
from psyrun.packages import versions


@pytest.fixture
def taskdir(tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, sources: dict[str, str]) -> None:
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(source))


def image_of(folder: Path, source: str, **files: str) -> CodeImage:
    write(folder, {"task_a.py": source})
    return present_code(folder / "task_a.py", None, ())


MODULES = {
    "helper.py": "VALUE = 1\n",
    "other.py": "import helper\n",
    "pkg/__init__.py": "",
    "pkg/one.py": "from . import two\nfrom .deep.three import X\n",
    "pkg/two.py": "from .. import nothing\n",
    "pkg/deep/__init__.py": "from ..four import Y\n",
    "pkg/deep/three.py": "X = 3\n",
    "pkg/four.py": "Y = 4\n",
    "pkg/unused.py": "",
    "space/inner.py": "Z = 1\n",
    "space/deeper/leaf.py": "",
    "ring.py": "import gnir\n",
    "gnir.py": "import ring\n",
}
PKG = {"pkg"}
ONE = {"pkg", "pkg.one", "pkg.two", "pkg.deep", "pkg.deep.three", "pkg.four"}


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        ("import math, json, numpy", set()),
        ("import psyrun", set()),
        ("import not_there", set()),
        ("import helper", {"helper"}),
        ("import helper as h", {"helper"}),
        ("from helper import VALUE", {"helper"}),
        ("from helper import *", {"helper"}),
        ("import other", {"other", "helper"}),
        ("def execute(a):\n    import helper", {"helper"}),
        ("class A:\n    def f(self):\n        from helper import VALUE", {"helper"}),
        ("try:\n    import helper\nexcept ImportError: pass", {"helper"}),
        ("import pkg", PKG),
        ("import pkg.four", {"pkg", "pkg.four"}),
        ("from pkg import four", {"pkg", "pkg.four"}),
        ("from pkg.four import Y", {"pkg", "pkg.four"}),
        ("from pkg import four, not_there", {"pkg", "pkg.four"}),
        ("import pkg.one", ONE),
        ("import pkg.deep", {"pkg", "pkg.deep", "pkg.four"}),
        ("import space.inner", {"space", "space.inner"}),
        ("from space import inner", {"space", "space.inner"}),
        ("from space.deeper import leaf", {"space", "space.deeper", "space.deeper.leaf"}),
        ("import ring", {"ring", "gnir"}),
        ("import helper.nothing", {"helper"}),
        ("from . import helper", set()),
        ("from .... import helper", set()),
        ("import_helper = 'import helper'", set()),
    ],
)
def test_what_is_reached(taskdir, source, reached):
    write(taskdir, MODULES)
    assert set(image_of(taskdir, source).modules) == reached


def test_a_module_is_named_by_its_path_from_the_task_directory(taskdir):
    write(taskdir, MODULES)
    modules = image_of(taskdir, "import helper, pkg, space").modules
    assert {name: m.path.as_posix() for name, m in modules.items()} == {
        "helper": "helper.py",
        "pkg": "pkg/__init__.py",
        "space": "space",
    }
    assert modules["helper"].source == b"VALUE = 1\n"
    assert [m.is_package for m in modules.values()] == [False, True, True]


def test_a_module_elsewhere_on_the_path_is_reached(taskdir, tmp_path, monkeypatch):
    write(tmp_path / "lib", {"library.py": "X = 1\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    image = image_of(taskdir, "import library")
    assert image.modules["library"].path.as_posix() == "../lib/library.py"


def test_an_installed_module_is_not_reached(taskdir, tmp_path, monkeypatch):
    write(tmp_path / "site-packages", {"library.py": "X = 1\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    assert image_of(taskdir, "import library").modules == {}


def test_the_standard_library_is_not_local():
    assert not is_local(Path(json.__file__))
    assert is_local(Path(__file__))


def test_a_local_module_named_like_one_of_the_standard_library_that_wins(taskdir):
    """What stands first on the path is imported, unless the name was imported before."""
    write(taskdir, {"sndhdr.py": "X = 1\n", "json.py": "X = 1\n"})
    assert set(image_of(taskdir, "import sndhdr, json, sys").modules) == {"sndhdr"}


def test_a_task_file_that_another_imports_is_reached_though_it_ran(taskdir):
    from psyrun.tasks import TaskDef

    write(taskdir, {"task_b.py": "RATE = 2\n", "task_a.py": "from task_b import RATE\n"})
    TaskDef(taskdir / "task_b.py")
    assert "task_b" in TaskDef(taskdir / "task_a.py").code().modules


def test_another_folder_does_not_lend_its_helper(taskdir, tmp_path):
    from psyrun.tasks import TaskDef

    write(taskdir, {"helper.py": "X = 1\n", "task_a.py": "import helper\n"})
    write(tmp_path / "more", {"helper.py": "X = 2\n", "task_a.py": "import helper\n"})
    TaskDef(taskdir / "task_a.py").code()
    image = TaskDef(tmp_path / "more" / "task_a.py").code()
    assert image.modules["helper"].source == b"X = 2\n"


def test_what_psy_conf_imports_is_reached(taskdir):
    write(taskdir, MODULES | {"psy-conf.py": "import helper", "task_a.py": ""})
    image = present_code(taskdir / "task_a.py", taskdir / "psy-conf.py", ())
    assert set(image.modules) == {"helper"}


@pytest.mark.parametrize("broken", ["def (", "x = '\0'", "print 'two'", "# coding: nonsense"])
def test_a_helper_that_is_no_python_counts_by_its_bytes(taskdir, broken):
    write(taskdir, {"helper.py": broken})
    source = "def execute(a):\n    import helper\n"
    before = image_of(taskdir, source).parts(())
    write(taskdir, {"helper.py": broken + "\n"})
    after = image_of(taskdir, source).parts(())
    assert "module `helper`" in before
    assert before != after


def test_a_comment_in_a_helper_changes_the_digest_but_no_part(taskdir):
    write(taskdir, {"helper.py": "X = 1\n"})
    before = image_of(taskdir, "import helper")
    write(taskdir, {"helper.py": "X = 1  # one\n"})
    after = image_of(taskdir, "import helper")
    assert before.parts(()) == after.parts(())
    assert before.digest() != after.digest()


def test_where_the_folder_is_does_not_count(taskdir, tmp_path):
    write(taskdir, MODULES | {"data.txt": "d", "task_a.py": "import pkg.one"})
    before = present_code(taskdir / "task_a.py", None, ["data.txt"])
    taskdir.rename(tmp_path / "moved")
    after = present_code(tmp_path / "moved" / "task_a.py", None, ["data.txt"])
    assert before == after
    assert before.digest() == after.digest()


def test_settings_of_psy_conf_do_not_count(taskdir):
    def parts(conf: str) -> dict[str, str]:
        write(taskdir, {"task_a.py": "", "psy-conf.py": conf})
        return present_code(taskdir / "task_a.py", taskdir / "psy-conf.py", ()).parts(())

    assert parts("max_jobs = 1") == parts("max_jobs = 2\nscheduler_args = {}")
    assert parts("def execute(a): return {}") != parts("def execute(a): return {'y': 1}")


DATA = {"data.txt": "1", "data/one.csv": "1", "data/deep/two.csv": "2", "data/three.txt": "3"}


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], []),
        (["data.txt"], ["data.txt"]),
        ([Path("data.txt"), "data.txt"], ["data.txt"]),
        (["data"], ["data/deep/two.csv", "data/one.csv", "data/three.txt"]),
        (["data/*.csv"], ["data/one.csv"]),
        (["data/**/*.csv"], ["data/deep/two.csv", "data/one.csv"]),
        (["*.txt", "data/?hree.*"], ["data.txt", "data/three.txt"]),
        (["../tasks/data.txt"], ["data.txt"]),
        (["empty"], []),
    ],
)
def test_file_dependencies(taskdir, entries, found):
    write(taskdir, DATA | {"task_a.py": ""})
    (taskdir / "empty").mkdir()
    assert sorted(present_code(taskdir / "task_a.py", None, entries).file_dep) == found


def test_an_absolute_file_dependency(taskdir, tmp_path):
    write(tmp_path, {"x1.dat": "", "x2.dat": "", "tasks/task_a.py": ""})
    found = present_code(taskdir / "task_a.py", None, [tmp_path / "x1.dat"]).file_dep
    assert set(found) == {"../x1.dat"}


def test_an_absolute_pattern(taskdir, tmp_path):
    write(tmp_path, {"x1.dat": "", "x2.dat": "", "tasks/task_a.py": ""})
    found = present_code(taskdir / "task_a.py", None, [f"{tmp_path}/x*.dat"]).file_dep
    assert set(found) == {"../x1.dat", "../x2.dat"}


def test_a_name_with_brackets_is_a_file_first(taskdir):
    write(taskdir, {"data[1].txt": "", "data1.txt": "", "task_a.py": ""})
    assert set(present_code(taskdir / "task_a.py", None, ["data[1].txt"]).file_dep) == {
        "data[1].txt"
    }


@pytest.mark.parametrize("entry", ["none.txt", "none/*.csv", "data/*.none", "/none/x*.txt"])
def test_a_file_dependency_that_is_not_there_is_named(taskdir, entry):
    write(taskdir, DATA | {"task_a.py": ""})
    with pytest.raises(TaskError, match=r"file_dep names .*none.*but there is no"):
        present_code(taskdir / "task_a.py", None, [entry])


def test_what_python_caches_is_no_file_dependency(taskdir):
    write(taskdir, {"models/m.py": "", "models/__pycache__/m.pyc": "", "task_a.py": ""})
    assert set(present_code(taskdir / "task_a.py", None, ["models"]).file_dep) == {
        "models/m.py"
    }


def test_changed_files_are_listed(taskdir):
    write(taskdir, DATA | {"task_a.py": ""})
    image = present_code(taskdir / "task_a.py", None, ["data.txt", "data"])
    assert image.changed_files(taskdir) == []
    (taskdir / "data.txt").write_text("other")
    (taskdir / "data" / "one.csv").unlink()
    assert image.changed_files(taskdir) == ["data.txt", "data/one.csv"]


@pytest.fixture
def image(taskdir):
    write(taskdir, MODULES | DATA | {"psy-conf.py": "import ring\n"})
    write(taskdir, {"task_a.py": "import pkg.one, space.inner, helper\n"})
    return present_code(taskdir / "task_a.py", taskdir / "psy-conf.py", ["data"])


def test_frozen_code_comes_back(image, tmp_path):
    image.freeze(tmp_path / image.digest())
    back = frozen_code(tmp_path / image.digest())
    assert back == image
    assert back.digest() == image.digest()
    assert back.parts(()) == image.parts(())


def test_bytes_that_are_no_text_come_back(taskdir, tmp_path):
    (taskdir / "task_a.py").write_bytes(b"# coding: latin-1\r\nx = '\xe9'\r\n")
    image = present_code(taskdir / "task_a.py", None, ())
    image.freeze(tmp_path / image.digest())
    assert (
        frozen_code(tmp_path / image.digest()).task_source
        == (taskdir / "task_a.py").read_bytes()
    )


def test_frozen_code_that_stands_is_left_alone(image, tmp_path):
    image.freeze(tmp_path / image.digest())
    (tmp_path / image.digest() / "mark").write_text("")
    image.freeze(tmp_path / image.digest())
    assert (tmp_path / image.digest() / "mark").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"modules": []}',
        '{"modules": {"a": 1}, "task_file": "task_a.py"}',
    ],
)
def test_a_damaged_manifest_is_named(image, tmp_path, manifest):
    image.freeze(tmp_path / image.digest())
    (tmp_path / image.digest() / "manifest.json").write_text(manifest)
    with pytest.raises(WorkdirError, match=r"manifest.json is damaged.* run again"):
        frozen_code(tmp_path / image.digest())


@pytest.mark.parametrize(
    "name", ["manifest.json", "task/task_a.py", "task/psy-conf.py", "modules/pkg.one.py"]
)
def test_a_frozen_file_that_is_gone_is_named(image, tmp_path, name):
    image.freeze(tmp_path / image.digest())
    (tmp_path / image.digest() / name).unlink()
    with pytest.raises(WorkdirError, match=r"is damaged .*run the task again"):
        frozen_code(tmp_path / image.digest())


def test_the_packages_that_any_source_imports_belong_to_a_code(taskdir):
    write(taskdir, {"helper.py": "import numpy", "psy-conf.py": "import scipy"})
    write(taskdir, {"task_a.py": "import helper\ndef execute(a):\n    import sklearn, gone\n"})
    image = present_code(taskdir / "task_a.py", taskdir / "psy-conf.py", (), ["click"])
    assert image.packages == versions(["numpy", "scipy", "sklearn", "click", "python"])


def test_a_version_is_part_of_the_digest_and_of_nothing_that_makes_rows_stale(image):
    other = dataclasses.replace(image, packages={"python": "1.0"})
    assert other.digest() != image.digest()
    assert other.parts(()) == image.parts(())


def test_code_frozen_without_versions_keeps_its_digest_and_has_none(taskdir, tmp_path):
    """What was frozen before versions were noted; the digest is from then."""
    image = CodeImage("task_a.py", b"X = 1\n")
    assert image.digest() == "bcebc998855c0f8ebc1741d306ab6d65"
    image.freeze(tmp_path / image.digest())
    assert "packages" not in (tmp_path / image.digest() / "manifest.json").read_text()
    assert frozen_code(tmp_path / image.digest()).packages == {}


def test_a_task_of_the_standard_library_alone_loads_no_metadata(taskdir):
    write(taskdir, {"task_a.py": "import json\nfrom psyrun import Param\n"})
    program = (
        "import sys; from pathlib import Path; from psyrun.code import present_code; "
        f"present_code(Path({str(taskdir / 'task_a.py')!r}), None, ()); "
        "print([m for m in ('importlib.metadata', 'email', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr
