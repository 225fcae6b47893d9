"""Own what the top level of a module consists of: what each statement binds, reads and does.

Knows one module at a time, and none but by its source.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from psyrun import syntax
from psyrun.scopes import (
    FUNCTIONS,
    Import,
    Read,
    attribute_chain,
    bound_names,
    imports_of,
    reads_of,
)

_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_TYPE_ALIAS: type = getattr(ast, "TypeAlias", ast.AnnAssign)
_LABEL_CHARACTERS = 40


class Kind(StrEnum):
    """What a definition is, in the user's words."""

    FUNCTION = "function"
    CLASS = "class"
    CONSTANT = "constant"
    IMPORT = "import"
    STATEMENT = "statement"


@dataclass(frozen=True)
class Definition:
    """A top-level statement of a module, or one name of an import.

    Attributes
    ----------
    kind : Kind
        What it is.
    names : frozenset of str
        The names it binds, also those that a function declares global.
    node : ast.stmt
        The statement.
    package : str
        The package that relative imports start from.
    always : bool
        Whether it counts wherever its module is run.
    imports : tuple
        What it imports: each name bound, and what that stands for.
    dotted : str
        Of `import a.b.c`, all of it.
    """

    kind: Kind
    names: frozenset[str]
    node: ast.stmt
    package: str
    always: bool = False
    imports: tuple[tuple[str, Import], ...] = ()
    dotted: str = ""

    @cached_property
    def label(self) -> str:
        """Name it, uniquely within its module but for what is defined more than once."""
        if self.kind is Kind.STATEMENT:
            first, *others = ast.unparse(self.node).split("\n")
            cut = bool(others) or len(first) > _LABEL_CHARACTERS
            return first[:_LABEL_CHARACTERS].rstrip() + (" ..." if cut else "")
        if isinstance(self.node, (*FUNCTIONS, ast.ClassDef)):
            return self.node.name
        return self.dotted or ", ".join(sorted(self.names))

    @cached_property
    def text(self) -> str:
        """Its canonical form."""
        if self.kind is Kind.IMPORT:
            return f"import {self.dotted or self.imports[0][1]}"
        return syntax.canonical(self.node)

    @cached_property
    def reads(self) -> frozenset[Read]:
        """What it reads from outside of itself."""
        return (
            reads_of(self.node, self.package) if self.kind is not Kind.IMPORT else frozenset()
        )

    @property
    def has_place(self) -> bool:
        """Whether it matters what it stands before and behind."""
        if isinstance(self.node, FUNCTIONS):
            args = self.node.args
            return bool(self.node.decorator_list or args.defaults or any(args.kw_defaults))
        return self.kind is not Kind.IMPORT

    @property
    def decorators(self) -> list[tuple[str, ...]]:
        """The names of its decorators; one without a name is empty."""
        nodes = getattr(self.node, "decorator_list", [])
        called = [node.func if isinstance(node, ast.Call) else node for node in nodes]
        return [attribute_chain(node) or () for node in called]


@dataclass(frozen=True)
class ModuleCode:
    """The top level of a module.

    Attributes
    ----------
    definitions : list of Definition
        In the order of the source; what has no effect is left out.
    stars : list of str
        The modules of which everything is imported.
    read : set of str
        The names that anything in the module reads.
    """

    definitions: list[Definition] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)

    @cached_property
    def bindings(self) -> dict[str, list[Definition]]:
        """The definitions of each name."""
        found: dict[str, list[Definition]] = {}
        for definition in self.definitions:
            for name in definition.names:
                found.setdefault(name, []).append(definition)
        return found

    @cached_property
    def read(self) -> set[str]:
        """The names that anything in the module reads."""
        return {
            read.chain[0]
            for definition in self.definitions
            for read in definition.reads
            if read.chain and read.origin is None
        }


def module_code(source: bytes, package: str, settings: Collection[str] = ()) -> ModuleCode:
    """Take a module apart.

    Parameters
    ----------
    source : bytes
        Its source code.
    package : str
        The package that relative imports start from; empty outside of one.
    settings : collection of str
        Names whose setting, and changing, is no more than a plain assignment.

    Raises
    ------
    SyntaxError, ValueError
        If it is no Python source.
    """
    code = ModuleCode()
    for node in ast.parse(source).body:
        for definition in _definitions(node, package, settings):
            code.stars.extend(o.module for _, o in definition.imports if o.name == "*")
            if definition.names != {"*"}:
                code.definitions.append(definition)
    return code


def _definitions(
    node: ast.stmt, package: str, settings: Collection[str]
) -> Iterator[Definition]:
    """Yield what a top-level statement comes to."""
    if _has_no_effect(node):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _imports(node, package)
        return
    names = bound_names([node]) | _declared_global(node)
    kind, always = _kind(node, settings)
    if kind is Kind.CONSTANT:
        names |= _roots_of_targets(node)
    inner = tuple(pair for one in ast.walk(node) for pair in imports_of(one, package))
    local = isinstance(node, (*FUNCTIONS, ast.ClassDef))
    imports = tuple(pair for pair in inner if pair[0] in names) if local else inner
    yield Definition(kind, frozenset(names), node, package, always, imports)


def _kind(node: ast.stmt, settings: Collection[str]) -> tuple[Kind, bool]:
    """Tell what a statement is, and whether it counts wherever its module is run."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return Kind.FUNCTION, False
        case ast.ClassDef(keywords=keywords):
            return Kind.CLASS, any(not _is_plain_metaclass(keyword) for keyword in keywords)
        case ast.AugAssign(target=ast.Name(id=name)):
            return Kind.CONSTANT, name not in settings
        case _ if _only_sets(node, settings) or _only_names_are_bound(node):
            return Kind.CONSTANT, False
        case _:
            return Kind.STATEMENT, True


def _is_plain_metaclass(keyword: ast.keyword) -> bool:
    return keyword.arg == "metaclass" and (attribute_chain(keyword.value) or ("",))[-1] == (
        "ABCMeta"
    )


def _only_names_are_bound(node: ast.stmt) -> bool:
    """Tell whether this is a plain assignment: to names, no attributes and no items."""
    match node:
        case ast.Assign(targets=targets):
            return all(map(_is_name, targets))
        case ast.AnnAssign(target=target):
            return _is_name(target)
        case _:
            return isinstance(node, _TYPE_ALIAS)


def _is_name(target: ast.expr) -> bool:
    match target:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return all(map(_is_name, elements))
        case ast.Starred(value=value):
            return _is_name(value)
        case _:
            return isinstance(target, ast.Name)


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=receiver))):
            return [receiver]  # as in `scheduler_args.update(...)`
        case _:
            return []


def _root(target: ast.expr) -> str:
    """Name what `name.attribute[item]` starts with."""
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _only_sets(node: ast.stmt, settings: Collection[str]) -> bool:
    """Tell whether all that a statement does is to set, or change, some of the settings."""
    if isinstance(node, _COMPOUND):
        inner = [s for s in _blocks(node) if not isinstance(s, ast.Import | ast.ImportFrom)]
        return bool(inner) and all(_has_no_effect(s) or _only_sets(s, settings) for s in inner)
    targets = _targets(node)
    return bool(targets) and all(_root(target) in settings for target in targets)


def _blocks(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements within a compound one."""
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, ())
    for handler in getattr(node, "handlers", ()):
        yield from handler.body


def _roots_of_targets(node: ast.stmt) -> set[str]:
    """Name what a statement sets or changes, also by its attributes and items."""
    inner = [one for one in ast.walk(node) if isinstance(one, ast.stmt)]
    return {_root(target) for one in inner for target in _targets(one)} - {""}


def _declared_global(node: ast.stmt) -> set[str]:
    """Name what functions in there may bind at the top level."""
    return {n for one in ast.walk(node) if isinstance(one, ast.Global) for n in one.names}


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[Definition]:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
        yield Definition(Kind.STATEMENT, frozenset(), node, package, always=True)
        return
    for alias, (name, origin) in zip(node.names, imports_of(node, package), strict=True):
        dotted = alias.name if isinstance(node, ast.Import) and not alias.asname else ""
        yield Definition(
            Kind.IMPORT,
            frozenset({name}),
            node,
            package,
            imports=((name, origin),),
            dotted=dotted,
        )


def _has_no_effect(node: ast.stmt) -> bool:
    """Tell whether nothing that a row process does can depend on a statement."""
    if syntax.does_nothing(node):
        return True
    match node:
        case ast.If(test=test, orelse=[]):
            return _is_never(test)
        case ast.Expr(value=ast.Call(func=func)):
            return _sets_up_logging(func)
        case _:
            return False


def _is_never(test: ast.expr) -> bool:
    """Tell whether this is `__name__ == "__main__"` or `TYPE_CHECKING`."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            sides = {attribute_chain(side) for side in (left, right)}
            values = {getattr(side, "value", None) for side in (left, right)}
            return ("__name__",) in sides and "__main__" in values
        case _:
            return (attribute_chain(test) or ("",))[-1] == "TYPE_CHECKING"


def _sets_up_logging(func: ast.expr) -> bool:
    """Tell whether a call is `logging.name(...)` or `logging.getLogger(...).name(...)`."""
    chain = attribute_chain(func)
    if chain is None and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        chain = attribute_chain(func.value.func)
    return chain is not None and chain[0] == "logging"


_PURE_DECORATORS = {
    "attr": {"attrs", "dataclass", "define", "frozen", "mutable", "s"},
    "attrs": {"define", "frozen", "mutable"},
    "jax": {"grad", "jit", "vmap"},
    "numba": {"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"},
    "numpy": {"vectorize"},
    "torch": {"inference_mode", "no_grad"},
}
"""Decorators of packages that register nothing: by package, the last names."""

_BUILT_IN_DECORATORS = {"classmethod", "property", "staticmethod"}


def registers(definition: Definition, module: ModuleCode) -> bool:
    """Tell whether a decorator may make a definition known to somebody.

    Those of the standard library don't, nor do some well-known ones; any other may.
    """
    return any(not _is_pure(chain, module) for chain in definition.decorators)


def _is_pure(chain: tuple[str, ...], module: ModuleCode) -> bool:
    if not chain:
        return False
    origins = _origins(chain[0], module.bindings.get(chain[0], ()))
    if not origins:
        return chain[0] in _BUILT_IN_DECORATORS and chain[0] not in module.bindings
    for origin in origins:
        if origin is None:
            return False
        package = origin.module.partition(".")[0]
        last = chain[-1] if len(chain) > 1 else origin.name or ""
        if package == "atexit" or not (
            package in sys.stdlib_module_names or last in _PURE_DECORATORS.get(package, ())
        ):
            return False
    return True


def _origins(name: str, definitions: Iterable[Definition]) -> list[Import | None]:
    """List what a name stands for; None for what is defined in the module itself."""
    found: list[Import | None] = []
    for definition in definitions:
        imported: list[Import | None] = [o for bound, o in definition.imports if bound == name]
        found += imported or [None]
    return found
