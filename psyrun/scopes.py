"""Own scopes: which names a piece of code reads from outside of itself.

Knows Python's syntax trees, and nothing of files, tasks and other modules. Where it depends on
values that only running the code would show, a name counts as read.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMES: dict[type, str] = {
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}
"""Where nodes keep a name that they bind."""

_BINDS_FOR_SURE = (*FUNCTIONS, ast.ClassDef, ast.Assign, ast.Import, ast.ImportFrom)
_IMPORTERS = frozenset({"import_module", "__import__"})

COMPUTED = "?"
"""Stands for a module whose name is computed."""


class Import(NamedTuple):
    """What an import gets.

    Attributes
    ----------
    module : str
        The module, absolute; `COMPUTED` if only running the code would show it.
    name : str or None
        The name taken from it. None is the module itself, '*' everything in it, modules of a
        package too.
    """

    module: str
    name: str | None = None


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


@dataclass
class _Scope:
    """The names bound in a function or class, or in a part of one."""

    is_class: bool = False
    names: set[str] = field(default_factory=set)
    imports: dict[str, set[Import]] = field(default_factory=dict)
    of_module: set[str] = field(default_factory=set)
    of_others: set[str] = field(default_factory=set)


def reads_of(node: ast.AST, package: str) -> frozenset[Read]:
    """List what a top-level statement of a module reads from outside of itself.

    Parameters
    ----------
    node : ast.AST
        The statement.
    package : str
        The package that relative imports start from; empty outside of one.
    """
    reader = _Reader(package)
    reader.visit(node)
    return frozenset(reader.found)


def attribute_chain(node: ast.AST) -> tuple[str, ...] | None:
    """Return `a.b.c` as ('a', 'b', 'c'); None for what is no name with attributes."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def imports_of(node: ast.AST, package: str) -> Iterator[tuple[str, Import]]:
    """Yield what an import statement binds: each name, and what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or module, Import(module)
    elif isinstance(node, ast.ImportFrom):
        module = absolute(node.module or "", node.level, package)
        for alias in node.names:
            yield alias.asname or alias.name, Import(module, alias.name)


def absolute(module: str, level: int, package: str) -> str:
    """Resolve a relative import.

    Examples
    --------
    >>> absolute("core", 1, "package.sub")
    'package.sub.core'
    >>> absolute("", 2, "package.sub")
    'package'
    """
    if not level:
        return module
    parts = package.split(".")
    anchor = parts[: len(parts) - level + 1]
    return ".".join([*anchor, module] if module else anchor)


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """List the names that some statements bind in the scope they stand in."""
    scope = _Scope()
    for node in nodes:
        _collect(node, scope, "")
    return scope.names


def _collect(node: ast.AST, into: _Scope, package: str, *, targets: bool = True) -> None:
    """Collect what a node binds; of a comprehension (no `targets`) only `:=`."""
    name = getattr(node, _NAMES.get(type(node), ""), None)
    if name is not None:
        into.names.add(name)
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if targets:
            into.names.add(name)
        case ast.NamedExpr(target=ast.Name(id=name)):
            into.names.add(name)
        case ast.Import() | ast.ImportFrom():
            for name, origin in imports_of(node, package):
                into.names.add(name)
                into.imports.setdefault(name, set()).add(origin)
        case ast.Global(names=names):
            into.of_module.update(names)
        case ast.Nonlocal(names=names):
            into.of_others.update(names)
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
        return
    targets = targets and not isinstance(node, _COMPREHENSIONS)
    for child in ast.iter_child_nodes(node):
        _collect(child, into, package, targets=targets)


class _Reader(ast.NodeVisitor):
    """Goes through code, scope by scope, and collects what it reads from outside."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.scopes: list[_Scope] = []
        self.found: set[Read] = set()

    def read(self, chain: tuple[str, ...]) -> None:
        """Note a name that is read, unless a scope around binds it."""
        for depth, scope in enumerate(reversed(self.scopes)):
            if chain[0] in scope.of_module:
                break
            if scope.is_class and depth:  # the names of a class are not seen from its methods
                continue
            if chain[0] in scope.names:
                for origin in scope.imports.get(chain[0], ()):
                    self.found.add(Read(chain, origin))
                return
        self.found.add(Read(chain))

    def visit_Name(self, node: ast.Name) -> None:
        """Read a name; one that is declared global counts also where it is set."""
        if isinstance(node.ctx, ast.Load) or (
            self.scopes and node.id in self.scopes[-1].of_module
        ):
            self.read((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Read a name and attributes of it, also where one of them is set."""
        chain = attribute_chain(node)
        if chain is None:
            self.generic_visit(node)
        else:
            self.read(chain)

    def visit_Call(self, node: ast.Call) -> None:
        """Look through `getattr` with a plain name, and into what is imported by a call."""
        chain = attribute_chain(node.func) or ("",)
        match node.args:
            case [first, ast.Constant(value=str(name)), *rest] if chain == ("getattr",):
                inner = attribute_chain(first)
                if inner is not None:
                    self.read((*inner, name))
                    self._visit_all(rest)
                    return
            case [name, *_] if chain[-1] in _IMPORTERS:
                self._import_by_call(name, node)
        self.generic_visit(node)

    def _import_by_call(self, name: ast.expr, call: ast.Call) -> None:
        start = _leading_text(name)
        if start is None:
            self.found.add(Read((), Import(COMPUTED)))
            return
        level = len(start) - len(start.lstrip("."))
        package = self.package
        match [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "package")]:
            case [ast.Constant(value=str(text))]:
                package = text
        module = absolute(start.lstrip("."), level, package)
        if isinstance(name, ast.Constant):
            self.found.add(Read((module,), Import(module)))
        elif "." in module:
            self.found.add(Read((), Import(module.rpartition(".")[0], "*")))
        else:
            self.found.add(Read((), Import(COMPUTED)))

    def visit_Import(self, node: ast.Import) -> None:
        """Note what is imported here: its module is run."""
        self._imported(node, [Import(alias.name) for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note what is imported here: its module is run."""
        self._imported(node, [origin for _, origin in imports_of(node, self.package)])

    def _imported(self, node: ast.stmt, origins: list[Import]) -> None:
        self.found.update(Read((), origin) for origin in origins)
        if self.scopes and self.scopes[-1].is_class:  # it is an attribute: anybody may use it
            for name, origin in imports_of(node, self.package):
                self.found.add(Read((name,), origin))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Read defaults and decorators here, and the body in a scope of its own."""
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Do as for any function."""
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all(node.decorator_list)
        self._visit_signature(node.args)
        if node.returns:
            self.visit(node.returns)
        self._push_type_params(node)
        self._in_function(node.args, node.body)
        self.scopes.pop()

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Do as for any function."""
        self._visit_signature(node.args)
        self._in_function(node.args, [node.body])

    def _visit_signature(self, args: ast.arguments) -> None:
        defaults = [default for default in args.kw_defaults if default]
        named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        annotations = [arg.annotation for arg in named if arg and arg.annotation]
        self._visit_all([*args.defaults, *defaults, *annotations])

    def _in_function(self, args: ast.arguments, body: Iterable[ast.AST]) -> None:
        scope = _Scope()
        for node in body:
            _collect(node, scope, self.package)
        scope.names |= {arg.arg for arg in ast.walk(args) if isinstance(arg, ast.arg)}
        scope.names -= scope.of_module | scope.of_others
        self.scopes.append(scope)
        self._visit_all(body)
        self.scopes.pop()

    def _push_type_params(self, node: ast.AST) -> None:
        """Open a scope for type parameters (Python 3.12); empty where there are none."""
        params = getattr(node, "type_params", ())
        self.scopes.append(_Scope(names={str(param.name) for param in params}))
        self._visit_all(params)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Read the body in order: what it has bound so far is its own."""
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._push_type_params(node)
        scope = _Scope(is_class=True)
        self.scopes.append(scope)
        for statement in node.body:
            self.visit(statement)
            if isinstance(statement, _BINDS_FOR_SURE):
                _collect(statement, scope, self.package)
        self.scopes.pop()
        self.scopes.pop()

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """Read a type alias (Python 3.12), whose parameters are its own."""
        self._push_type_params(node)
        self.generic_visit(node)
        self.scopes.pop()

    def visit_ListComp(self, node: ast.ListComp) -> None:
        """Read a comprehension, whose variables are its own."""
        self._comprehension(node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        """Read a comprehension, whose variables are its own."""
        self._comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Read a comprehension, whose variables are its own."""
        self._comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        """Read a comprehension, whose variables are its own."""
        self._comprehension(node.generators, [node.key, node.value])

    def _comprehension(self, parts: list[ast.comprehension], values: list[ast.expr]) -> None:
        self.visit(parts[0].iter)  # read where the comprehension stands
        self.scopes.append(_Scope(names=bound_names(part.target for part in parts)))
        self._visit_all([node for part in parts for node in (part.target, *part.ifs)])
        self._visit_all([part.iter for part in parts[1:]])
        self._visit_all(values)
        self.scopes.pop()

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _leading_text(node: ast.expr) -> str | None:
    """Return a text, or what one that is put together starts with; None if not known."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add() | ast.Mod()):
            return text.partition("%")[0]
        case _:
            return None
