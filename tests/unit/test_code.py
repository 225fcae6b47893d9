"""Which local modules and files belong to a task's code, and how they are frozen."""

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from psyrun.code import CodeImage, frozen_code
from psyrun.exceptions import TaskError, WorkdirError
from psyrun.fingerprint import differences, fingerprint
from psyrun.loading import is_local
from psyrun.packages import versions
from psyrun.presentcode import present_code, with_packages
from psyrun.tasks import TaskDef
from tests.compiling import build, compile_without_source


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


def test_an_unreadable_module_is_told(taskdir):
    write(taskdir, {"helper.py": ""})
    (taskdir / "helper.py").chmod(0)
    if os.geteuid() == 0:  # who may read anything meets other obstacles
        (taskdir / "helper.py").unlink()
        (taskdir / "helper.py").symlink_to("/proc/self/mem")
    with pytest.raises(TaskError, match=r"cannot read .*helper.py, which the task imports: "):
        image_of(taskdir, "import helper")


def test_a_linked_module_counts_by_what_it_leads_to(taskdir, tmp_path):
    write(tmp_path, {"real.py": "X = 1\n"})
    (taskdir / "helper.py").symlink_to(tmp_path / "real.py")
    (taskdir / "broken.py").symlink_to(tmp_path / "none.py")
    modules = image_of(taskdir, "import helper, broken").modules
    assert {name: (m.path.as_posix(), m.source) for name, m in modules.items()} == {
        "helper": ("helper.py", b"X = 1\n")
    }


def test_a_module_in_an_archive_is_not_reached(taskdir, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zipped.py", "X = 1\n")
        archive.writestr("zipped_p/__init__.py", "")
        archive.writestr("zipped_p/one.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "lib.zip"))
    source = "import zipped, zipped_p.one"
    assert image_of(taskdir, source).modules == {}
    assert TaskDef(taskdir / "task_a.py").loaded == ("zipped", "zipped_p", "zipped_p.one")
    assert TaskDef(taskdir / "task_a.py").code().modules == {}


def test_a_project_in_a_folder_named_like_one_for_packages(tmp_path, monkeypatch):
    project = tmp_path / "lib" / "python3.11" / "site-packages" / "project"
    write(project, {"tasks/helper.py": "import model", "model.py": "", "tasks/task_a.py": ""})
    monkeypatch.syspath_prepend(str(project))
    assert set(image_of(project / "tasks", "import helper").modules) == {"helper", "model"}


def test_a_package_installed_to_be_edited_in_its_place(taskdir, tmp_path, monkeypatch):
    """As by a .pth file, which adds a folder to the path."""
    write(
        tmp_path / "src", {"model/__init__.py": "from model import deep", "model/deep.py": ""}
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "src")])
    modules = image_of(taskdir, "import model").modules
    assert {m.path.as_posix() for m in modules.values()} == {
        "../src/model/__init__.py",
        "../src/model/deep.py",
    }


class Editable:
    """Finds packages installed to be edited, as some build tools do it: by a table of files."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        file = self.files.get(name)
        folders = [str(file.parent)] if file and file.name == "__init__.py" else None
        return file and spec_from_file_location(name, file, submodule_search_locations=folders)


def test_a_package_found_by_a_finder_of_its_own(taskdir, tmp_path, monkeypatch):
    write(tmp_path, {"src/model/__init__.py": "from . import made", "build/made.py": ""})
    files = {
        "model": tmp_path / "src" / "model" / "__init__.py",
        "model.made": tmp_path / "build" / "made.py",
    }
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable(files)])
    modules = image_of(taskdir, "import model").modules
    assert {name: m.path.as_posix() for name, m in modules.items()} == {
        "model": "../src/model/__init__.py",
        "model.made": "../build/made.py",
    }


def test_a_namespace_package_spread_over_folders(taskdir, tmp_path, monkeypatch):
    write(tmp_path / "one", {"spread/a.py": "", "spread/deep/c.py": ""})
    write(tmp_path / "two", {"spread/b.py": "", "spread/deep/d.py": ""})
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "one"), str(tmp_path / "two")])
    source = "import spread.a, spread.b, spread.deep.c, spread.deep.d"
    assert set(image_of(taskdir, source).modules) == {
        *("spread", "spread.a", "spread.b", "spread.deep", "spread.deep.c", "spread.deep.d"),
    }


def test_the_task_directory_comes_first(taskdir, tmp_path, monkeypatch):
    write(tmp_path / "lib", {"helper.py": "X = 'elsewhere'\n"})
    write(taskdir, {"helper.py": "X = 'here'\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    modules = image_of(taskdir, "import helper").modules
    assert modules["helper"].path.as_posix() == "helper.py"


PLUGINS = {
    "plugins/__init__.py": "",
    "plugins/one.py": "import shared\n",
    "plugins/two.py": "X = 2\n",
    "shared.py": "import later\n",
    "later.py": "",
    "helper.py": "",
    "task_a.py": """
        import importlib, pkgutil, helper
        from pathlib import Path

        for found in pkgutil.iter_modules([str(Path(__file__).parent / "plugins")]):
            importlib.import_module(f"plugins.{found.name}")
    """,
}


def test_modules_that_the_task_file_loads_by_a_computed_name_are_reached(taskdir):
    write(taskdir, PLUGINS)
    task = TaskDef(taskdir / "task_a.py")
    found = {"plugins", "plugins.one", "plugins.two", "shared", "later", "helper"}
    assert task.loaded == tuple(sorted(found))
    image = task.code()
    assert set(image.modules) == found
    assert image.loaded == ("later", "plugins", "plugins.one", "plugins.two", "shared")


def test_modules_that_psy_conf_loads_by_a_computed_name_are_reached(taskdir):
    write(taskdir, {"helper.py": "", "task_a.py": ""})
    write(taskdir, {"psy-conf.py": "import importlib\nimportlib.import_module('help' + 'er')"})
    assert TaskDef(taskdir / "task_a.py").code().loaded == ("helper",)


def test_where_all_is_imported_by_name_nothing_is_noted_as_loaded(image):
    assert image.loaded == ()
    assert "loaded" not in image._manifest()


def test_what_was_loaded_is_frozen(taskdir, tmp_path):
    write(taskdir, PLUGINS)
    image = TaskDef(taskdir / "task_a.py").code()
    image.freeze(tmp_path / image.digest())
    back = frozen_code(tmp_path / image.digest())
    assert back == image
    assert back.loaded == image.loaded


def test_compiled_modules_are_reached_and_count_by_their_bytes(taskdir, tmp_path):
    build(taskdir, "fast", 1)
    compile_without_source(taskdir, "bare", "X = 1\n")
    write(taskdir, {"pkg/__init__.py": ""})
    build(taskdir / "pkg", "deep", 1)
    source = "import fast, bare, pkg.deep\ndef execute(a): return fast, bare, pkg.deep"
    before = image_of(taskdir, source)
    suffix = EXTENSION_SUFFIXES[0]
    assert {name: m.path.as_posix() for name, m in before.modules.items()} == {
        "fast": f"fast{suffix}",
        "bare": "bare.pyc",
        "pkg": "pkg/__init__.py",
        "pkg.deep": f"pkg/deep{suffix}",
    }
    build(taskdir / "pkg", "deep", 2)
    compile_without_source(taskdir, "bare", "X = 2\n")
    after = image_of(taskdir, source)
    changed = differences(fingerprint(before, ()), fingerprint(after, ()))
    assert list(map(str, changed)) == ["module `bare`", "module `pkg.deep`"]


def test_compiled_modules_are_frozen_with_their_bytes(taskdir, tmp_path):
    build(taskdir, "fast", 1)
    image = image_of(taskdir, "import fast")
    folder = tmp_path / image.digest()
    image.freeze(folder)
    back = frozen_code(folder)
    assert back == image
    copy = folder / "modules" / f"fast{EXTENSION_SUFFIXES[0]}"
    assert back.modules["fast"].copy == copy
    assert copy.read_bytes() == image.modules["fast"].source
    copy.write_bytes(b"other")
    with pytest.raises(WorkdirError, match=r"is damaged; run the task again"):
        frozen_code(folder)


def test_the_standard_library_is_not_local():
    assert not is_local(Path(json.__file__))
    assert is_local(Path(__file__))


def test_a_local_module_named_like_one_of_the_standard_library_that_wins(taskdir):
    """What stands first on the path is imported, unless the name was imported before."""
    write(taskdir, {"sndhdr.py": "X = 1\n", "json.py": "X = 1\n"})
    assert set(image_of(taskdir, "import sndhdr, json, sys").modules) == {"sndhdr"}


def test_a_task_file_that_another_imports_is_reached_though_it_ran(taskdir):
    write(taskdir, {"task_b.py": "RATE = 2\n", "task_a.py": "from task_b import RATE\n"})
    TaskDef(taskdir / "task_b.py")
    assert "task_b" in TaskDef(taskdir / "task_a.py").code().modules


def test_another_folder_does_not_lend_its_helper(taskdir, tmp_path):
    write(taskdir, {"helper.py": "X = 1\n", "task_a.py": "import helper\n"})
    write(tmp_path / "more", {"helper.py": "X = 2\n", "task_a.py": "import helper\n"})
    TaskDef(taskdir / "task_a.py").code()
    image = TaskDef(tmp_path / "more" / "task_a.py").code()
    assert image.modules["helper"].source == b"X = 2\n"


def test_what_psy_conf_imports_is_reached(taskdir):
    write(taskdir, MODULES | {"psy-conf.py": "import helper", "task_a.py": ""})
    image = present_code(taskdir / "task_a.py", taskdir / "psy-conf.py", ())
    assert set(image.modules) == {"helper"}


def test_a_comment_in_a_helper_changes_the_digest(taskdir):
    write(taskdir, {"helper.py": "X = 1\n"})
    before = image_of(taskdir, "import helper")
    write(taskdir, {"helper.py": "X = 1  # one\n"})
    assert before.digest() != image_of(taskdir, "import helper").digest()


def test_where_the_folder_is_does_not_count(taskdir, tmp_path):
    write(taskdir, MODULES | {"data.txt": "d", "task_a.py": "import pkg.one"})
    before = present_code(taskdir / "task_a.py", None, ["data.txt"])
    taskdir.rename(tmp_path / "moved")
    after = present_code(tmp_path / "moved" / "task_a.py", None, ["data.txt"])
    assert before == after
    assert before.digest() == after.digest()


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


def test_files_that_came_into_folders_and_patterns_are_listed(taskdir):
    write(taskdir, DATA | {"task_a.py": ""})
    image = present_code(taskdir / "task_a.py", None, ["data", "*.txt", "data/deep/two.csv"])
    assert image.patterns == ("data", "*.txt")
    write(taskdir, {"data/deep/new.csv": "", "more.txt": "", "other.csv": ""})
    write(taskdir, {"data/__pycache__/m.pyc": ""})
    assert image.changed_files(taskdir) == ["data/deep/new.csv (new)", "more.txt (new)"]


def test_a_pattern_that_stands_for_nothing_any_more_is_told_by_its_files(taskdir):
    write(taskdir, DATA | {"task_a.py": ""})
    image = present_code(taskdir / "task_a.py", None, ["data/*.csv"])
    (taskdir / "data" / "one.csv").unlink()
    assert image.changed_files(taskdir) == ["data/one.csv"]


def test_a_file_that_came_into_an_absolute_pattern_is_listed(taskdir, tmp_path):
    write(tmp_path, {"x1.dat": "", "tasks/task_a.py": ""})
    image = present_code(taskdir / "task_a.py", None, [f"{tmp_path}/x*.dat"])
    write(tmp_path, {"x2.dat": ""})
    assert image.changed_files(taskdir) == ["../x2.dat (new)"]


def test_folders_and_patterns_are_frozen(taskdir, tmp_path):
    write(taskdir, DATA | {"task_a.py": ""})
    image = present_code(taskdir / "task_a.py", None, ["data"])
    image.freeze(tmp_path / image.digest())
    assert frozen_code(tmp_path / image.digest()) == image


def test_linked_folders_count_and_each_once(taskdir, tmp_path):
    write(
        tmp_path, {"elsewhere/far.csv": "1", "tasks/data/near.csv": "1", "tasks/task_a.py": ""}
    )
    (taskdir / "data" / "a_loop").symlink_to(taskdir)
    (taskdir / "data" / "link").symlink_to(tmp_path / "elsewhere")
    (taskdir / "data" / "link2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(taskdir / "data")
    found = present_code(taskdir / "task_a.py", None, ["data"]).file_dep
    assert set(found) == {"data/near.csv", "data/link/far.csv", "data/a_loop/task_a.py"}


@pytest.mark.parametrize("entry", ["loop/*.csv", "**/*.csv", "loop", "**"])
def test_loops_of_links_come_to_an_end(taskdir, entry):
    write(taskdir, {"one.csv": "", "task_a.py": ""})
    (taskdir / "loop").symlink_to(taskdir)
    found = present_code(taskdir / "task_a.py", None, [entry]).file_dep
    assert any(name.endswith("one.csv") for name in found)


def test_a_pipe_is_refused_as_a_file_dependency(taskdir):
    write(taskdir, {"task_a.py": ""})
    os.mkfifo(taskdir / "pipe")
    with pytest.raises(TaskError, match=r"'pipe', but .* is a pipe, .*; name files or folders"):
        present_code(taskdir / "task_a.py", None, ["pipe"])


@pytest.mark.parametrize("entry", ["data", "data/*"])
def test_a_pipe_among_files_is_no_file_dependency(taskdir, entry):
    write(taskdir, {"data/one.csv": "", "task_a.py": ""})
    os.mkfifo(taskdir / "data" / "pipe")
    (taskdir / "data" / "nowhere").symlink_to("none")
    found = present_code(taskdir / "task_a.py", None, [entry]).file_dep
    assert set(found) == {"data/one.csv"}


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
    image = with_packages(
        present_code(taskdir / "task_a.py", taskdir / "psy-conf.py"), ["click"]
    )
    assert image.packages == versions(["numpy", "scipy", "sklearn", "click", "python"])


def test_a_version_is_part_of_the_digest_and_of_nothing_that_makes_rows_stale(image):
    other = dataclasses.replace(image, packages={"python": "1.0"})
    assert other.digest() != image.digest()
    assert fingerprint(other, ()) == fingerprint(image, ())


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
        "import sys; from pathlib import Path; "
        "from psyrun.presentcode import present_code, with_packages; "
        f"with_packages(present_code(Path({str(taskdir / 'task_a.py')!r}), None)); "
        "print([m for m in ('importlib.metadata', 'email', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr
