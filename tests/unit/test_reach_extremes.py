"""Code that is deep, long, twisted or hardly Python: it is read, and in no time."""

from pathlib import Path

import pytest

from psyrun.code import CodeImage
from psyrun.fingerprint import differences, fingerprint
from psyrun.loading import FrozenModule
from psyrun.localmodules import local_modules
from psyrun.reach import Unit, reach

EXECUTE = "def execute(a): return x\n"
LONG = 800
"""Deeper than Python's recursion limit allows functions to go that need two frames a level."""


def elif_chain(line):
    return "if x == 0:" + line + "".join(f"elif x == {i}:{line}" for i in range(LONG))


DEEP = {
    "sum": "x = " + " + ".join(["a"] * LONG),
    "sum of a statement": "x = {}\nx[0] = " + " + ".join(["a"] * LONG),
    "attributes": "x = a" + ".b" * LONG,
    "calls": "x = a" + ".b()" * LONG,
    "negations": "x = " + "not " * LONG + "a",
    "lambdas": "x = " + "lambda: " * LONG + "a",
    "conditions": "x = " + "1 if b else " * LONG + "a",
    "branches": "x = a\n" + elif_chain(" x = 1\n"),
    "branches of settings": "x = a\n" + elif_chain(" max_jobs = 1\n"),
    "branches of a function": "def x():\n " + elif_chain(" a()\n ").rstrip() + "\n",
    "classes": "".join(f"{' ' * i}class x{i}:\n" for i in range(90))
    + " " * 90
    + "y = a\nx = x0",
    "brackets": "x = " + "[" * 190 + "a" + "]" * 190,
}


def parts_of(source, **modules):
    units = {name: Unit(text.encode()) for name, text in modules.items()}
    units["task"] = Unit(source.encode(), settings=("max_jobs",))
    return reach(units, [[("task", "execute")]], ["task"])


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_deep_code_is_followed_to_the_end(source):
    assert ("task", "a") in parts_of(f"a = 1\n{source}\n{EXECUTE}")


def test_what_is_too_deep_for_python_counts_by_its_bytes():
    source = "x = " + " + ".join(["a"] * 50_000)
    assert [part.kind for part in parts_of(source + "\n" + EXECUTE).values()] == ["module"]


CHAINS = {
    "names": "from m{next} import x\n",
    "modules": "import m{next}\nx = [m{next}]\n",
    "stars": "from m{next} import *\n",
    "unused": "from m{next} import x as y\nif y: x = y\n",
    "many ways": "try: from m{next} import x\nexcept E: from m{next} import x as y\n"
    "x = y\nif y: from m{next} import y as x\n",
}


@pytest.mark.parametrize("source", CHAINS.values(), ids=CHAINS)
def test_names_handed_on_often_are_followed_to_the_end(source):
    modules = {f"m{i}": source.replace("{next}", f"{i + 1}") for i in range(LONG)}
    modules[f"m{LONG}"] = "x = y = 1\n"
    found = parts_of("from m0 import x\n" + EXECUTE, **modules)
    assert (f"m{LONG}", "x, y") in found


def test_modules_that_import_each_other_are_followed_once():
    ring = "from two import *\nfrom two import x as y\nimport two\n"
    modules = {"one": ring, "two": ring.replace("two", "one") + "x = 1\n"}
    found = parts_of(
        "import one\ndef execute(a): return one.y, one.two.one.x, [one]", **modules
    )
    assert ("two", "x") in found


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfX = 1\n",
        b"# -*- coding: latin-1 -*-\nX = '\xe9'\n",
        b"X = 1\r\n\r\n\x0c\r\n",
        b"X = '\\ud800'\n",
        b"if 1:\n\tX = 1\n",
        b"X = '\\d'\n",
        b"X = 1if 1else 2\n",
    ],
)
def test_odd_sources_are_read(source):
    task = b"import helper\ndef execute(a): return helper.X\n"
    found = []
    for text in (source, source + b"# a comment\n"):
        helper = {"helper": FrozenModule(Path("helper.py"), text, is_package=False)}
        found.append(fingerprint(CodeImage("task_a.py", task, modules=helper), ()))
    assert differences(*found) == []
    assert "module" not in {part.kind for part in found[0].values()}


@pytest.mark.parametrize(
    "source", [b"X = 1\0", b"x = '\xe9'", b"\xff\xfe", b"# coding: hex\n00", b"("]
)
def test_what_is_no_python_imports_nothing(source, tmp_path):
    assert local_modules([source], tmp_path) == ({}, ())


def test_order_is_no_name_of_its_own():
    """As it is one of a part of the fingerprint: nothing that is called so may be hidden."""
    old, new = (parts_of(f"f()\norder = {n}\nx = order\n{EXECUTE}") for n in (1, 2))
    assert old["task", "order"] != new["task", "order"]
