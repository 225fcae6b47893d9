"""Own the language of conditions on rows: its syntax and its refusals; evaluates nothing.

A condition is read as a Python expression, and becomes a tree of the few kinds of nodes that
conditions are made of. Whatever else stands in it is refused, and nothing is ever executed.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psyrun.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["ARITY", "Node", "Query", "parse_query"]

_ONE = (
    "abs sqrt exp expm1 log log2 log10 log1p floor ceil sin cos tan arcsin arccos arctan sinh "
    "cosh tanh arcsinh arccosh arctanh isnan isinf isfinite real imag"
)
ARITY = {
    **dict.fromkeys(_ONE.split(), 1),
    "arctan2": 2,
    "minimum": 2,
    "maximum": 2,
    "where": 3,
}
"""The functions, and how many arguments they take."""

_CONSTANTS = {"nan": math.nan, "inf": math.inf, "pi": math.pi}
_DEPTH = 200
_COMPARISONS: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ARITHMETIC: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_LOGIC: dict[type, str] = {ast.And: "and", ast.Or: "or", ast.BitAnd: "and", ast.BitOr: "or"}
_UNARY: dict[type, str] = {
    ast.Not: "not",
    ast.Invert: "not",
    ast.USub: "negative",
    ast.UAdd: "positive",
}
_LITERALS = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`(?P<name>(?:``|[^`])*)`""", re.DOTALL
)


@dataclass(frozen=True)
class Node:
    """A part of a condition.

    Attributes
    ----------
    kind : str
        'constant', 'column', 'and', 'or', 'not', 'compare', 'arithmetic', 'negative',
        'positive' or 'call'.
    text : str
        As the user wrote it.
    what : Any
        The constant, or the name of the column, operator or function.
    parts : tuple of Node
        What it is made of.
    """

    kind: str
    text: str
    what: Any = None
    parts: tuple[Node, ...] = ()

    def columns(self) -> Iterator[str]:
        """Yield the columns that occur, some more than once."""
        if self.kind == "column":
            yield self.what
        for part in self.parts:
            yield from part.columns()


@dataclass(frozen=True)
class Query:
    """A condition that was read.

    Attributes
    ----------
    expression : str
        As the user wrote it.
    root : Node
        The whole condition.
    names : tuple of str
        The columns that occur.
    """

    expression: str
    root: Node
    names: tuple[str, ...]


def parse_query(expression: str, names: Iterable[str]) -> Query:
    """Read a condition on the columns of a result.

    Parameters
    ----------
    expression : str
        A Python expression of column names, numbers, texts, bytes, True and False;
        comparisons, also chained, and `in` a list; `and`, `or`, `not`, or `&`, `|`, `~` with
        parentheses around comparisons; `+ - * / // % **`; and the functions of `ARITY`. A name
        that is no identifier stands between backticks, and a backtick in it twice. `nan`,
        `inf` and `pi` are numbers, where no column has that name.
    names : iterable of str
        The columns there are.

    Raises
    ------
    StoreError
        If it is anything else; the message says what, and where.

    Examples
    --------
    >>> parse_query("0 < a < 3 and `root.b` == 'x'", ["a", "root.b"]).names
    ('a', 'root.b')
    """
    text, quoted = _unquoted(expression.strip())
    reading = _Reading(text, quoted, list(names))
    root = reading.node(_parsed(text, reading), 0)
    return Query(expression, root, tuple(dict.fromkeys(root.columns())))


def _unquoted(expression: str) -> tuple[str, dict[str, str]]:
    """Put an identifier of its own for each name between backticks."""
    stem = "q_"
    while stem in expression:
        stem += "_"
    quoted: dict[str, str] = {}

    def identifier(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        word = f"{stem}{len(quoted)}_"
        quoted[word] = found["name"].replace("``", "`")
        return word

    return _LITERALS.sub(identifier, expression), quoted


def _parsed(text: str, reading: _Reading) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except SyntaxError as err:
        before = reading.restored(text[: max((err.offset or 1) - 1, 0)])
        where = f" after {before!r}" if before else ""
        raise reading.refusal(f"{err.msg}{where}{_slip(text)}") from err
    except (ValueError, RecursionError, MemoryError) as err:
        raise reading.refusal(f"it is no expression ({err})") from err


def _slip(text: str) -> str:
    """Say what somebody may have meant whose condition is no Python."""
    bare = _LITERALS.sub("", text)
    for sign, word in (("&&", "and"), ("||", "or")):
        if sign in bare:
            return f"; write {word!r} for {sign}, as in x > 1 {word} y > 1"
    if re.search(r"(?<![=!<>])=(?!=)", bare):
        return "; equal is =="
    return "; a condition looks like x > 1 and y > 1"


class _Reading:
    """Turn a syntax tree of Python into nodes, and refuse what is no condition."""

    def __init__(self, text: str, quoted: dict[str, str], names: Sequence[str]) -> None:
        self.text, self.quoted, self.names = text, quoted, names

    def restored(self, text: str) -> str:
        """Put back the names between backticks."""
        for word, name in self.quoted.items():
            text = text.replace(word, "`" + name.replace("`", "``") + "`")
        return text

    def refusal(self, what: str) -> StoreError:
        """Make the error that says what is wrong."""
        return StoreError(f"condition {self.restored(self.text)!r}: {what}")

    def written(self, node: ast.AST) -> str:
        """Return what the user wrote for a node."""
        return self.restored(ast.get_source_segment(self.text, node) or "")

    def node(self, node: ast.AST, depth: int) -> Node:
        """Read one node and what is below it."""
        if depth > _DEPTH:
            raise self.refusal(f"nested more than {_DEPTH} deep")
        text, below = self.written(node), depth + 1
        match node:
            case ast.Constant(value=value):
                return Node("constant", text, self._constant(value, text))
            case ast.Name():
                return self._name(node, text)
            case ast.BoolOp(op=logic, values=values):
                parts = tuple(self.node(value, below) for value in values)
                return Node(_LOGIC[type(logic)], text, None, parts)
            case ast.UnaryOp(op=unary, operand=operand):
                return Node(_UNARY[type(unary)], text, None, (self.node(operand, below),))
        for kind, read in _READ.items():
            if isinstance(node, kind):
                return read(self, node, text, below)
        raise self.refusal(f"{text!r} is nothing that conditions are made of")

    def _constant(self, value: object, text: str) -> object:
        if not isinstance(value, (bool, int, float, complex, str, bytes)):
            raise self.refusal(f"{text!r} is no number, text or bytes")
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise self.refusal(f"{text} is beyond 64 bits")
        if isinstance(value, str) and value[-1:] == "\0":
            raise self.refusal(f"{text} ends in NUL, which no text in a result does")
        return value

    def _name(self, node: ast.Name, text: str) -> Node:
        # Python normalizes identifiers, but a column's name is as the user spelled it
        spellings = [self.quoted[node.id]] if node.id in self.quoted else [text, node.id]
        for name in spellings:
            if name in self.names:
                return Node("column", text, name)
        if node.id in _CONSTANTS:
            return Node("constant", text, _CONSTANTS[node.id])
        return self._unknown(spellings[0])

    def _unknown(self, name: str) -> Node:
        close = difflib.get_close_matches(name, self.names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        shown = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
        raise self.refusal(f"no column {name!r}{hint} The columns are: {shown or 'none'}")

    def _binary(self, node: ast.BinOp, text: str, depth: int) -> Node:
        parts = (self.node(node.left, depth), self.node(node.right, depth))
        if type(node.op) in _LOGIC:
            return Node(_LOGIC[type(node.op)], text, None, parts)
        if type(node.op) not in _ARITHMETIC:
            raise self.refusal(f"{text!r} has an operator that conditions lack")
        return Node("arithmetic", text, _ARITHMETIC[type(node.op)], parts)

    def _compare(self, node: ast.Compare, text: str, depth: int) -> Node:
        operands = [node.left, *node.comparators]
        for operand in operands:
            self._refuse_bare_logic(operand)
        pairs = [
            self._comparison(left, operator, right, depth)
            for left, operator, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return pairs[0] if len(pairs) == 1 else Node("and", text, None, tuple(pairs))

    def _refuse_bare_logic(self, node: ast.expr) -> None:
        """Refuse `a > 3 & y < 1`, which Python reads as `a > (3 & y) < 1`."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            word, sign = ("and", "&") if isinstance(node.op, ast.BitAnd) else ("or", "|")
            before, after = self._around(node)
            if not (before.rstrip().endswith(b"(") and after.lstrip().startswith(b")")):
                raise self.refusal(
                    f"{sign} binds its neighbours first, here {self.written(node)!r}: put "
                    f"parentheses around the comparisons, or use {word!r}"
                )

    def _around(self, node: ast.expr) -> tuple[bytes, bytes]:
        """Return what stands before and behind a node."""
        lines = self.text.encode().splitlines(keepends=True)
        start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
        stop = sum(map(len, lines[: (node.end_lineno or 1) - 1])) + (node.end_col_offset or 0)
        return self.text.encode()[:start], self.text.encode()[stop:]

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Node:
        text = f"{self.written(left)} {_COMPARISONS.get(type(op), 'is')} {self.written(right)}"
        if type(op) not in _COMPARISONS:
            raise self.refusal(f"{text!r}: values are compared by == and !=, not by 'is'")
        one, sign = self.node(left, depth), _COMPARISONS[type(op)]
        if sign not in {"in", "not in"}:
            return Node("compare", text, sign, (one, self.node(right, depth)))
        if not isinstance(right, (ast.Tuple, ast.List, ast.Set)) or not right.elts:
            raise self.refusal(f"{text!r}: 'in' takes a list of values, such as ['x', 'y']")
        each = [self.node(value, depth) for value in right.elts]
        found = Node(
            "or", text, None, tuple(Node("compare", text, "==", (one, v)) for v in each)
        )
        return found if sign == "in" else Node("not", text, None, (found,))

    def _call(self, node: ast.Call, text: str, depth: int) -> Node:
        function = node.func.id if isinstance(node.func, ast.Name) else self.written(node.func)
        if function not in ARITY:
            known = ", ".join(sorted(ARITY))
            raise self.refusal(f"no function {function!r}; there are {known}")
        if node.keywords or len(node.args) != ARITY[function]:
            raise self.refusal(f"{text!r}: {function} takes {ARITY[function]} argument(s)")
        return Node("call", text, function, tuple(self.node(arg, depth) for arg in node.args))


_READ: dict[type[ast.AST], Callable[[_Reading, Any, str, int], Node]] = {
    ast.BinOp: _Reading._binary,  # noqa: SLF001 - of this module
    ast.Compare: _Reading._compare,  # noqa: SLF001
    ast.Call: _Reading._call,  # noqa: SLF001
}
