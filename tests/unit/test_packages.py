"""Which packages a code imports, and which versions of them are installed."""

import importlib.metadata
import sys
import textwrap
from pathlib import Path

import pytest

from psyrun.exceptions import TaskError
from psyrun.packages import imported_packages, packages_of, versions
from psyrun.version import __version__

A1, A2, A3, A4 = (f"    import a{n}\n" for n in range(1, 5))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import numpy", ["numpy"]),
        ("import numpy.linalg as la, scipy", ["numpy", "scipy"]),
        ("from sklearn.svm import SVC", ["sklearn"]),
        ("from numpy import *", ["numpy"]),
        ("import math, json, __future__", []),
        ("from psyrun import Param\nimport psyrun.store", []),
        ("import helper.inner\nfrom helper import f", []),
        ("from . import numpy\nfrom .numpy import x", []),
        ("def execute(a):\n    import numpy", ["numpy"]),
        ("class A:\n    async def f(self):\n        import numpy", ["numpy"]),
        (f"try:\n{A1}except E:\n{A2}else:\n{A3}finally:\n{A4}", ["a1", "a2", "a3", "a4"]),
        (f"if x:\n{A1}elif y:\n{A2}else:\n{A3}", ["a1", "a2", "a3"]),
        ("for x in y:\n    with z:\n        while 1: import a1", ["a1"]),
        ("match x:\n    case 1:\n        import a1", ["a1"]),
        ("x = 'import numpy'\nlambda: 0\nx if y else z", []),
        ("def broken(", []),
        ("x = '\0'", []),
        ("# coding: nonsense\nimport numpy", []),
        ("", []),
    ],
)
def test_what_is_imported(source, names):
    assert imported_packages([source.encode()], {"helper"}) == names


def test_bytes_that_are_no_text_import_nothing():
    assert imported_packages([b"\xff\xfe\x00 import numpy", b"import scipy"]) == ["scipy"]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Make a folder with installed packages, and the only one; return what installs there."""

    class Site:
        folder = tmp_path / "site"

        def install(self, name, version="1.0", record="", kind="dist", file="METADATA", **more):
            info = self.folder / f"{name}-{version}.{kind}-info"
            info.mkdir(parents=True)
            (info / file).write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            (info / "RECORD").write_text(textwrap.dedent(record))
            for line in record.split():
                module = self.folder / line.partition(",")[0]
                module.parent.mkdir(parents=True, exist_ok=True)
                module.write_text("raise AssertionError('imported')")
            for other, text in more.items():
                (info / f"{other}.txt").write_text(text)

    monkeypatch.setattr(sys, "path", [str(Site.folder)])
    return Site()


def test_the_package_of_that_name(site):
    site.install("numpy", "2.1.3")
    assert versions(["numpy"]) == {"numpy": "2.1.3"}


@pytest.mark.parametrize("name", ["scikit-learn", "scikit_learn", "Scikit.Learn", "sklearn"])
def test_a_name_may_be_that_of_the_installation_or_of_the_import(site, name):
    site.install("scikit_learn", "1.5", "sklearn/__init__.py,sha256=x,1\n")
    assert versions([name]) == {name: "1.5"}


@pytest.mark.parametrize(
    "file", ["yaml/__init__.py", "yaml.py", "yaml.cpython-311-x86_64-linux-gnu.so", "yaml.pyd"]
)
def test_the_package_that_brought_a_module(site, file):
    site.install("other", "3", "myyaml/__init__.py,,\nother/yaml/x.py,,\n")
    site.install("PyYAML", "6.0", f"a.py,,\n{file},sha256=x,1\n")
    assert versions(["yaml", "yam"]) == {"yaml": "6.0"}


def test_a_package_of_a_system_has_a_list_of_its_modules(site):
    site.install("PyYAML", "6", kind="egg", file="PKG-INFO", top_level="_yaml\nyaml\n")
    (site.folder / "yaml").mkdir()
    assert versions(["yaml"]) == {"yaml": "6"}


def test_an_egg_info_that_is_a_file(site):
    site.folder.mkdir()
    (site.folder / "old-1.2-py3.egg-info").write_text("Name: old\nVersion: 1.2\n")
    assert versions(["old"]) == {"old": "1.2"}


def test_a_package_installed_from_a_folder_on_the_path(site):
    (site.folder / "mine.egg-info").mkdir(parents=True)
    (site.folder / "mine.egg-info" / "PKG-INFO").write_text("Name: mine\nVersion: 0.1\n")
    assert versions(["mine"]) == {"mine": "0.1"}


def test_a_name_that_several_packages_share(site):
    site.install("google_auth", "2.0", "google/auth/__init__.py,,\n")
    site.install("protobuf", "4.1", "google/protobuf/__init__.py,,\n")
    assert versions(["google"]) == {"google": "google-auth 2.0, protobuf 4.1"}


def test_what_a_broken_installation_left_does_not_count(site):
    (site.folder / "numpy-1.9.dist-info").mkdir(parents=True)
    site.install("numpy", "2.0")
    site.install("~umpy", "1.0", "numpy/__init__.py,,\n")
    assert versions(["numpy"]) == {"numpy": "2.0"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"Name: a\n\nVersion: 2\n", {}),
        (b"Name: a\r\nVersion: 3\r\n\r\nVersion: 2\r\n", {"a": "3"}),
    ],
)
def test_only_the_head_of_the_description_counts(site, text, version):
    site.install("a", "1")
    (site.folder / "a-1.dist-info" / "METADATA").write_bytes(text)
    assert versions(["a"]) == version


def test_the_first_on_the_path_wins(site, tmp_path, monkeypatch):
    site.install("a", "1")
    (tmp_path / "b" / "a-2.dist-info").mkdir(parents=True)
    (tmp_path / "b" / "a-2.dist-info" / "METADATA").write_text("Version: 2\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "b"), *sys.path])
    assert versions(["a"]) == {"a": "2"}


def test_what_is_not_installed_is_left_out(site):
    assert versions(["nothing", "", "a b", "../x", "a\0"]) == {}


def test_an_update_is_seen_by_the_same_process(site):
    site.install("a", "1")
    assert versions(["a"]) == {"a": "1"}
    (site.folder / "a-1.dist-info").rename(site.folder / "gone")
    site.install("a", "2")
    assert versions(["a"]) == {"a": "2"}


def test_a_path_with_what_is_no_folder(site, tmp_path, monkeypatch):
    (tmp_path / "modules.zip").write_bytes(b"PK")
    site.install("a", "1")
    entries = [str(tmp_path / "modules.zip"), str(tmp_path / "none"), str(site.folder)]
    monkeypatch.setattr(sys, "path", entries)
    assert versions(["a"]) == {"a": "1"}


def test_nothing_is_imported(site):
    site.install("a", "1", "a.py,,\n")
    site.install("c", "1", "b.py,,\n")
    assert versions(["a", "b"]) == {"a": "1", "b": "1"}


def test_python_and_psyrun_are_known_without_an_installation(site):
    python = sys.version.split()[0]
    assert versions(["python", "psyrun"]) == {"python": python, "psyrun": __version__}


def python_with(folder, site):
    """Write an interpreter that imports from a folder first."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\nPYTHONPATH='{site.folder}' exec '{sys.executable}' \"$@\"\n")
    script.chmod(0o755)
    return str(script)


def test_another_interpreter_has_packages_of_its_own(site, tmp_path, monkeypatch):
    site.install("numpy", "99")
    python = python_with(tmp_path, site)
    monkeypatch.setattr(sys, "path", [])
    assert packages_of([b"import numpy"], [], ["numpy"], python)["numpy"] == "99"
    with pytest.raises(TaskError, match="did you mean 'numpy'"):
        packages_of([], [], ["numpi"], python)


def test_this_interpreter_is_not_started_anew(site, monkeypatch):
    site.install("numpy", "99")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    for python in (sys.executable, Path(sys.executable).name):
        assert packages_of([b"import numpy"], [], (), python)["numpy"] == "99"


@pytest.mark.parametrize("program", ["exit 1", "kill $$"])
def test_of_an_interpreter_that_does_not_run_here_nothing_is_said(tmp_path, program):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    for one in (str(python), str(tmp_path / "none")):
        assert packages_of([b"import numpy"], [], (), one) == {}
        with pytest.raises(
            TaskError, match=r"names 'numpy', but python is .*cannot be run here"
        ):
            packages_of([], [], ["numpy"], one)


def test_every_installed_package_has_the_version_that_the_standard_library_tells():
    told = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    del told["psyrun"]  # its version is that of the code, not of the installation
    assert versions(told) == told
    assert versions(["sklearn"]) == {"sklearn": told["scikit-learn"]}


def test_a_code_has_its_imports_what_it_depends_on_and_python(site):
    site.install("a", "1")
    site.install("b", "2")
    site.install("c", "3")
    found = packages_of([b"import a, math, gone", b"from helper import x"], ["helper"], ["b"])
    assert found == {"a": "1", "b": "2", "python": sys.version.split()[0]}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("numpi", "no such package is installed; did you mean 'numpy'"),
        ("scikit-lern", "did you mean 'scikit-learn'"),
        ("Python", "did you mean 'python'"),
        ("completely-else", "no such package is installed; install it, or take it out"),
        ("", "install it"),
        ("json", "standard library; write 'python' instead"),
        ("helper", "local module: its code counts anyway"),
    ],
)
def test_a_dependency_that_is_not_installed_is_named(site, name, advice):
    site.install("numpy", "2")
    site.install("scikit_learn", "1")
    with pytest.raises(TaskError, match=f"depends_on names {name!r}.*{advice}"):
        packages_of([], ["helper"], [name])
