"""Conditions: what they mean on columns of any kind, and what is refused with which words."""

import contextlib
import datetime as dt
import math

import numpy as np
import pytest

from psyrun.exceptions import StoreError
from psyrun.store import NpzStore, PickleStore, search
from psyrun.store.base import LoadedReader
from psyrun.store.query import parse_query

NAN = math.nan
COLUMNS = {
    "a": [1, 2, 3, 4],
    "y": [0.5, NAN, -1.5, math.inf],
    "flag": [True, False, True, False],
    "other": [True, True, False, False],
    "name": ["x", "é", "", "日本"],
    "gappy": ["x", NAN, "y", "x"],
    "raw": [b"a", b"a\0", b"", b"b"],
    "z": [1j, 2 + 0j, 0j, 3 + 4j],
    "day": [dt.date(2024, 1, 1), dt.date(2024, 1, 2), NAN, dt.date(2025, 1, 1)],
    "took": [dt.timedelta(seconds=1), dt.timedelta(minutes=1), NAN, dt.timedelta(0)],
    "root.a": [0, 1, 0, 1],
    "tick`ed": [0, 1, 1, 1],
    "lambda": [5, 5, 6, 6],
    "µ": [1, 2, 1, 2],
    "日": [9, 8, 7, 6],
    "": [0, 0, 0, 1],
    "array": [[1], [2], [3], [4]],
    "big": [2**63, 2**63 + 1, 0, 1],
    "objects": [{}, {}, {}, {}],
}


@pytest.fixture
def reader():
    return LoadedReader(COLUMNS)


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("a > 2", [2, 3]),
        ("2 < a", [2, 3]),
        ("1 < a <= 3", [1, 2]),
        ("1 < a < 4 > a", [1, 2]),
        ("a == 2 or a == 4", [1, 3]),
        ("(a > 1) & (y < 0.1)", [2]),
        ("(a < 2) | (y < 0.1)", [0, 2]),
        ("~(a > 2)", [0, 1]),
        ("not a > 2", [0, 1]),
        ("a in (1, 4)", [0, 3]),
        ("a not in [1, 4]", [1, 2]),
        ("a % 2 == 0", [1, 3]),
        ("a // 2 == 1", [1, 2]),
        ("a / 2 == 1.5", [2]),
        ("a ** 2 == 16", [3]),
        ("a ** -1 == 0.5", [1]),
        ("-a < -3", [3]),
        ("+a > 3", [3]),
        ("a - 1 + 2 * a == 5", [1]),
        ("a % (a - 2) == 0", [0, 2, 3]),
        ("y < 0.1", [2]),
        ("y != y", [1]),
        ("y != 0.5", [1, 2, 3]),
        ("not y < 0.1", [0, 1, 3]),
        ("isnan(y)", [1]),
        ("isfinite(y)", [0, 2]),
        ("y == inf", [3]),
        ("y == nan", []),
        ("a > pi", [3]),
        ("abs(y) == 1.5", [2]),
        ("sqrt(a) == 2", [3]),
        ("where(flag, a, 0) > 0", [0, 2]),
        ("maximum(a, 3) == 3", [0, 1, 2]),
        ("flag", [0, 2]),
        ("~flag", [1, 3]),
        ("flag & other", [0]),
        ("flag and other", [0]),
        ("flag == other", [0, 3]),
        ("flag == True", [0, 2]),
        ("(flag & other) == True", [0]),
        ("(\nflag\r\n& other ) == (name\r== 'x')", [0, 1, 2, 3]),
        ("flag + a > 3", [2, 3]),
        ("name == 'é'", [1]),
        ("name == ''", [2]),
        ("name > 'y'", [1, 3]),
        ("name in ['x', '日本']", [0, 3]),
        ("name == gappy", [0]),
        ("gappy == ''", [1]),
        ("raw == b'a'", [0]),
        (r"raw == b'a\0'", [1]),
        ("raw >= b'a'", [0, 1, 3]),
        ("z == 2", [1]),
        ("abs(z) == 5", [3]),
        ("real(z) > 1", [1, 3]),
        ("z * z == -1", [0]),
        ("day < '2024-01-02'", [0]),
        ("'2024-01-01' < day", [1, 3]),
        ("day >= '2024-01-01T12:00'", [1, 3]),
        ("day != '2024-01-01'", [1, 2, 3]),
        ("took > '2 s'", [1]),
        ("took <= '1000 ms'", [0, 3]),
        ("`root.a` == 1", [1, 3]),
        ("`tick``ed` == 0", [0]),
        ("`lambda` == 6", [2, 3]),
        ("`` == 1", [3]),
        ("µ == 1", [0, 2]),
        ("日 > 7", [0, 1]),
        ("name == '`'", []),
        ("big > 2**62", [0, 1]),
        ("big == 9223372036854775809", [1]),
        ("True", [0, 1, 2, 3]),
        ("1 > 2", []),
        ("  a > 3  ", [3]),
        ("9**9**9 > a", [0, 1, 2, 3]),
    ],
)
def test_rows_are_found(reader, expression, rows):
    found = reader.where(expression)
    assert found.dtype == np.int64
    assert found.tolist() == rows


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a > 3 & y < 1", r"here '3 & y'.*parentheses.*'and'"),
        ("a > 3 | y < 1", r"here '3 \| y'.*parentheses.*'or'"),
        ("(a > 3) & y < 1", r"here '\(a > 3\) & y'"),
        ("(flag & other) and flag & other < 3", "here 'flag & other'"),
        ("(flag & other) and (\r\n'é' == name\r) and flag & other < 3", "here 'flag & other'"),
        ("a & y", "'a': a number, where something true or false"),
        ("a and flag", "'a': a number, where something true or false"),
        ("not a", "'a': a number"),
        ("~a > 3", "'a': a number"),
        ("a", "'a': a number"),
        ("name", "'name': a text"),
        ("b > 3", r"no column 'b'.*The columns are: a, y, flag"),
        ("rwa == b'x'", "no column 'rwa'; did you mean 'raw'?"),
        ("`root.b` > 3", "no column 'root.b'; did you mean 'root.a'?"),
        ("root.a > 3", r"'root\.a' is nothing that conditions are made of"),
        ("a[0] > 3", r"'a\[0\]' is nothing"),
        ("eval('a') > 3", "no function 'eval'; there are abs, "),
        ("a.max() > 3", r"no function 'a\.max'"),
        ("__import__('os').system('ls')", "no function"),
        ("(lambda: a)() > 3", "no function"),
        ("[a for a in (1, 2)]", "is nothing that conditions are made of"),
        ("(a := 3) > 2", "is nothing"),
        ("f'{a}' == 'x'", "is nothing"),
        ("a if flag else y", "is nothing"),
        ("a is None", "'is'"),
        ("a == None", "'None' is no number, text or bytes"),
        ("a == ...", "is no number"),
        ("a ^ 3 > 1", "operator that conditions lack"),
        ("a in 3", "takes a list"),
        ("a in []", "takes a list"),
        ("a == [1]", "is nothing"),
        ("sin(a, a) > 0", "sin takes 1"),
        ("sin(x=a) > 0", "sin takes 1"),
        ("a = 3", "equal is =="),
        ("a >", "invalid syntax; a condition looks like x > 1 and y > 1"),
        ("", "invalid syntax; a condition looks like x > 1 and y > 1"),
        ("a > 1 && a < 3", "write 'and' for &&, as in x > 1 and y > 1"),
        ("a > 1 || a < 3", "write 'or' for ||, as in x > 1 or y > 1"),
        ("a == '&&' b", "a condition looks like x > 1 and y > 1"),
        ("a > 3 b", "after 'a > "),
        ("a > 3\0", "null"),
        ("name > 3", "a text is never compared with a number"),
        ("name == b'x'", "a text is never compared with a bytes"),
        ("name + 'x' == 'xx'", "'name': a text, where a number"),
        ("-name == 'x'", "where a number"),
        ("z > 3", "complex numbers have no order"),
        ("z % 2 == 0", "no remainder"),
        ("sin(z) == 0", "'z': a complex number"),
        ("day > 3", "a date is never compared with a number"),
        ("day > 'soon'", "no date such as"),
        ("day > '2024-01-01T00:00Z'", "no date such as"),
        ("took > '5'", "a number and a unit"),
        ("day > name", "a date is never compared with a text"),
        ("where(a, 1, 2) > 0", "'a': a number, where something true"),
        ("where(flag, 1, 'x') == 1", "two kinds"),
        ("array > 1", r"'array': a row has an array of shape \(1,\)"),
        ("objects == 1", "'objects': it has a value of type dict"),
        ("a > 99999999999999999999", "beyond 64 bits"),
        (r"name == 'x\0'", "ends in NUL"),
        ("-" * 300 + "a > 3", "nested more than 200 deep"),
        ("(" * 5000 + "a" + ")" * 5000, "condition"),
        ("-" * 100_000 + "a > 3", "condition"),
    ],
)
def test_what_is_no_condition_is_refused(reader, expression, words):
    with pytest.raises(StoreError, match=words):
        reader.where(expression)


@pytest.mark.parametrize("expression", ["3 is 3", "a == 1if flag else 0", r"name == '\d'"])
def test_what_python_warns_of_is_no_warning_here(reader, expression):
    with contextlib.suppress(StoreError):
        reader.where(expression)


def test_columns_of_a_condition_are_told():
    assert parse_query("a > 3 and b < a", ["a", "b", "c"]).names == ("a", "b")


def test_no_columns_are_told():
    with pytest.raises(StoreError, match="The columns are: none"):
        parse_query("a > 3", [])


def test_columns_called_like_constants_go_first():
    assert LoadedReader({"pi": [1, 2]}).where("pi == 1").tolist() == [0]


def test_what_is_refused_is_refused_without_rows():
    with pytest.raises(StoreError, match="never compared"):
        LoadedReader({"a": [], "name": np.empty(0, "U1")}).where("a > name")


def test_columns_that_a_condition_does_not_name_may_be_anything(reader):
    assert reader.where("a > 3").tolist() == [3]


def test_rows_are_searched_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "BLOCK_BYTES", 64)
    NpzStore().save(tmp_path / "r.npz", {"a": np.arange(100), "b": np.arange(100.0)})
    with NpzStore().open(tmp_path / "r.npz") as opened:
        asked, read = [], opened.read

        def recorded(name, start, stop):
            asked.append((start, stop))
            return read(name, start, stop)

        monkeypatch.setattr(opened, "read", recorded)
        assert opened.where("a % 10 == 3").tolist() == list(range(3, 100, 10))
    assert asked == [(start, min(start + 8, 100)) for start in range(0, 100, 8)]


def test_small_numbers_do_not_wrap(tmp_path):
    PickleStore().save(tmp_path / "r.pkl", {"a": list(np.array([100, 1], np.int8))})
    with PickleStore().open(tmp_path / "r.pkl") as opened:
        assert opened.where("a * 1000 > 2000").tolist() == [0]
