"""Own the canonical form of source code, in which only what can change a result counts.

Knows Python's syntax trees, and nothing of files and tasks. The form is our own, so that it is
the same under every version of Python: fields that are empty are left out, and so are comments,
layout, docstrings and type comments.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable, Mapping

_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_WITH_DOCSTRING = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def canonical(node: ast.AST) -> str:
    """Write a syntax tree in the canonical form."""
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    parts = []
    for name, value in ast.iter_fields(node):
        if name in _IGNORED_FIELDS or value is None or value == []:
            continue
        if isinstance(value, list):
            items = value
            if name == "body" and isinstance(node, _WITH_DOCSTRING):
                items = without_docstring(value)
            text = "[" + ",".join(_item(item) for item in items) + "]"
        else:
            text = _item(value)
        parts.append(f"{name}={text}")
    return f"{type(node).__name__}({','.join(parts)})"


def _item(value: object) -> str:
    return canonical(value) if isinstance(value, ast.AST) else repr(value)


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Drop a leading string from the statements of a module, function or class."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:] if isinstance(first.value.value, str) else body
    return body


def parts_of(source: bytes, ignored: Collection[str] = ()) -> dict[str, str]:
    """Digest a module's top-level statements by what they define.

    Parameters
    ----------
    source : bytes
        Python source code.
    ignored : collection of str
        Names whose plain assignments don't count, such as a task's settings.

    Returns
    -------
    dict
        The digest of each function, class or assigned name; all other statements together
        under the empty name.

    Raises
    ------
    SyntaxError
        If it is no Python source.
    """
    texts: dict[str, list[str]] = {}
    for node in without_docstring(ast.parse(source).body):
        name = _defined_name(node)
        if name not in ignored or not isinstance(node, ast.Assign | ast.AnnAssign):
            texts.setdefault(name, []).append(canonical(node))
    return {name: digest(items) for name, items in texts.items()}


def _defined_name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def digest(texts: Iterable[str]) -> str:
    """Digest some texts, each apart from the next."""
    state = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()[:32]


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Name what differs between two digested codes, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
