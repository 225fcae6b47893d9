"""Own the canonical form of source code, in which only what can change a result counts.

Knows Python's syntax trees, and nothing of files and tasks. The form is our own, so that it is
the same under every version of Python: fields that are empty are left out, and so are comments,
layout, docstrings and type comments.
"""

import ast
import hashlib
from collections.abc import Iterable

_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def canonical(node: ast.AST) -> str:
    """Write a syntax tree in the canonical form."""
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    parts = []
    for name, value in ast.iter_fields(node):
        if name in _IGNORED_FIELDS or value is None:
            continue
        if isinstance(value, list):
            items = [item for item in value if not does_nothing(item)]
            if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty pieces
                items = [item for item in items if not _is_empty_text(item)]
            if not items:
                continue
            text = "[" + ",".join(_item(item) for item in items) + "]"
        else:
            text = _item(value)
        parts.append(f"{name}={text}")
    return f"{type(node).__name__}({','.join(parts)})"


def _constant(value: object) -> str:
    """Write a constant; in ASCII, as which characters `repr` shows depends on the version."""
    text = hex(value) if type(value) is int else ascii(value)
    return f"{type(value).__name__}:{text}"


def _is_empty_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _item(value: object) -> str:
    return canonical(value) if isinstance(value, ast.AST) else ascii(value)


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
