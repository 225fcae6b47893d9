"""Edits of code, run before and after: what changes a result has to change the fingerprint.

Each file of `reached/` holds cases: a title behind `====`, the source of a task file, and
below `### name` that of a module. `{{old||new}}` is the edit. `(3.12)` in a title is the Python
that a case needs.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from psyrun.code import CodeImage
from psyrun.fingerprint import differences, fingerprint
from psyrun.loading import FrozenFinder, FrozenModule, run_module

TASK = "task_t"
EDIT = re.compile(r"\{\{(.*?)\|\|(.*?)\}\}", re.DOTALL)


def cases(file: str) -> list[ParameterSet]:
    return list(read_cases(Path(__file__).parent / "reached" / file))


def read_cases(path: Path) -> Iterator[ParameterSet]:
    for case in path.read_text(encoding="utf-8").split("==== ")[1:]:
        title, _, source = case.partition("\n")
        needed = [int(minor) for minor in re.findall(r"\(3\.(\d+)\)", title)] or [0]
        too_old = pytest.mark.skipif(
            sys.version_info < (3, *needed), reason="in the title: needs a newer Python"
        )
        yield pytest.param(source, id=title, marks=too_old)


def image_of(source: str) -> CodeImage:
    task, *rest = source.split("### ")
    texts = dict(text.split("\n", 1) for text in rest)
    modules = {}
    for name, text in texts.items():
        is_package = any(other.startswith(f"{name}.") for other in texts)
        path = Path(name.replace(".", "/") + ("/__init__.py" if is_package else ".py"))
        modules[name] = FrozenModule(path, text.encode(), is_package)
    return CodeImage(f"{TASK}.py", task.encode(), modules=modules)


def result(image: CodeImage) -> str:
    finder = FrozenFinder(image.modules)
    sys.meta_path.insert(0, finder)
    try:
        task = run_module(TASK, Path(image.task_file), image.task_source)
        return repr(task.execute(1))
    finally:
        sys.meta_path.remove(finder)
        for name in (*image.modules, TASK):
            sys.modules.pop(name, None)


def both(source: str) -> tuple[bool, list[str]]:
    """Tell whether an edit changes the result, and name what it changes of the fingerprint."""
    old, new = (image_of(EDIT.sub(side, source)) for side in (r"\1", r"\2"))
    assert old != new
    changes = differences(fingerprint(old, ()), fingerprint(new, ()))
    return result(old) != result(new), [str(change) for change in changes]


@pytest.mark.parametrize("source", cases("counts.txt"))
def test_what_changes_a_result_counts(source):
    changes_result, changes = both(source)
    assert changes_result
    assert changes


@pytest.mark.parametrize("source", cases("never-counts.txt"))
def test_what_is_not_reached_does_not_count(source):
    changes_result, changes = both(source)
    assert not changes_result
    assert changes == []


@pytest.mark.parametrize("source", cases("beyond.txt"))
def test_what_is_beyond_sight(source):
    """As the docs say; a case that counts one day moves to `counts.txt`."""
    changes_result, changes = both(source)
    assert changes_result
    assert changes == []
