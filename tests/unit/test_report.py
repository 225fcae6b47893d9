import pytest

from psyrun import rows
from psyrun.causes import group
from psyrun.files import last_line
from psyrun.report import in_a_line, most_frequent
from psyrun.state import Failure


def failure(row, kind, message="no", place=""):
    return Failure(row, "1-0", {"type": kind, "message": message, "place": place})


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 rows"), (1, "1 row"), (10**6, "1,000,000 rows")]
)
def test_rows_in_words(count, text):
    assert rows.text(count) == text


def test_errors_are_counted_by_type_and_place_the_most_frequent_first():
    errors = [failure(0, "KeyError", "'a'", "/x/t.py:3")]
    errors += [failure(row, "ValueError", f"no {row}\nmore", "/x/t.py:4") for row in (1, 2)]
    assert list(most_frequent(group(errors))) == [
        "  2 rows: for example ValueError: no 1 ... (t.py:4)",
        "  1 row: KeyError: 'a' (t.py:3)",
    ]


def test_many_kinds_of_errors_are_counted():
    errors = [failure(row, f"Error{row}") for row in range(5)]
    assert list(most_frequent(group(errors)))[-1] == "  and 2 more kinds of errors"


def test_an_error_of_which_nothing_is_known_is_counted_too():
    assert list(most_frequent(group([Failure(0, "1-0", {})]))) == [
        "  1 row: an error of unknown type"
    ]


@pytest.mark.parametrize(
    ("raw", "line"), [(b"a\nb\n\n  \n", "b"), (b"", ""), (b"\xff\n", "\ufffd")]
)
def test_the_last_line_of_a_log(tmp_path, raw, line):
    (tmp_path / "log").write_bytes(raw)
    assert last_line(tmp_path / "log") == line


def test_a_log_that_is_not_there_has_no_last_line(tmp_path):
    assert last_line(tmp_path / "none") == ""


@pytest.mark.parametrize("kind", ["TaskError", "WorkdirError", "DamagedError"])
def test_psyruns_own_errors_are_told_without_the_name_of_their_class(kind: str) -> None:
    assert in_a_line({"type": kind, "message": "cannot write out/1-1.jnl"}).startswith("cannot")
    assert in_a_line({"type": f"mine.{kind}", "message": "no"}) == f"mine.{kind}: no"
