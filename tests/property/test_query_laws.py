"""A condition finds, in every format, the rows for which Python says that it holds."""

import operator
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyrun.exceptions import StoreError
from psyrun.store import H5Store, NpzStore, PickleStore, arraycolumns, h5index
from psyrun.store.base import LoadedReader
from tests.property.examples import examples

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-5, 5),
    "f": st.integers(-9, 9).map(lambda n: n / 4) | st.sampled_from([np.nan, np.inf, -np.inf]),
    "root.b": st.booleans(),
    "t": st.text(st.sampled_from("aé日\x7f\U0001f600\0"), max_size=3).filter(
        lambda value: value[-1:] != "\0"
    ),
    "raw": st.binary(max_size=3).filter(lambda value: value[-1:] != b"\0"),
}
STORES = {
    "r.pkl": PickleStore(),
    "r.npz": NpzStore(),
    "columns.h5": H5Store(),
    "table.h5": H5Store(layout="table"),
    "index.h5": H5Store(layout="table", index=list(COLUMNS)),
}
SIGNS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass
class Said:
    """An expression, and what it comes to for a row by Python."""

    text: str
    of: Callable[[dict[str, Any]], Any]


def column(name: str) -> Said:
    return Said(f"`{name}`", lambda row: row[name])


def constant(value: Any) -> Said:
    return Said({"nan": "nan", "inf": "inf"}.get(repr(value), repr(value)), lambda _: value)


def of_two(sign: str, of: Callable[[Any, Any], Any]) -> Callable[[tuple[Said, Said]], Said]:
    return lambda pair: Said(
        f"({pair[0].text} {sign} {pair[1].text})",
        lambda row: of(pair[0].of(row), pair[1].of(row)),
    )


def negative(part: Said) -> Said:
    return Said(f"-{part.text}", lambda row: -part.of(row))


def magnitude(part: Said) -> Said:
    return Said(f"abs({part.text})", lambda row: abs(part.of(row)))


def opposite(part: Said) -> Said:
    return Said(f"(not {part.text})", lambda row: not part.of(row))


def inverse(part: Said) -> Said:
    return Said(f"(~{part.text})", lambda row: not part.of(row))


def chain(parts: tuple[Said, str, Said, str, Said]) -> Said:
    one, first, two, second, three = parts
    return Said(
        f"({one.text} {first} {two.text} {second} {three.text})",
        lambda row: (
            SIGNS[first](one.of(row), two.of(row)) and SIGNS[second](two.of(row), three.of(row))
        ),
    )


def among(parts: tuple[Said, list[Said]]) -> Said:
    one, others = parts
    listed = ", ".join(other.text for other in others)
    return Said(
        f"({one.text} in [{listed}])",
        lambda row: any(one.of(row) == other.of(row) for other in others),
    )


def compared(values: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    signs = st.sampled_from(sorted(SIGNS))
    return st.one_of(
        *(st.tuples(values, values).map(of_two(sign, of)) for sign, of in SIGNS.items()),
        st.tuples(values, signs, values, signs, values).map(chain),
        st.tuples(values, st.lists(values, min_size=1, max_size=3)).map(among),
    )


def numbers_of(parts: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    signs = {"+": operator.add, "-": operator.sub, "*": operator.mul}
    pairs = (st.tuples(parts, parts).map(of_two(sign, of)) for sign, of in signs.items())
    return st.one_of(parts.map(negative), parts.map(magnitude), *pairs)


def conditions_of(parts: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    both = {"and": "and", "&": "and", "or": "or", "|": "or"}
    logic = {"and": lambda a, b: a and b, "or": lambda a, b: a or b}
    pairs = (st.tuples(parts, parts).map(of_two(sign, logic[w])) for sign, w in both.items())
    return st.one_of(parts.map(opposite), parts.map(inverse), *pairs)


def simple(*names: str) -> st.SearchStrategy[Said]:
    return st.one_of(*(st.just(column(name)) | COLUMNS[name].map(constant) for name in names))


NUMBERS = simple("i", "f", "i", "f", "root.b") | st.recursive(
    simple("i", "f"), numbers_of, max_leaves=4
)
CONDITIONS = st.recursive(
    compared(NUMBERS)
    | compared(simple("t"))
    | compared(simple("raw"))
    | st.just(column("root.b")),
    conditions_of,
    max_leaves=5,
)
ROWS = st.lists(st.fixed_dictionaries(COLUMNS), max_size=40)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """Let even these rows have indexes, and many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5index, "FEWEST_ROWS", 0)
        patch.setattr("psyrun.store.search.BLOCK_BYTES", 200)
        patch.setattr(arraycolumns, "BLOCK_BYTES", 500)
        yield


@settings(deadline=None, max_examples=examples(100))
@given(ROWS, st.lists(CONDITIONS, min_size=1, max_size=8))
def test_all_formats_find_the_rows_that_python_finds(rows, conditions):
    data = {name: [row[name] for row in rows] for name in COLUMNS}
    # without rows, nothing tells the types of columns
    empty = {name: np.empty(0, type(value)) for name, value in EXAMPLE.items()}
    expected = [[n for n, row in enumerate(rows) if said.of(row)] for said in conditions]
    with tempfile.TemporaryDirectory() as folder:
        for name, store in STORES.items():
            path = Path(folder) / name
            store.save(path, data if rows or name == "r.pkl" else empty)
            if not rows and name == "r.pkl":
                continue
            with store.open(path) as reader:
                found = [reader.where(said.text).tolist() for said in conditions]
            assert found == expected, name


EXAMPLE = {"i": 1, "f": 1.0, "root.b": True, "t": "", "raw": b""}


@given(st.text(st.sampled_from("abi`&|~<>=!()[]{}.,:'\"\\ \n0123+-*/%#") | st.characters()))
def test_any_text_is_a_condition_or_is_refused(text):
    reader = LoadedReader({"a": [1, 2], "b": [True, False], "i": [0.5, 1.5]})
    try:
        found = reader.where(text)
    except StoreError:
        return
    assert set(found.tolist()) <= {0, 1}


WORDS = [
    *"ab",
    "(",
    ")",
    "not ",
    " and ",
    " or ",
    "&",
    "|",
    "~",
    "<",
    "==",
    "+",
    "-",
    "3",
    "'x'",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_a_condition_that_is_accepted_means_what_python_means(text):
    rows = [{"a": 1, "b": True}, {"a": 4, "b": False}]
    reader = LoadedReader({"a": [1, 4], "b": [True, False]})
    try:
        found = reader.where(text)
    except StoreError:
        return
    if "~" in text:  # of booleans, which Python takes for numbers here
        return
    code = compile(text.strip(), "", "eval")
    expected = [n for n, row in enumerate(rows) if eval(code, {}, dict(row))]
    assert found.tolist() == expected
