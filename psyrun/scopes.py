"""Own what code binds: which names, in which scope, and what imports bind them to.

Knows Python's syntax trees, and nothing of files, tasks and other modules. Never goes into a
tree by recursion: a chain of a thousand `+` or `elif` is as deep as it is long.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
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


COMPUTED = "?"
"""Stands for a module whose name is computed."""


@dataclass
class Scope:
    """The names bound in a function, a class or a comprehension, or in a part of one.

    Attributes
    ----------
    is_class : bool
        Whether functions in there do not see the names.
    names : set of str
        The names, but for those declared global or nonlocal.
    imports : dict
        What imports bind names to.
    of_module : set of str
        The names declared global.
    of_others : set of str
        The names declared nonlocal.
    """

    is_class: bool = False
    names: set[str] = field(default_factory=set)
    imports: dict[str, set[Import]] = field(default_factory=dict)
    of_module: set[str] = field(default_factory=set)
    of_others: set[str] = field(default_factory=set)


def scope_of(nodes: Iterable[ast.AST], package: str = "") -> Scope:
    """Collect what some nodes bind in the scope they stand in.

    Parameters
    ----------
    nodes : iterable of ast.AST
        The nodes, such as the body of a function.
    package : str
        The package that relative imports start from; empty outside of one.
    """
    scope = Scope()
    todo = [(node, True) for node in nodes]
    while todo:
        node, takes_targets = todo.pop()
        _bind(node, scope, package, takes_targets=takes_targets)
        # the variables of a comprehension are its own; only `:=` binds around it
        takes_targets = takes_targets and not isinstance(node, COMPREHENSIONS)
        todo += [(inner, takes_targets) for inner in same_scope(node)]
    scope.names -= scope.of_module | scope.of_others
    return scope


def _bind(node: ast.AST, scope: Scope, package: str, *, takes_targets: bool) -> None:
    """Note what one node binds by itself."""
    name = getattr(node, _NAMES.get(type(node), ""), None)
    if name is not None:
        scope.names.add(name)
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if takes_targets:
            scope.names.add(name)
        case ast.NamedExpr(target=ast.Name(id=name)):
            scope.names.add(name)
        case ast.Import() | ast.ImportFrom():
            for name, origin in imports_of(node, package):
                scope.names.add(name)
                scope.imports.setdefault(name, set()).add(origin)
        case ast.Global(names=names):
            scope.of_module.update(names)
        case ast.Nonlocal(names=names):
            scope.of_others.update(names)


def same_scope(node: ast.AST) -> Iterable[ast.AST]:
    """Return the parts of a node that stand in the scope it stands in itself."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *defaults(node.args), *annotations(node)]
        case ast.Lambda():
            return defaults(node.args)
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case _:
            return ast.iter_child_nodes(node)


def defaults(args: ast.arguments) -> list[ast.expr]:
    """Return the defaults of parameters."""
    return [*args.defaults, *(default for default in args.kw_defaults if default)]


def parameters(args: ast.arguments) -> list[ast.arg]:
    """Return all parameters of a function."""
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [arg for arg in named if arg]


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Return the annotations of a function's parameters and of what it returns."""
    found = [arg.annotation for arg in parameters(node.args)]
    return [annotation for annotation in [*found, node.returns] if annotation]


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """List the names that some statements bind in the scope they stand in."""
    return scope_of(nodes).names


def declared_global(node: ast.stmt) -> set[str]:
    """List the names that functions and classes in there may bind in the module."""
    return {n for one in statements(node) if isinstance(one, ast.Global) for n in one.names}


def blocks(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements right within a compound one, or a definition."""
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, ())
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from part.body


def statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement and all within it, as deep as they are."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        todo += blocks(one)


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
