"""Own what the top level of a module consists of: what each statement binds, reads and does.

Knows one module at a time, and none but by its source.
"""

import ast
import copy
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from psyrun import syntax
from psyrun.effects import calls_anything, changed_names, has_no_effect, is_plain
from psyrun.reads import ANY_MODULE, IMPORTERS, Read, reads_of
from psyrun.scopes import (
    FUNCTIONS,
    Import,
    Scope,
    declared_global,
    defaults,
    imports_of,
    scope_of,
    statements,
)

_LABEL_CHARACTERS = 40
_READS_NAMES_IN_TEXT = re.compile(
    rb"^\s*(from|import)\s+(brian2?|numexpr|patsy|statsmodels)\b", re.MULTILINE
)
"""Imports of packages that look up names in text where they are called."""


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
        Of `import a.b.c`, all of it; of `from a import *`, 'a.*'.
    also_in_text : bool
        Whether names that occur in text may be read.
    """

    kind: Kind
    names: frozenset[str]
    node: ast.stmt
    package: str
    always: bool = False
    imports: tuple[tuple[str, Import], ...] = ()
    dotted: str = ""
    also_in_text: bool = False

    @cached_property
    def label(self) -> str:
        """Name it, uniquely within its module but for what is defined more than once."""
        if self.kind is Kind.STATEMENT:
            return _first_line(self.node)
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
        if self.kind is not Kind.IMPORT:
            return reads_of(self.node, self.package, also_in_text=self.also_in_text)
        name, origin = self.imports[0]
        if origin.name == "*":
            return frozenset({Read((), origin)})
        return frozenset({ANY_MODULE} if origin.name in IMPORTERS - {name} else ())

    def has_to_do_with(self, chain: tuple[str, ...]) -> bool:
        """Tell whether `import a.b.c` has to do with a use of `a`, with some attributes."""
        pairs = zip(self.dotted.split("."), chain, strict=False)
        return not self.dotted or all(one == other for one, other in pairs)

    @property
    def has_place(self) -> bool:
        """Whether it matters what it stands before and behind."""
        if isinstance(self.node, FUNCTIONS):
            return bool(self.node.decorator_list or defaults(self.node.args))
        return True

    @property
    def is_star(self) -> bool:
        """Whether it imports everything from a module."""
        return any(origin.name == "*" for _, origin in self.imports)

    @cached_property
    def calls_anything(self) -> bool:
        """Whether running it calls a function."""
        return calls_anything(self.node)


def _first_line(node: ast.stmt) -> str:
    """Write the start of a statement, as its label."""
    has_body = isinstance(getattr(node, "body", None), list)
    if has_body:
        node = copy.copy(node)
        for name in {"body", "orelse", "finalbody", "handlers", "cases"} & set(node._fields):
            setattr(node, name, [])
    try:
        first, *others = ast.unparse(node).split("\n")
    except RecursionError:
        return f"{type(node).__name__} ..."
    cut = has_body or bool(others) or len(first) > _LABEL_CHARACTERS
    return first[:_LABEL_CHARACTERS].rstrip() + (" ..." if cut else "")


@dataclass(frozen=True)
class ModuleCode:
    """The top level of a module.

    Attributes
    ----------
    definitions : list of Definition
        In the order of the source; what has no effect is left out.
    stars : list of str
        The modules of which everything is imported.
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
    def chains(self) -> dict[str, set[tuple[str, ...]]]:
        """The names that anything in the module reads, and with which attributes."""
        found: dict[str, set[tuple[str, ...]]] = {}
        for definition in self.definitions:
            for read in definition.reads:
                if read.origin is None:
                    found.setdefault(read.chain[0], set()).add(read.chain)
        return found

    def uses(self, definition: Definition) -> bool:
        """Tell whether anything in the module uses what an import binds."""
        chains = (chain for name in definition.names for chain in self.chains.get(name, ()))
        return any(definition.has_to_do_with(chain) for chain in chains)


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
    SyntaxError
        If it is no Python source.
    """
    code = ModuleCode()
    also_in_text = bool(_READS_NAMES_IN_TEXT.search(source))
    bodies = [(node, scope_of([node], package)) for node in syntax.parse(source).body]
    origins = _origins(scope for _, scope in bodies)
    for node, scope in bodies:
        if has_no_effect(node, origins):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            code.definitions.extend(_imports(node, package))
            continue
        plain = is_plain(node, settings, origins)
        definition = _definition(node, scope, package, plain=plain)
        code.definitions.append(replace(definition, also_in_text=also_in_text))
    for definition in code.definitions:
        code.stars.extend(o.module for _, o in definition.imports if o.name == "*")
    return code


def _origins(scopes: Iterable[Scope]) -> dict[str, list[Import | None]]:
    """Collect what names of a module stand for."""
    origins: dict[str, list[Import | None]] = {}
    for scope in scopes:
        for name in scope.names:
            origins.setdefault(name, []).extend(scope.imports.get(name, (None,)))
    return origins


def _definition(node: ast.stmt, scope: Scope, package: str, *, plain: bool) -> Definition:
    """Describe a statement other than an import."""
    kind = _kind(node, plain=plain)
    names = scope.names | declared_global(node)
    if kind is Kind.CONSTANT:
        names |= changed_names(node)
    inner = (pair for one in statements(node) for pair in imports_of(one, package))
    imports = tuple(pair for pair in inner if pair[0] in names)
    return Definition(kind, frozenset(names), node, package, not plain, imports)


def _kind(node: ast.stmt, *, plain: bool) -> Kind:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return Kind.FUNCTION
        case ast.ClassDef():
            return Kind.CLASS
        case ast.AugAssign(target=ast.Name()):
            return Kind.CONSTANT
        case _:
            return Kind.CONSTANT if plain else Kind.STATEMENT


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[Definition]:
    """Describe an import, name by name."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
        yield Definition(Kind.STATEMENT, frozenset(), node, package, always=True)
        return
    for alias, (name, origin) in zip(node.names, imports_of(node, package), strict=True):
        dotted = alias.name if isinstance(node, ast.Import) and not alias.asname else ""
        is_star = origin.name == "*"
        yield Definition(
            Kind.IMPORT,
            frozenset() if is_star else frozenset({name}),
            node,
            package,
            always=is_star,
            imports=((name, origin),),
            dotted=f"{origin.module}.*" if is_star else dotted,
        )
