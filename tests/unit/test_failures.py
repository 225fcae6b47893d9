"""How a death is told: from what Python's fault handler left."""

import threading
from pathlib import Path

import pytest

import psyrun
from psyrun.failures import describe_death

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
