"""Own the canonical form of source code, in which only what can change a result counts.

Knows Python's syntax trees, and nothing of files and tasks. The form is our own, so that it is
the same under every version of Python: fields that are empty are left out, and so are comments,
layout, docstrings and type comments.
"""

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator

_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_IDENTIFIERS = frozenset({"arg", "asname", "attr", "id", "name", "names", "rest"})
"""Fields that hold names, of which those that are private to a class are called otherwise."""

_PRIVATE = re.compile(rb"\b__(?!\w*__\b)")


def parse(source: bytes) -> ast.Module:
    """Parse a module; private names of classes come out as Python calls them.

    Raises
    ------
    SyntaxError
        If it is no Python source, whatever is wrong with it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for who runs the code
            tree = ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as err:
        raise SyntaxError(str(err)) from err
    if _PRIVATE.search(source):
        _mangle(tree)
    return tree


def _mangle(tree: ast.Module) -> None:
    """Call the names `__x` that occur in a class `_Class__x`, as Python does."""
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, around = todo.pop()
        inside = node.name.lstrip("_") if isinstance(node, ast.ClassDef) else around
        for name, value in ast.iter_fields(node):
            if around and name in _IDENTIFIERS:
                setattr(node, name, _mangled(value, around))
            where = inside if name == "body" else around
            items = value if isinstance(value, list) else [value]
            todo += [(item, where) for item in items if isinstance(item, ast.AST)]


def _mangled(value: object, around: str) -> object:
    """Mangle a name, or a list of names; modules, and names that end in `__`, stay."""
    if isinstance(value, list):
        return [_mangled(item, around) for item in value]
    if not isinstance(value, str) or not value.startswith("__"):
        return value
    return value if value.endswith("__") or "." in value else f"_{around}{value}"


def canonical(node: ast.AST) -> str:
    """Write a syntax tree in the canonical form."""
    parts: list[str] = []
    todo: list[ast.AST | str] = [node]  # no recursion: a chain of `+` can be thousands deep
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            parts.append(one)
        elif isinstance(one, ast.Constant):
            parts.append(_constant(one.value))
        else:
            parts.append(type(one).__name__)
            todo += reversed(["(", *_fields(one), ")"])
    return "".join(parts)


def _fields(node: ast.AST) -> Iterator[ast.AST | str]:
    """Yield what is written between the brackets of a node."""
    for name in node._fields:
        value = getattr(node, name, None)
        if name in _IGNORED_FIELDS or value is None:
            continue
        if not isinstance(value, list):
            yield f"{name}="
            yield value if isinstance(value, ast.AST) else ascii(value)
            continue
        items = [item for item in value if not does_nothing(item)]
        if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty pieces
            items = [item for item in items if not _is_empty_text(item)]
        if items:
            yield f"{name}=["
            for item in items:
                yield item if isinstance(item, ast.AST) else ascii(item)
                yield ","
            yield "]"


def _constant(value: object) -> str:
    """Write a constant; in ASCII, as which characters `repr` shows depends on the version."""
    text = hex(value) if type(value) is int else ascii(value)
    return f"{type(value).__name__}:{text}"


def _is_empty_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def does_nothing(node: ast.AST) -> bool:
    """Tell whether a statement has no effect: `pass`, a docstring, any constant alone."""
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def digest(texts: Iterable[str]) -> str:
    """Digest some texts, each apart from the next."""
    state = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()[:32]
