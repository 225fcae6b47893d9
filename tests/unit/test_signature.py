from __future__ import annotations

import functools
from typing import Any

import pytest

from psyrun.signature import bind, call_each, check_call, positional_order, takes


def plain(a, b, c=3):
    return (a, b, c)


def keywords(**kwargs):
    return kwargs


def by_position(a, /, b):
    return (a, b)


def by_name(*, a, b):
    return (a, b)


@functools.wraps(plain)
def decorated(**kwargs):
    return plain(**kwargs)


class Model:
    def __init__(self, a, b=2):
        self.values = (a, b)

    def method(self, a, b):
        return (a, b)

    def __call__(self, b, a):
        return (a, b)


@pytest.mark.parametrize(
    ("fn", "names", "order"),
    [
        (plain, ["b", "a"], ["a", "b"]),
        (plain, ["c", "b", "a"], ["a", "b", "c"]),
        (plain, ["a", "c"], None),
        (plain, ["a"], ["a"]),
        (plain, ["a", "x"], None),
        (keywords, ["a"], None),
        (by_position, ["a", "b"], None),
        (by_name, ["a", "b"], None),
        (decorated, ["a", "b"], None),
        (Model, ["a", "b"], ["a", "b"]),
        (Model(1).method, ["a", "b"], ["a", "b"]),
        (Model(1), ["a", "b"], ["b", "a"]),
        (functools.partial(plain, c=1), ["a", "b"], ["a", "b"]),
        (functools.partial(plain, a=1), ["b", "c"], None),
        (lambda a, *args: a, ["a"], ["a"]),
        (plain, [], []),
    ],
)
def test_positional_order(fn, names, order):
    assert positional_order(fn, names) == order


def test_positional_order_does_not_trust_a_claimed_signature():
    import inspect

    def claimed(**kwargs):
        return kwargs

    claimed.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]
    assert positional_order(claimed, ["a", "b"]) is None
    assert bind(claimed, ["a", "b"])(1, 2) == {"a": 1, "b": 2}


def test_bind_returns_the_function_itself_where_the_order_fits():
    assert bind(plain, ["a", "b"]) is plain
    assert bind(plain, ["a", "b", "c"]) is plain


@pytest.mark.parametrize("fn", [plain, by_name, Model(1), Model(1).method, decorated])
def test_bind_calls_by_the_meaning_of_names(fn):
    assert bind(fn, ["b", "a"])(2, 1)[:2] == (1, 2)


def test_bind_passes_names_that_are_no_identifiers():
    assert bind(keywords, ["root.a", "self", "fn"])(1, 2, 3) == {
        "root.a": 1,
        "self": 2,
        "fn": 3,
    }


@pytest.mark.parametrize(
    ("fn", "names"),
    [
        (plain, ["a", "b"]),
        (plain, ["c", "b", "a"]),
        (keywords, ["anything"]),
        (by_name, ["a", "b"]),
        (decorated, ["a", "b"]),
        (Model(1), ["a", "b"]),
        (dict, ["a", "b"]),
        (max, ["a", "b"]),
    ],
)
def test_check_call_is_content(fn, names):
    assert check_call(fn, names) is None


@pytest.mark.parametrize(
    ("fn", "names", "sentence"),
    [
        (plain, ["a"], "plain() needs 'b', which the parameter space lacks"),
        (plain, ["a", "b", "x"], "plain() does not take 'x'"),
        (
            plain,
            ["x", "y"],
            (
                "plain() needs 'a', 'b', which the parameter space lacks, "
                "and does not take 'x', 'y'"
            ),
        ),
        (by_position, ["a", "b"], "by_position() takes 'a' by position only (mind the '/')"),
        (Model(1), ["a"], "Model() needs 'b', which the parameter space lacks"),
    ],
)
def test_check_call_names_what_is_wrong(fn, names, sentence):
    assert check_call(fn, names) == sentence


@pytest.mark.parametrize(
    ("fn", "taken"),
    [(plain, ["b", "a"]), (keywords, ["b", "x", "a"]), (by_position, ["b"]), (max, None)],
)
def test_takes(fn: Any, taken):
    assert takes(fn, ["b", "x", "a"]) == (taken or ["b", "x", "a"])


@pytest.mark.parametrize("fn", [plain, by_name, Model(1), Model(1).method, decorated])
def test_call_each_calls_row_by_row_by_the_meaning_of_names(fn):
    results = list(call_each(fn, {"b": [2, 4], "a": [1, 3]}))
    assert [result[:2] for result in results] == [(1, 2), (3, 4)]


def test_call_each_waits_until_a_value_is_asked_for():
    called = []

    def noting(a, b):
        called.append(a)

    results = call_each(noting, {"a": [1, 2], "b": [3, 4]})
    assert called == []
    next(results)
    assert called == [1]
