"""What `execute` depends on: each case edits one module, and lists what that changes."""

import textwrap

import pytest

from psyrun.reach import Unit, reach

BASE = {
    "task": """
        import helper
        from helper import scaled as sc, Model
        import numpy as np

        N = 10
        M = 5
        pspace = Param(a=range(N))
        max_jobs = 3

        def unused():
            return M

        def execute(a):
            return {'y': sc(a) + inner(a)}

        def inner(a):
            return np.sin(a)
        """,
    "helper": """
        import math
        import other

        SCALE = 2
        SPARE = 3

        def scaled(x, by=SCALE):
            return x * by

        class Model:
            size = SPARE
        """,
    "other": "FACTOR = 1\n",
}


def pieces(modules, *, computed=(), packages=(), values=()):
    units = {
        name: Unit(
            textwrap.dedent(source).encode() if isinstance(source, str) else source,
            name in packages,
            ("pspace", "max_jobs", "scheduler", "scheduler_args", "store")
            if name == "task"
            else (),
        )
        for name, source in modules.items()
    }
    roots = [[("task", "execute")], [("task", "setup")], *([value] for value in values)]
    return reach(units, roots, ["task"], computed)


def changed(old, new, **options):
    old, new = pieces(old, **options), pieces(new, **options)
    return {
        f"{module}:{label}"
        for module, label in {*old, *new}
        if getattr(old.get((module, label)), "digest", None)
        != getattr(new.get((module, label)), "digest", None)
    }


def edited(modules, module, old, new):
    source = textwrap.dedent(modules[module])
    assert source.count(old) == 1, (old, source)
    return {**modules, module: source.replace(old, new)}


@pytest.mark.parametrize(
    ("module", "old", "new", "expected"),
    [
        ("task", "N = 10", "N = 11", set()),
        ("task", "M = 5", "M = 6", set()),
        ("task", "max_jobs = 3", "max_jobs = 4", set()),
        ("task", "range(N)", "range(N + 1)", set()),
        ("task", "return M", "return M + 1", set()),
        ("task", "import helper\n", "import helper\nimport json\n", set()),
        ("task", "import helper\n", "", set()),
        ("task", "as sc, Model", "as sc", set()),
        ("task", "as sc, Model", "as sc, SPARE", set()),
        ("task", "sc(a) +", "sc(a) -", {"task:execute"}),
        ("task", "np.sin", "np.cos", {"task:inner"}),
        ("task", "import numpy as np", "import cupy as np", {"task:np"}),
        ("helper", "SCALE = 2", "SCALE = 3", {"helper:SCALE"}),
        ("helper", "SPARE = 3", "SPARE = 4", set()),
        ("helper", "size = SPARE", "size = 1", set()),
        ("helper", "x * by", "x / by", {"helper:scaled"}),
        ("helper", "import math", "import cmath", set()),
        ("other", "FACTOR = 1", "FACTOR = 2", set()),
    ],
)
def test_what_an_edit_changes(module, old, new, expected):
    assert changed(BASE, edited(BASE, module, old, new)) == expected


def cases(text):
    return text.strip("\n").split("\n---\n")


def reaches(source, module="helper", **options):
    """Tell whether `X = 1` of a helper counts in a task with such a source."""
    modules = {
        "task": source,
        "helper": "def f(a):\n    return X\n\ndef g(a):\n    return a\n\nX = 1\n",
        "pkg": "from pkg.core import f as offered\n",
        "pkg.core": "X = 1\n\ndef f(a):\n    return X\n",
    }
    assert module in modules
    new = edited(modules, module, "X = 1", "X = 2")
    return bool(changed(modules, new, packages=["pkg"], **options))


REACHING = """
import helper
def execute(a): return helper.f(a)
---
import helper as h
def execute(a): return h.f(a)
---
from helper import f
def execute(a): return f(a)
---
from helper import f as execute
---
from helper import *
def execute(a): return f(a)
---
from helper import *
---
def execute(a):
    import helper
    return helper.f(a)
---
def execute(a):
    from helper import f
    return f(a)
---
def execute(a):
    from helper import f as g
    return [g(b) for b in a]
---
import helper
def execute(a): return getattr(helper, 'f')(a)
---
import helper
def execute(a): return getattr(helper, a)(a)
---
import helper
def execute(a): return call(helper)
---
import helper
h = helper
def execute(a): return h.f(a)
---
import helper
def execute(a): return vars(helper)[a]
---
import helper
def execute(a): return helper.__dict__[a]
---
import helper
def execute(a): return [m.f(a) for m in (helper,)]
---
import helper
table = {'f': helper.f}
def execute(a): return table[a](a)
---
import helper
def execute(a, f=helper.f): return f(a)
---
import helper
def execute(a, *, f=helper.f): return f(a)
---
import helper
execute = helper.f
---
import helper
execute: object = helper.f
---
import helper
execute = lambda a: helper.f(a)
---
import helper
@helper.f
def execute(a): return a
---
import helper
class Model(helper.f): pass
def execute(a): return Model(a)
---
import helper
class Model:
    def m(self): return helper.f(self)
def execute(a): return Model().m()
---
class Model:
    from helper import f
def execute(a): return Model.f(a)
---
class Model:
    import helper
def execute(a): return Model.helper.f(a)
---
import helper
def setup(i): helper.f(i)
def execute(a): return a
---
import helper
def execute(a): return a
helper.f(1)
---
import helper
for i in [1]: helper.f(i)
def execute(a): return a
---
import helper
if helper.f(1): Y = 1
def execute(a): return a
---
import helper
TABLE = {}
TABLE['a'] = helper.f
def execute(a): return a
---
try:
    import helper
except ImportError: helper = None
def execute(a): return helper.f(a)
---
def setup(i):
    global helper
    import helper
def execute(a): return helper.f(a)
---
import helper
def setup(i):
    global f
    f = helper.f
def execute(a): return f(a)
---
from importlib import import_module
def execute(a): return import_module('helper').f(a)
---
import importlib
def execute(a): return importlib.import_module('helper').g(a)
---
def execute(a): return __import__('helper').f(a)
---
import helper
def execute(a): return eval('helper.f(a)')
---
from helper import f
def execute(a): return eval('f(a)')
---
from helper import f
def execute(a): return globals()['f'](a)
---
import sys
from helper import f
def execute(a): return getattr(sys.modules[__name__], 'f')(a)
---
import helper
def execute(a): return f'{helper.f(a)}'
---
import helper
def execute(a):
    match a:
        case helper.f: return 1
---
import helper
def execute(a):
    helper.X = 3
    return helper.f(a)
---
import helper
def execute(a):
    def inner(): return helper.f(a)
    return inner()
---
import helper
help1 = helper.f
def f(): return help1
def execute(a):
    f = 1
    def g(): return k()
    return g()
def k(): return f()
---
import helper
async def run(a): return helper.f(a)
def execute(a): return run(a)
---
import helper
REGISTRY = {}
def register(f): REGISTRY[1] = f
@register
def model(a): return helper.f(a)
def execute(a): return REGISTRY[1](a)
---
import helper, functools
@functools.singledispatch
def kind(a): return a
@kind.register
def _(a: int): return helper.f(a)
def execute(a): return kind(a)
---
import helper
class Base:
    def __init_subclass__(cls): ALL.append(cls)
ALL = []
class Child(Base):
    def m(self): return helper.f(1)
def execute(a): return ALL[0]().m()
---
import helper
class Base: pass
class Child(Base):
    def m(self): return helper.f(1)
def execute(a): return Base.__subclasses__()[0]().m()
---
import helper
y = helper.f(1)
first, second = y, 2
def execute(a): return second
---
import helper
(z := helper.f(1))
def execute(a): return z
---
import helper
y = (z := helper.f(1))
def execute(a): return z
---
import helper
max_jobs = helper.f(1)
def execute(a): return max_jobs
---
import helper
if a: max_jobs = helper.f(1)
def execute(a): return max_jobs
---
import helper
scheduler_args = {}
scheduler_args['x'] = helper.f(1)
def execute(a): return scheduler_args
---
import helper
x = 1
x += helper.f(1)
def execute(a): return x
---
import helper
with helper.f(1) as z: pass
def execute(a): return z
---
import helper
class A:
    x = helper.f(1)
    y = x
def execute(a): return A
---
import helper, installed
class Unused(installed.Base, key=1):
    x = helper.f(1)
def execute(a): return a
---
import helper, installed
class Unused(metaclass=installed.Meta):
    x = helper.f(1)
def execute(a): return a
---
import helper, atexit
@atexit.register
def last(): helper.f(1)
def execute(a): return a
---
import helper, sys
@sys.path_hooks.append
def hook(path): helper.f(path)
def execute(a): return a
---
import helper, gc
@gc.callbacks.append
def note(phase, info): helper.f(phase)
def execute(a): return a
---
import helper, codecs
@codecs.register
def search(name): helper.f(name)
def execute(a): return a
---
import helper, threading
@threading.settrace
def trace(*arguments): helper.f(arguments)
def execute(a): return a
"""

NOT_REACHING = """
import helper
def execute(a): return a
---
from helper import f
def execute(a): return a
---
import helper
def execute(a): return helper.g(a)
---
from helper import g
def execute(a): return g(a)
---
import helper
def execute(a): return getattr(helper, 'g')(a)
---
import helper
def execute(helper): return helper.f(a)
---
import helper
execute = lambda helper: helper.f(a)
---
import helper
def execute(a):
    helper = a
    return helper.f(a)
---
import helper
def execute(a): return [helper.f for helper in a]
---
import helper
def execute(a):
    for helper in a: helper.f(a)
---
import helper
def execute(a):
    with a as helper: helper.f(a)
---
import helper
def execute(a):
    try: a()
    except E as helper: helper.f(a)
---
import helper
def execute(a):
    match a:
        case [helper]: helper.f(a)
---
import helper
def execute(a):
    if (helper := a): helper.f(a)
---
import helper
def execute(a):
    def helper(): pass
    helper.f(a)
---
import helper
def execute(a):
    class helper: pass
    helper.f(a)
---
import helper
def execute(a):
    helper = 1
    def g(): return helper.f(a)
    g()
---
import helper
class A:
    helper = 1
    y = helper.f
def execute(a): return A
---
from helper import f
def execute(a): return a.f
---
from helper import f
def execute(a): return a(f=1)
---
from helper import f
def execute(a): return 'f'
---
import helper
pspace = Param(a=helper.f(1))
def execute(a): return a
---
import helper
for i in [1]: pspace = helper.f(i)
def execute(a): return a
---
import helper
if i: scheduler = helper.f(i)
else: scheduler = 1
def execute(a): return a
---
import helper
scheduler_args['x'] = helper.f(1)
def execute(a): return a
---
import helper
scheduler_args.update(helper.f(1))
def execute(a): return a
---
import helper
store.path = helper.f(1)
def execute(a): return a
---
import helper
max_jobs += helper.f(1)
def execute(a): return a
---
import helper
if __name__ == '__main__': helper.f(1)
def execute(a): return a
---
from typing import TYPE_CHECKING
if TYPE_CHECKING: import helper
def execute(a): return helper.f(a)
---
import helper, logging
logging.basicConfig(level=helper.f)
def execute(a): return a
---
import helper, logging
logging.getLogger('x').setLevel(helper.f)
def execute(a): return a
---
import helper, functools
@functools.cache
def unused(a): return helper.f(a)
def execute(a): return a
---
import helper
from dataclasses import dataclass
@dataclass(frozen=True)
class Unused:
    x: int = helper.f(1)
def execute(a): return a
---
import helper
import numba as nb
@nb.njit(cache=True)
def unused(a): return helper.f
def execute(a): return a
---
import helper, abc
class Unused(metaclass=abc.ABCMeta):
    x = helper.f
def execute(a): return a
---
import helper
class Unused(dict):
    x = helper.f
def execute(a): return a
"""

REACHING_INTO_A_PACKAGE = """
import pkg.core
def execute(a): return pkg.core.f(a)
---
from pkg import core
def execute(a): return core.f(a)
---
from pkg.core import f
def execute(a): return f(a)
---
import pkg.core as c
def execute(a): return c.f(a)
---
from pkg import offered
def execute(a): return offered(a)
---
import pkg
def execute(a): return pkg.offered(a)
---
import pkg
def execute(a): return pkg.core.f(a)
---
import pkg
def execute(a): return getattr(pkg, a)(a)
---
import pkg
def execute(a): return pkg.__path__
---
from importlib import import_module
def execute(a): return import_module(f'pkg.{a}').f(a)
---
from importlib import import_module
def execute(a): return import_module('pkg.' + a).f(a)
---
from importlib import import_module
def execute(a): return import_module('.core', 'pkg').f(a)
---
from importlib import import_module
def execute(a): return import_module('.core', package='pkg').f(a)
"""


@pytest.mark.parametrize(
    "source",
    cases(REACHING),
)
def test_what_reaches_a_helper(source):
    assert reaches(source)


@pytest.mark.parametrize(
    "source",
    cases(NOT_REACHING),
)
def test_what_does_not_reach_a_helper(source):
    assert not reaches(source)


@pytest.mark.parametrize(
    "source",
    cases(REACHING_INTO_A_PACKAGE),
)
def test_what_reaches_into_a_package(source):
    assert reaches(source, "pkg.core")


def test_what_does_not_reach_into_a_package():
    assert not reaches("import pkg\ndef execute(a): return a", "pkg.core")
    assert not reaches("from pkg import core\ndef execute(a): return core.g", "pkg.core")


def test_a_computed_import_reaches_what_was_loaded_so():
    source = "from importlib import import_module\ndef execute(a): return import_module(a).f(a)"
    assert not reaches(source)
    assert reaches(source, computed=["helper"])
    assert not reaches("def execute(a): return a", computed=["helper"])


def test_a_value_is_a_root():
    source = "import helper\npspace = Param(f=[helper.f])\ndef execute(f): return f(1)"
    assert reaches(source, values=[("helper", "f")])
    assert not reaches(source, values=[("helper", "g")])


def test_the_module_of_a_value_is_run():
    old = {"task": "def execute(f): return f(1)", "helper": "def f(a): return a\nprint(1)"}
    new = edited(old, "helper", "print(1)", "print(2)")
    counted = changed(old, new, values=[("helper", "f")])
    assert counted == {"helper:print(1)", "helper:print(2)", "helper:<order>"}
    assert changed(old, new) == set()


@pytest.mark.parametrize(
    "statement",
    [
        *("print(1)", "for i in x: y", "TABLE[1] = 2", "x.y = 1", "x += 1", "del x"),
        *("[1].append(2)", "(lambda: 1)()", "x().y()", "x[0]()", "assert x"),
    ],
)
def test_statements_count_where_a_module_is_run(statement):
    helper = f"def f(a): return a\n\nTABLE = {{}}\n{statement}\n"
    for execute, counts in (("helper.f(a)", True), ("a", False)):
        old = {"task": f"import helper\ndef execute(a): return {execute}", "helper": helper}
        old["task"] += "\npspace = helper.f(1)\n"
        new = edited(old, "helper", statement, statement + "\nmore()")
        assert bool(changed(old, new)) == counts


@pytest.mark.parametrize(
    ("source", "name", "counts"),
    [
        ("import patch", "patch", True),
        ("import sub.patch", "sub.patch", True),
        ("from sub import patch", "sub.patch", True),
        ("import patch as p", "patch", True),
        ("import patch\npspace = Param(a=patch.values)", "patch", False),
    ],
)
def test_a_module_imported_for_nothing_else_is_run_for_what_it_does(source, name, counts):
    patch = "import other\nother.X = 1\ndef f(): return 1\n"
    old = {"task": source + "\ndef execute(a): return a", "other": "", "sub": "", name: patch}
    new = edited(old, name, "X = 1", "X = 2")
    assert bool(changed(old, new, packages=["sub"])) == counts
    unused = edited(old, name, "return 1", "return 2")
    assert changed(old, unused, packages=["sub"]) == set()


def test_the_package_of_a_module_is_run_with_it():
    old = {"task": "import pkg.core\ndef execute(a): return pkg.core.f(a)"}
    old |= {"pkg": "do(1)", "pkg.core": "def f(a): return a"}
    new = edited(old, "pkg", "do(1)", "do(2)")
    assert changed(old, new, packages=["pkg"]) == {"pkg:do(1)", "pkg:do(2)", "pkg:<order>"}


def test_names_exchanged_by_their_imports_count():
    old = {"helper": "def f(a): return 1\ndef g(a): return 2\n"}
    old["task"] = "from helper import f as one, g as two\ndef execute(a): return one(a), two(a)"
    new = edited(old, "task", "f as one, g as two", "g as one, f as two")
    assert changed(old, new) == {"task:one", "task:two"}


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("x = 1\ny = x\nx = 2", "x = 1\nx = 2\ny = x", True),
        ("x = 1\ny = 2", "y = 2\nx = 1", False),
        ("f()\nx = 1\ny = 2", "x = 1\nf()\ny = 2", True),
        ("z = 1\nf()\nx = 1\ny = 2", "f()\nx = 1\ny = 2\nz = 1", False),
        ("def g(): pass\nx = 1\ny = g", "x = 1\ny = g\ndef g(): pass", False),
        ("f(1)\nf(2)\nx = y = 1", "f(2)\nf(1)\nx = y = 1", True),
        ("import m\nx = 1\ny = m", "x = 1\nimport m\ny = m", False),
        ("x = y = 1\nfrom m import x", "from m import x\nx = y = 1", True),
    ],
)
def test_the_order_of_what_is_reached_counts_where_it_can_matter(old, new, counts):
    execute = "\ndef execute(a): return x, y\n"
    assert bool(changed({"task": old + execute}, {"task": new + execute})) == counts


def test_a_module_that_is_no_python_counts_by_its_bytes():
    old = {"task": "import fast\ndef execute(a): return fast.f(a)", "fast": b"\x00\x01"}
    assert changed(old, {**old, "fast": b"\x00\x02"}) == {"fast:"}
    unreached = {**old, "task": "import fast\npspace = fast.g\ndef execute(a): return a"}
    assert changed(unreached, {**unreached, "fast": b"\x00\x02"}) == set()


def test_an_import_in_parts_is_the_same():
    old = {
        "task": "import a, b\nimport c.d\nfrom e import f, g\ndef execute(x): return a, c.d, f"
    }
    new = {
        "task": "import c.d\nimport a\nfrom e import f\nimport c.other\n"
        "def execute(x): return a, c.d, f"
    }
    assert changed(old, new) == set()


def test_a_submodule_no_longer_imported_counts():
    old = {"task": "import a.b\ndef execute(x): return a.b.f()"}
    new = {"task": "import a.c\ndef execute(x): return a.b.f()"}
    assert changed(old, new) == {"task:a.b"}


def test_lines_are_told():
    found = pieces(BASE)
    assert found["task", "inner"].line == 17
    assert str(found["task", "inner"].kind) == "function"
    assert found["helper", "SCALE"].line == 5


def test_kinds_and_labels_are_in_the_users_words():
    source = """
        from __future__ import annotations
        import os, os.path as p
        from math import *
        A, B = 1, 2
        A += 1
        def f():
            global G
        async def g(): pass
        class C: pass
        if A:
            pass
        print('a text that is much longer than a label can be')
        def execute(a): return os, p, B, f, g, C
        """
    found = pieces({"task": source})
    assert {label: str(piece.kind) for (_, label), piece in found.items()} == {
        "from __future__ import annotations": "statement",
        "os": "import",
        "p": "import",
        "math.*": "import",
        "A, B": "constant",
        "A": "constant",
        "f": "function",
        "g": "function",
        "C": "class",
        "if A: ...": "statement",
        "print('a text that is much longer than a ...": "statement",
        "execute": "function",
        "<order>": "order",
    }


def test_execute_that_is_defined_nowhere_in_sight():
    """As by `globals()['execute'] = ...`: then a statement does it, which counts."""
    old = {"task": "N = 1\nglobals()['execute'] = lambda a: N\n"}
    assert changed(old, edited(old, "task", "N = 1", "N = 2")) == {"task:N"}
