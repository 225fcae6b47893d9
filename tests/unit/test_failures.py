"""How a row's failure is told: what is no result, and what Python's fault handler left."""

import gc
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import psyrun
from psyrun.exceptions import RowError
from psyrun.failures import as_mapping, describe_death

REPORT = """\
Fatal Python error: Segmentation fault

Thread 0x00007fc2510fd6c0 (most recent call first):
  File "{library}/threading.py", line 982 in run
  File "{library}/threading.py", line 1002 in _bootstrap

Current thread 0x00007fc251e5cb80 (most recent call first):
  File "{library}/ctypes/__init__.py", line 519 in string_at
  File "/home/me/my tasks/t\\xe4sk_\\u65e5\\U0001f600.py", line 6 in \\xfcnd
  File "/home/me/my tasks/task_a.py", line 7 in execute
  File "{package}/rowprocess.py", line 190 in _evaluate_block

Extension modules: numpy._core (total: 1)
"""


@pytest.fixture
def report():
    return REPORT.format(
        library=Path(threading.__file__).parent, package=Path(psyrun.__file__).parent
    )


def test_the_place_is_the_innermost_line_of_the_users_own(report):
    error = describe_death("it died", report)
    assert error["place"] == "/home/me/my tasks/täsk_日😀.py:6"
    assert (error["type"], error["message"]) == ("ProcessDied", "it died")


def test_the_traceback_runs_from_the_users_first_call_to_the_last(report):
    lines = describe_death("it died", report)["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.rpartition(" ")[2] for line in lines[1:]] == ["execute", "ünd", "string_at"]


@pytest.mark.parametrize(
    "text",
    ["", "Fatal Python error: Aborted\n\n", "\0\xff garbage", '  File "x", line y in z'],
)
def test_without_a_report_only_the_cause_is_told(text):
    assert describe_death("it died", text).keys() == {"type", "message", "host", "when"}


def test_a_crash_within_libraries_alone_has_no_place(report):
    foreign = report.replace("/home/me/my tasks", "/x/site-packages/pack")
    assert "place" not in describe_death("it died", foreign)


def execute() -> None: ...


class Series:
    """As that of pandas: shown in lines, and made a dict by its keys."""

    def __repr__(self) -> str:
        return "a    1\nb    2\ndtype: int64"

    def keys(self) -> list[str]:
        return ["a"]

    def __getitem__(self, name: str) -> int:
        return 1


def refused(result: Any) -> str:
    with pytest.raises(RowError) as caught:
        as_mapping(result, execute)
    return str(caught.value)


def test_none_is_asked_for_a_return() -> None:
    assert refused(None) == (
        "execute() returned None, but a mapping such as {'result': value} is needed; is its "
        "`return` missing?"
    )


def test_a_plain_value_is_told_with_its_type() -> None:
    assert refused(3) == (
        "execute() returned 3 (int), but a mapping such as {'result': value} is needed"
    )


def test_a_coroutine_is_told_by_what_to_write_and_without_a_warning() -> None:
    async def awaited() -> None: ...

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = refused(awaited())
        gc.collect()
    assert told == "execute() is async, and Psyrun does not await it: write def, not async def"


def test_a_generator_is_told_by_what_to_write() -> None:
    told = "execute() yields; return a dict instead, such as {'result': value}"
    assert refused(n for n in [1]) == told


def test_no_address_is_told() -> None:
    assert refused(object()).startswith("execute() returned an object, but a mapping")


def test_what_is_shown_in_lines_is_told_by_its_type_and_how_to_make_it_a_dict() -> None:
    assert refused(Series()) == (
        "execute() returned a Series, but a mapping such as {'result': value} is needed: "
        "return dict(series)"
    )
