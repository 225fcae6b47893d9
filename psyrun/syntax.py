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
        return _constant(node.value)
    parts = []
    for name, value in ast.iter_fields(node):
        if name in _IGNORED_FIELDS or value is None or value == []:
            continue
        if isinstance(value, list):
            items = value
            if name == "body" and isinstance(node, _WITH_DOCSTRING):
                items = without_docstring(value)
            elif isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty pieces
                items = [item for item in value if not _is_empty_text(item)]
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
        Names whose plain assignments don't count, such as a task's settings; unless a function
        or class reads them, directly or through other names. Imports from Psyrun never count.

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
    order = []
    body = without_docstring(ast.parse(source).body)
    ignored = {*ignored} - _read_by_functions(body)
    for node in body:
        name = _defined_name(node)
        if _imports_psyrun(node):
            continue
        if name not in ignored or not isinstance(node, ast.Assign | ast.AnnAssign):
            texts.setdefault(name, []).append(canonical(node))
            if not isinstance(node, (*_WITH_DOCSTRING, ast.Import, ast.ImportFrom)):
                order.append(name)
    repeated = [name for name, found in texts.items() if name and len(found) > 1]
    if "" in order or repeated:  # only then may one statement undo or use another
        texts.setdefault("", []).append(repr(order))
    return {name: digest(items) for name, items in texts.items()}


def _imports_psyrun(node: ast.stmt) -> bool:
    """Tell whether a statement only imports from Psyrun: a scheduler or store, say."""
    match node:
        case ast.ImportFrom(module=str(module), level=0):
            return module.partition(".")[0] == "psyrun"
        case ast.Import(names=names):
            return all(alias.name.partition(".")[0] == "psyrun" for alias in names)
        case _:
            return False


def _defined_name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def _read_by_functions(body: list[ast.stmt]) -> set[str]:
    """Name what functions and classes read, and what the names they read are made from."""
    reads: dict[str, set[str]] = {}
    todo: set[str] = set()
    for node in body:
        if isinstance(node, _WITH_DOCSTRING):
            todo |= _names_read(node)
        else:
            reads.setdefault(_defined_name(node), set()).update(_names_read(node))
    found: set[str] = set()
    while todo:
        found |= todo
        todo = {name for one in todo for name in reads.get(one, ())} - found
    return found


def _names_read(node: ast.stmt) -> set[str]:
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        read -= {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
    return read


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
