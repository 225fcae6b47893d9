"""What a code's fingerprint is made of, and how its parts are named."""

from pathlib import Path

import pytest

from psyrun.code import CodeImage, with_values
from psyrun.fingerprint import Change, Part, differences, fingerprint
from psyrun.loading import FrozenModule

TASK = b"import helper\n\ndef execute(a):\n    return helper.double(a)\n"
HELPER = b"def double(x):\n    return 2 * x\n"


def image(task=TASK, conf=None, file_dep=None, **modules):
    found = {
        name: FrozenModule(Path(f"lib/{name}.py"), source, is_package=False)
        for name, source in modules.items()
    }
    return CodeImage("task_a.py", task, conf, found, file_dep or {})


def names(old, new, values=()):
    found = differences(fingerprint(old, values), fingerprint(new, values))
    return list(map(str, found))


def test_parts_have_a_place():
    parts = fingerprint(image(helper=HELPER), ())
    assert {name: (part.kind, part.place) for name, part in parts.items()} == {
        "`helper`": ("import", "task_a.py:1"),
        "`execute`": ("function", "task_a.py:3"),
        "`helper.double`": ("function", "lib/helper.py:1"),
    }


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (
            {"helper": HELPER},
            {"helper": b"def double(x):\n    return 3 * x\n"},
            "helper.double",
        ),
        ({"task": TASK}, {"task": TASK.replace(b"(a)\n", b"(-a)\n")}, "execute"),
    ],
)
def test_what_changed_is_named_with_its_module(old, new, name):
    assert names(image(**old), image(**new)) == [f"`{name}`"]


def test_statements_are_named_by_their_first_line():
    old, new = (
        image(b"def execute(a): pass\nfor i in range(%d):\n    do(i)\n" % n) for n in (3, 4)
    )
    assert names(old, new) == [
        "statement `for i in range(3): ...`",
        "statement `for i in range(4): ...`",
    ]


def test_the_order_is_named_where_nothing_else_differs():
    old, new = (b"a()\nb()\ndef execute(x): pass", b"b()\na()\ndef execute(x): pass")
    assert names(image(old), image(new)) == ["the order of statements"]


@pytest.mark.parametrize("broken", ["def (", "x = '\0'", "print 'two'", "# coding: nonsense"])
def test_a_helper_that_is_no_python_counts_by_its_bytes(broken):
    task = b"def execute(a):\n    import helper\n    return helper.f(a)\n"
    old, new = (image(task, helper=(broken + end).encode()) for end in ("", "\n"))
    assert names(old, new) == ["module `helper`"]


def test_a_comment_in_a_helper_does_not_count():
    assert names(image(helper=HELPER), image(helper=b"# why\n" + HELPER)) == []


CONF = b"""
FACTOR = 2
OTHER = 3
max_jobs = 4

def execute(a):
    return {'y': a * FACTOR}
"""


def test_psy_conf_counts_where_its_execute_is_used():
    task = b"pspace = Param(a=[1])\n"
    new = CONF.replace(b"= 2", b"= 5")
    assert names(image(task, CONF), image(task, new)) == ["`FACTOR` of psy-conf.py"]


@pytest.mark.parametrize("edit", [(b"OTHER = 3", b"OTHER = 5"), (b"max_jobs = 4", b"")])
def test_what_execute_of_psy_conf_does_not_reach_does_not_count(edit):
    task = b"pspace = Param(a=[1])\n"
    assert names(image(task, CONF), image(task, CONF.replace(*edit))) == []


def test_psy_conf_does_not_count_where_the_task_has_its_own_execute():
    assert names(image(TASK, CONF), image(TASK, CONF.replace(b"= 2", b"= 5"))) == []


def test_statements_of_psy_conf_count():
    old, new = (CONF + b"seed(%d)\n" % n for n in (1, 2))
    assert names(image(TASK, old), image(TASK, new)) == [
        "statement `seed(1)` of psy-conf.py",
        "statement `seed(2)` of psy-conf.py",
    ]


def test_files_count_by_their_content():
    old, new = (image(file_dep={"data.txt": digest}) for digest in "ab")
    assert differences(fingerprint(old, ()), fingerprint(new, ())) == [
        Change("file `data.txt`", "file", "data.txt", "data.txt")
    ]


def test_values_of_own_modules_are_kept():
    references = [("helper", "double"), ("math", "sin"), ("task_a", "Model")]
    kept = with_values(image(helper=HELPER), references).values
    assert kept == (("helper", "double"), ("task_a", "Model"))


def test_a_function_as_a_value_counts():
    task = b"def execute(f): return f(1)\n"
    old, new = (image(task, helper=source) for source in (HELPER, HELPER + b"    # why\n"))
    assert names(old, new, [("helper", "double")]) == []
    new = image(task, helper=HELPER.replace(b"2", b"3"))
    assert names(old, new, [("helper", "double")]) == ["`helper.double`"]
    assert names(old, new, [("helper", "other")]) == []


def test_differences_are_sorted_and_tell_both_places():
    old = {"b": Part("function", "1", "f.py:1"), "a": Part("constant", "1", "f.py:2")}
    new = {"a": Part("constant", "2", "f.py:3"), "c": Part("class", "1", "g.py:1")}
    assert differences(old, new) == [
        Change("a", "constant", "f.py:2", "f.py:3"),
        Change("b", "function", "f.py:1", None),
        Change("c", "class", None, "g.py:1"),
    ]
