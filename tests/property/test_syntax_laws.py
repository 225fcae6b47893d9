"""Whoever edits code: layout never counts, and anything else always does."""

import ast

from hypothesis import assume, given
from hypothesis import strategies as st

from psyrun import syntax

NAMES = st.sampled_from(["a", "b", "TABLE", "helper"])
CONSTANTS = (
    (
        st.integers(0, 3)
        | st.booleans()
        | st.none()
        | st.sampled_from(
            [0.0, 1.0, 1j, "", "1", "a", "'", "\\", "\n", "\ud800", b"", b"a", ...]
        )
    )
    .map(repr)
    .map(lambda text: text.replace("Ellipsis", "..."))
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map("({0[0]}, {0[1]})".format),
        pairs.map("[{0[0]}, {0[1]}]".format),
        pairs.map("{{{0[0]}: {0[1]}}}".format),
        pairs.map("({0[0]} + {0[1]})".format),
        pairs.map("({0[0]} - {0[1]})".format),
        pairs.map("({0[0]} < {0[1]})".format),
        pairs.map("({0[0]} and {0[1]})".format),
        pairs.map("({0[0]} or {0[1]})".format),
        pairs.map("a[{0[0]}:{0[1]}]".format),
        inner.map("a[{}:]".format),
        inner.map("a[:{}]".format),
        inner.map("(not {})".format),
        inner.map("(-{})".format),
        inner.map("f({})".format),
        inner.map("f(*{})".format),
        inner.map("f(k={})".format),
        inner.map("(lambda a: {})".format),
        inner.map("(lambda b: {})".format),
        inner.map("[a for a in {}]".format),
        inner.map("[b for a in {}]".format),
        inner.map("({}).real".format),
        st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} else {0[2]})".format),
    )


EXPRESSIONS = st.recursive(CONSTANTS | NAMES, grown, max_leaves=6)
SIMPLE = st.one_of(
    st.tuples(NAMES, EXPRESSIONS).map("{0[0]} = {0[1]}".format),
    st.tuples(NAMES, EXPRESSIONS).map("{0[0]} += {0[1]}".format),
    EXPRESSIONS.map("TABLE[{}] = 1".format),
    EXPRESSIONS.map("helper({})".format),
    EXPRESSIONS.map("return_value = {}".format),
    st.sampled_from(["del a", "import helper", "from helper import a", "import a as helper"]),
)


def indented(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


BODIES = st.lists(SIMPLE, min_size=1, max_size=3).map(indented)
STATEMENTS = st.one_of(
    SIMPLE.map("{}\n".format),
    st.tuples(NAMES, BODIES).map("def {0[0]}(a, b=1):\n{0[1]}".format),
    st.tuples(NAMES, BODIES).map("class {0[0]}:\n{0[1]}".format),
    st.tuples(EXPRESSIONS, BODIES).map("if {0[0]}:\n{0[1]}".format),
    st.tuples(EXPRESSIONS, BODIES).map("for a in {0[0]}:\n{0[1]}".format),
)
MODULES = st.lists(STATEMENTS, min_size=1, max_size=4)


def form(source: str) -> str:
    return syntax.canonical(ast.parse(source))


def dumped(source: str) -> str:
    """Say what a source means, by the standard library's own account."""
    return ast.dump(ast.parse(source))


@given(MODULES, st.data())
def test_comments_and_layout_never_count(statements, data):
    laid_out = ""
    for statement in statements:
        laid_out += data.draw(st.sampled_from(["", "\n\n", "# a comment\n", "    # odd\n"]))
        for line in statement.splitlines():
            laid_out += line + data.draw(st.sampled_from(["", "  ", "  # why"])) + "\n"
    assert form(laid_out) == form("".join(statements))


@given(MODULES)
def test_writing_the_tree_out_again_never_counts(statements):
    source = "".join(statements)
    assert form(ast.unparse(ast.parse(source))) == form(source)


@given(STATEMENTS, STATEMENTS)
def test_one_statement_differs_exactly_if_its_tree_does(one, other):
    assert (form(one) == form(other)) == (dumped(one) == dumped(other))


@given(MODULES, STATEMENTS, st.data())
def test_a_statement_exchanged_counts(statements, new, data):
    place = data.draw(st.integers(0, len(statements) - 1))
    assume(dumped(statements[place]) != dumped(new))
    edited = [*statements[:place], new, *statements[place + 1 :]]
    assert form("".join(statements)) != form("".join(edited))


@given(MODULES, STATEMENTS, st.data())
def test_a_statement_more_counts(statements, new, data):
    place = data.draw(st.integers(0, len(statements)))
    edited = [*statements[:place], new, *statements[place:]]
    assert form("".join(statements)) != form("".join(edited))


@given(MODULES, st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_docstring_never_counts(statements, text):
    assume(not statements[0].startswith(("'", '"')))
    assert form(f"{text!r}\n{''.join(statements)}") == form("".join(statements))


@given(MODULES, st.data())
def test_a_statement_that_does_nothing_never_counts(statements, data):
    place = data.draw(st.integers(0, len(statements)))
    nothing = data.draw(st.sampled_from(["pass\n", "...\n", "'a text'\n", "0\n"]))
    edited = [*statements[:place], nothing, *statements[place:]]
    assert form("".join(statements)) == form("".join(edited))
