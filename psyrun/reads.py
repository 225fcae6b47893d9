"""Own what code reads from outside of itself: names of its module, and what it imports.

Knows Python's syntax trees, and nothing of files, tasks and other modules. Where it depends on
values that only running the code would show, a name counts as read.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from psyrun.scopes import (
    COMPUTED,
    Import,
    Scope,
    absolute,
    annotations,
    attribute_chain,
    bound_names,
    defaults,
    imports_of,
    parameters,
    scope_of,
)

IMPORTERS = frozenset({"import_module", "__import__"})
"""Functions that import a module by its name."""

SEE_NAMES = frozenset({"dir", "eval", "exec", "globals", "locals", "vars"})
"""Built-in functions that can see names of the module they are called in."""

_SEE_LOCALS = frozenset({"dir", "locals", "vars"})
"""Those that, in a function, see its own names."""

_HOLD_NAMES = frozenset({"__globals__", "f_globals", "f_locals"})
"""Attributes of functions and frames that hold the names of a module."""

_BY_NAME = frozenset({"delattr", "getattr", "hasattr", "setattr"})
"""Built-in functions that take an attribute by its name."""

_NAMES_IN_TEXT = re.compile(r"(?<![\w.])[^\W\d]\w*")
"""Names in text that is code, such as the equations of Brian."""

_NAMES_MARKED_IN_TEXT = re.compile(r"@([^\W\d]\w*)")
"""Names in text that pandas looks up, as in `frame.query("x > @LIMIT")`."""

CALLED = "()"
"""Stands, behind a name, for a call of it that sees no names of the module."""


class Read(NamedTuple):
    """A name that is read from outside, and which attributes of it.

    Attributes
    ----------
    chain : tuple of str
        The name and the attributes behind it: `a.b.c` is ('a', 'b', 'c'). Without any, a
        module is imported, and what is used of it is told by other reads.
    origin : Import or None
        What the name stands for, where the code itself imports it. None is a name of the module
        that the code is in.
    """

    chain: tuple[str, ...]
    origin: Import | None = None


ANY_MODULE = Read((), Import(COMPUTED))
"""A module is imported whose name is not known."""

_Scopes = tuple[Scope, ...]
"""The scopes around a piece of code, the innermost last."""

_Todo = list[tuple[ast.AST, _Scopes]]
"""Code still to go through."""


def reads_of(node: ast.AST, package: str, *, also_in_text: bool = False) -> frozenset[Read]:
    """List what a top-level statement of a module reads from outside of itself.

    Parameters
    ----------
    node : ast.AST
        The statement.
    package : str
        The package that relative imports start from; empty outside of one.
    also_in_text : bool
        Whether text may be code that reads names where it is used.
    """
    reader = _Reader(package, _NAMES_IN_TEXT if also_in_text else _NAMES_MARKED_IN_TEXT)
    todo: _Todo = [(node, ())]
    while todo:
        inner, scopes = todo.pop()
        todo += reader.go_through(inner, scopes)
    return frozenset(reader.found)


def is_importer_renamed(alias: ast.alias) -> bool:
    """Tell whether this is as in `from importlib import import_module as load`."""
    return alias.name in IMPORTERS and alias.asname not in (None, alias.name)


class _Reader:
    """Goes through code and collects what it reads from outside.

    A method `read_<class of syntax tree, in lower case>` notes what is read, and returns what
    is still to go through.
    """

    def __init__(self, package: str, names_in_text: re.Pattern[str]) -> None:
        self.package = package
        self.names_in_text = names_in_text
        self.found: set[Read] = set()

    def go_through(self, node: ast.AST, scopes: _Scopes) -> _Todo:
        """Note what a node reads by itself; return its parts."""
        method: Callable[[ast.AST, _Scopes], _Todo] | None
        method = getattr(self, f"read_{type(node).__name__.lower()}", None)
        return method(node, scopes) if method else _all(ast.iter_child_nodes(node), scopes)

    def note(self, chain: tuple[str, ...], scopes: _Scopes) -> None:
        """Note a name that is read, unless a scope around binds it."""
        for depth, scope in enumerate(reversed(scopes)):
            if scope.is_class and depth:  # the names of a class are not seen from its methods
                continue
            if chain[0] in scope.of_module:
                break
            if chain[0] in scope.names:
                for origin in scope.imports.get(chain[0], ()):
                    self.found.add(Read(chain, origin))
                return
        self.found.add(Read(chain))

    def read_name(self, node: ast.Name, scopes: _Scopes) -> _Todo:
        """Read a name where it is not set; its being set counts where it is read."""
        if isinstance(node.ctx, ast.Load):
            self.note((node.id,), scopes)
        if node.id in IMPORTERS:
            self.found.add(ANY_MODULE)
        return []

    def read_attribute(self, node: ast.Attribute, scopes: _Scopes) -> _Todo:
        """Read a name and attributes of it, also where one of them is set."""
        chain = attribute_chain(node)
        if node.attr in _HOLD_NAMES:
            self.found.add(Read(("globals",)))
        if chain is None:
            return [(node.value, scopes)]
        if chain[-1] in IMPORTERS:
            self.found.add(ANY_MODULE)
        self.note(chain, scopes)
        return []

    def read_expr(self, node: ast.Expr, scopes: _Scopes) -> _Todo:
        """Leave out docstrings."""
        return [] if isinstance(node.value, ast.Constant) else [(node.value, scopes)]

    def read_constant(self, node: ast.Constant, scopes: _Scopes) -> _Todo:
        """Read the names in a text that may be code."""
        if isinstance(node.value, str):
            for name in {*self.names_in_text.findall(node.value)} - SEE_NAMES:
                self.note((name,), scopes)
        return []

    def read_augassign(self, node: ast.AugAssign, scopes: _Scopes) -> _Todo:
        """Read also what is changed."""
        if isinstance(node.target, ast.Name):
            self.note((node.target.id,), scopes)
        return _all([node.target, node.value], scopes)

    def read_call(self, node: ast.Call, scopes: _Scopes) -> _Todo:
        """Look through calls that take a name as text."""
        chain = attribute_chain(node.func) or ("",)
        name = _argument(node, 0, "name")
        if chain[-1] in IMPORTERS and name is not None:
            self.note(chain, scopes)
            self._import_by_call(name, node, returns_top=chain[-1] == "__import__")
            return _all([*node.args, *node.keywords], scopes)
        match node.args:
            case [first, ast.Constant(value=str(text)), *rest] if chain[0] in _BY_NAME:
                inner = attribute_chain(first)
                if inner is not None and len(chain) == 1:
                    self.note(chain, scopes)
                    self.note((*inner, text), scopes)
                    return _all(rest, scopes)
        sees_locals = node.args or any(not scope.is_class for scope in scopes)
        if sees_locals and len(chain) == 1 and chain[0] in _SEE_LOCALS:
            self.note((*chain, CALLED), scopes)
            return _all(node.args, scopes)
        return _all(ast.iter_child_nodes(node), scopes)

    def _import_by_call(self, name: ast.expr, call: ast.Call, *, returns_top: bool) -> None:
        """Note a module that is imported by `import_module` or by `__import__`."""
        start, is_all = _known_start(name, self.package)
        if start.startswith("."):
            start = self._absolute(start, _argument(call, 1, "package"))
        if start and is_all:
            self.found.add(Read((start,), Import(start)))
        if start and is_all and returns_top:
            top = start.partition(".")[0]
            self.found.add(Read((top,), Import(top)))
        elif "." in start and not is_all:
            above = start.rpartition(".")[0]
            self.found.add(Read((above,), Import(above)))
        elif not is_all or not start:
            self.found.add(ANY_MODULE)

    def _absolute(self, start: str, package: ast.expr | None) -> str:
        """Resolve the start of a relative name; empty if that cannot be told."""
        rest = start.lstrip(".")
        match package:
            case ast.Constant(value=str(anchor)):
                pass
            case ast.Name(id="__name__" | "__package__"):
                anchor = self.package
            case _:
                return ""
        return f"{absolute('', len(start) - len(rest), anchor)}.{rest}"

    def read_import(self, node: ast.Import, scopes: _Scopes) -> _Todo:
        """Note what is imported here: its module is run."""
        return self._imported(node, [Import(alias.name) for alias in node.names], scopes)

    def read_importfrom(self, node: ast.ImportFrom, scopes: _Scopes) -> _Todo:
        """Note what is imported here: its module is run."""
        if any(map(is_importer_renamed, node.names)):
            self.found.add(ANY_MODULE)
        origins = [origin for _, origin in imports_of(node, self.package)]
        return self._imported(node, origins, scopes)

    def _imported(self, node: ast.stmt, origins: list[Import], scopes: _Scopes) -> _Todo:
        self.found.update(Read((), origin) for origin in origins)
        if scopes and scopes[-1].is_class:  # it is an attribute: anybody may use it
            for name, origin in imports_of(node, self.package):
                self.found.add(Read((name,), origin))
        return []

    def read_functiondef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scopes: _Scopes
    ) -> _Todo:
        """Read decorators and defaults here, and the body in a scope of its own."""
        outer = _with_type_params(node, scopes)
        return [
            *_all([*node.decorator_list, *defaults(node.args)], scopes),
            *_all([*annotations(node), *_type_params(node)], outer),
            *self._body(node.args, node.body, outer),
        ]

    read_asyncfunctiondef = read_functiondef

    def read_lambda(self, node: ast.Lambda, scopes: _Scopes) -> _Todo:
        """Do as for any function."""
        return _all(defaults(node.args), scopes) + self._body(node.args, [node.body], scopes)

    def _body(
        self, args: ast.arguments, body: list[ast.stmt] | list[ast.expr], scopes: _Scopes
    ) -> _Todo:
        scope = scope_of(body, self.package)
        scope.names |= {arg.arg for arg in parameters(args)}
        return _all(body, (*scopes, scope))

    def read_classdef(self, node: ast.ClassDef, scopes: _Scopes) -> _Todo:
        """Read the body in order: what it has bound so far is its own."""
        outer = _with_type_params(node, scopes)
        todo = _all(node.decorator_list, scopes)
        todo += _all([*node.bases, *node.keywords, *_type_params(node)], outer)
        of_module = scope_of(node.body).of_module
        so_far = Scope()
        for statement in node.body:
            names = so_far.names - of_module
            here = Scope(True, names, dict(so_far.imports), of_module)
            todo.append((statement, (*outer, here)))
            self._run_in_class(statement, so_far)
        return todo

    def _run_in_class(self, statement: ast.stmt, so_far: Scope) -> None:
        """Note what a statement of a class is sure to bind, and what it may unbind."""
        match statement:
            case ast.Assign(targets=targets):
                so_far.names |= bound_names(targets)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                so_far.names.add(statement.name)
            case ast.Import() | ast.ImportFrom():
                bound = scope_of([statement], self.package)
                so_far.names |= bound.names
                so_far.imports |= bound.imports
            case _:
                so_far.names -= _unbound_by(statement)

    def read_typealias(self, node: ast.AST, scopes: _Scopes) -> _Todo:
        """Read a type alias (Python 3.12), whose parameters are its own."""
        return _all(ast.iter_child_nodes(node), _with_type_params(node, scopes))

    def read_dictcomp(self, node: ast.DictComp, scopes: _Scopes) -> _Todo:
        """Read a comprehension, whose variables are its own."""
        return _comprehension(node.generators, [node.key, node.value], scopes)

    def read_listcomp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scopes: _Scopes
    ) -> _Todo:
        """Read a comprehension, whose variables are its own."""
        return _comprehension(node.generators, [node.elt], scopes)

    read_setcomp = read_listcomp
    read_generatorexp = read_listcomp


def _all(nodes: Iterable[ast.AST], scopes: _Scopes) -> _Todo:
    return [(node, scopes) for node in nodes]


def _type_params(node: ast.AST) -> list[ast.AST]:
    """Return the type parameters of a definition (Python 3.12)."""
    return list(getattr(node, "type_params", ()))


def _with_type_params(node: ast.AST, scopes: _Scopes) -> _Scopes:
    """Open a scope for type parameters, if there are any."""
    names = {str(vars(param)["name"]) for param in _type_params(node)}
    return (*scopes, Scope(names=names)) if names else scopes


def _comprehension(
    parts: list[ast.comprehension], values: list[ast.expr], scopes: _Scopes
) -> _Todo:
    own = (*scopes, Scope(names=bound_names(part.target for part in parts)))
    inner = [node for part in parts for node in (part.target, *part.ifs)]
    inner += [part.iter for part in parts[1:]]
    return [(parts[0].iter, scopes), *_all([*inner, *values], own)]


def _unbound_by(statement: ast.stmt) -> set[str]:
    """List the names that are gone, or may be, after a statement of a class."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    """Return an argument of a call, given by its place or by its name."""
    by_name = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return next(iter([*call.args[place : place + 1], *by_name]), None)


def _known_start(node: ast.expr, package: str) -> tuple[str, bool]:
    """Return what a text that is put together starts with, and whether that is all of it."""
    start = ""
    for part in _parts_of_text(node):
        match part:
            case ast.Constant(value=str(text)):
                start += text
            case ast.Name("__name__" | "__package__") | ast.Attribute(
                ast.Name("__spec__"), "parent"
            ):
                start += package
            case _:
                return start, False
    return start, True


def _parts_of_text(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what a text is put together from, in order; what is filled in as the whole."""
    todo = [node]
    while todo:
        match one := todo.pop():
            case ast.JoinedStr(values=values):
                todo += reversed(values)
            case ast.FormattedValue(value=value):
                todo.append(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                todo += [right, left]
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
                yield from (ast.Constant(text.partition("%")[0]), one)
            case ast.Call(func=ast.Attribute(ast.Constant(value=str(text)), "format")):
                yield from (ast.Constant(text.partition("{")[0]), one)
            case _:
                yield one
