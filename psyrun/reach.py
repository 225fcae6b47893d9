"""Own the reach of functions: all definitions that what they give can depend on.

Goes from definition to definition, through the modules it is given. Reads no files, and knows
nothing of tasks but which names of theirs are only settings.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from psyrun import syntax
from psyrun.definitions import Definition, Kind, ModuleCode, module_code
from psyrun.pickling import WHOLE
from psyrun.reads import CALLED, SEE_NAMES, Read
from psyrun.scopes import COMPUTED, Import

_FINDS_CLASSES = re.compile(
    rb"__init_subclass__|__subclasses__|class\s+\w+\([^)]*\btype\)|metaclass\s*=\s*(?!(abc\.)?ABCMeta\b)"
)
"""What source code holds that may get to know classes by a base of theirs."""

_SAYS_LITTLE = frozenset({"__doc__", "__file__", "__name__", "__package__", "__spec__"})
"""Attributes of a module that tell nothing of what it defines."""

_NAMES_HELD_BY = {"builtins": SEE_NAMES, "sys": {"modules"}}
"""What of the standard library can see names of the module that uses it."""

_ORDER = "<order>"
"""The label of the order of what is reached; no statement starts like this."""


@dataclass(frozen=True)
class Unit:
    """A module, by its source.

    Attributes
    ----------
    source : bytes or None
        Its source code, or whatever else it consists of. None has no file.
    is_package : bool
        Whether relative imports start from itself.
    settings : collection of str
        Names of the module that are no more than settings.
    is_python : bool
        Whether it is source code; what is not counts byte by byte.
    """

    source: bytes | None
    is_package: bool = False
    settings: Collection[str] = ()
    is_python: bool = True


@dataclass(frozen=True)
class Piece:
    """What is reached of a module under one name.

    Attributes
    ----------
    kind : str
        What it is: a function, class, constant, import or statement; 'module' for one that is
        no Python source and counts byte by byte, 'order' for the order of what is reached.
    digest : str
        Of its canonical form.
    line : int
        Where it starts in the module, from 1.
    """

    kind: str
    digest: str
    line: int


Pieces = dict[tuple[str, str], Piece]
"""What is reached, by module and label."""


def reach(
    units: Mapping[str, Unit],
    roots: Iterable[Sequence[tuple[str, str]]],
    entered: Iterable[str] = (),
    computed: Iterable[str] = (),
) -> Pieces:
    """Collect what some names depend on.

    Parameters
    ----------
    units : dict
        All modules that may be reached, by name. What is not there is taken as fixed.
    roots : iterable of sequences of (module, name)
        The names to start from, '*' for a module as a whole; of each sequence up to the first
        that is sure to be defined.
    entered : iterable of str
        Modules that are run in any case.
    computed : iterable of str
        Modules that are reached whole where an import with a computed name is reached.
    """
    search = _Search(units, computed)
    for module in entered:
        search.enter(module)
    for alternatives in roots:
        for module, name in alternatives:
            search.enter(module)
            if name == WHOLE:
                search.take(module, as_value=True)
            elif search.look_up(module, (name,)):
                break
    search.go_on()
    return dict(search.pieces())


class _Search:
    """A search through definitions, and what it has found so far."""

    def __init__(self, units: Mapping[str, Unit], computed: Iterable[str]) -> None:
        self.units = units
        self.computed = list(computed)
        self.codes: dict[str, ModuleCode | None] = {}
        self.entered: dict[str, None] = {}
        self.counted: dict[str, set[Definition]] = {}
        self.whole: set[tuple[str, bool]] = set()
        self.seen: set[tuple[str, Read]] = set()
        self.todo: list[tuple[str, Read]] = []

    @cached_property
    def finds_classes(self) -> bool:
        """Whether any code may find a class by its base."""
        return any(_FINDS_CLASSES.search(unit.source or b"") for unit in self.units.values())

    @cached_property
    def finds_owners(self) -> bool:
        """Whether any code may find a class by what is an attribute of it."""
        return any(b"__set_name__" in (unit.source or b"") for unit in self.units.values())

    def read(self, module: str, chain: tuple[str, ...], origin: Import | None) -> None:
        """Follow, later and once, what is read in a module."""
        read = Read(chain, origin)
        if (module, read) not in self.seen:
            self.seen.add((module, read))
            self.todo.append((module, read))

    def go_on(self) -> None:
        """Follow what was read, until nothing new comes."""
        while self.todo:
            module, (chain, origin) = self.todo.pop()
            if origin is None:
                self.look_up(module, chain)
            else:
                self.follow(module, origin, chain)

    def code(self, module: str) -> ModuleCode | None:
        """Return a module taken apart; None for what is no Python source."""
        if module not in self.codes:
            unit = self.units[module]
            if not unit.is_python:
                self.codes[module] = None
                return None
            package = module if unit.is_package else module.rpartition(".")[0]
            try:
                self.codes[module] = module_code(unit.source or b"", package, unit.settings)
            except SyntaxError:
                self.codes[module] = None
        return self.codes[module]

    def enter(self, module: str) -> None:
        """Count what running a module does, and the packages that it is in."""
        if module in self.entered:
            return
        if module in self.units:
            self.entered[module] = None
        if "." in module:
            self.enter(module.rpartition(".")[0])
        code = self.code(module) if module in self.units else None
        if code is None:
            return
        for definition in code.definitions:
            if definition.always or self.is_found(definition):
                self.count(module, definition)
            elif definition.kind is Kind.IMPORT and not code.uses(definition):
                # running the module that is imported may be the aim
                origin = definition.imports[0][1]
                self.read(
                    module, (), Import(definition.dotted) if definition.dotted else origin
                )

    def is_found(self, definition: Definition) -> bool:
        """Tell whether somebody may come by a class without its name."""
        if not isinstance(definition.node, ast.ClassDef):
            return False
        is_child = bool(definition.node.bases) and self.finds_classes
        return is_child or (self.finds_owners and definition.calls_anything)

    def count(self, module: str, definition: Definition) -> None:
        """Count a definition, and follow what it reads."""
        counted = self.counted.setdefault(module, set())
        if definition not in counted:
            counted.add(definition)
            for chain, origin in definition.reads:
                self.read(module, chain, origin)

    def look_up(self, module: str, chain: tuple[str, ...]) -> bool:
        """Reach a name of a module, with the attributes that are used of it.

        Returns
        -------
        bool
            Whether the name is sure to be defined there.
        """
        code = self.code(module)
        if code is None:
            return False
        name, *rest = chain
        found = code.bindings.get(name, ())
        if not found and name in SEE_NAMES and rest != [CALLED]:
            self.take(module, as_value=True)
        is_rebound = not all(definition.dotted for definition in found)
        for definition in found:
            if is_rebound or definition.has_to_do_with(chain):
                self.count(module, definition)
            for bound, origin in definition.imports:
                if bound == name:
                    self.read(module, chain, origin)
        for star in code.stars if not name.startswith("__") else ():
            self.read(module, chain, Import(star, name))
        return any(definition.kind is not Kind.STATEMENT for definition in found)

    def follow(self, module: str, origin: Import, chain: tuple[str, ...]) -> None:
        """Follow an import to where it leads, with the attributes that are used of that.

        Without a chain, nothing of it is used.
        """
        target, name = origin
        self.enter(target)
        if target == COMPUTED:
            for one in self.computed:
                self.take(one, as_value=True)
        elif name == "*":
            self.take(target, as_value=False)
        elif target in self.units:
            if chain:
                self.member(target, chain[1:] if name is None else (name, *chain[1:]))
            elif name is not None:
                self.enter(f"{target}.{name}")
        elif {name, *chain[1:2]} & _NAMES_HELD_BY.get(target, set()):
            self.take(module, as_value=True)

    def member(self, module: str, chain: tuple[str, ...]) -> None:
        """Reach an attribute of a module; without one, the module is used as a value."""
        code = self.code(module)
        found = code.bindings.get(chain[0], ()) if code and chain else ()
        is_special = not found and chain[:1] and chain[0].startswith("__")
        if not chain or (is_special and chain[0] not in _SAYS_LITTLE):
            self.take(module, as_value=True)
            return
        if found or (code and code.stars):
            self.look_up(module, chain)
        inner = f"{module}.{chain[0]}"
        origins = [origin.module for one in found for _, origin in one.imports]
        if inner in self.units and inner not in origins:  # else the name hides the module
            self.read(module, chain, Import(inner))
        elif not found:
            self.look_up(module, ("__getattr__",))

    def take(self, module: str, *, as_value: bool) -> None:
        """Reach all that a module defines, and what it imports by name, but for settings.

        Of a package, that is all modules in it. With `as_value`, what can be got at from the
        module itself: the modules that it imports too.
        """
        if (module, as_value) in self.whole or module not in self.units:
            return
        self.whole.add((module, as_value))
        self.enter(module)
        for other in self.units:
            if other.startswith(f"{module}."):
                self.take(other, as_value=as_value)
        code = self.code(module)
        settings = set(self.units[module].settings)
        for definition in code.definitions if code else ():
            if definition.names and definition.names <= settings:
                continue
            self.count(module, definition)
            for name, origin in definition.imports:
                if as_value or origin.name is not None:
                    self.read(module, (name,), origin)

    def pieces(self) -> Iterator[tuple[tuple[str, str], Piece]]:
        """Yield all that was found, in order."""
        for module in self.entered:
            code = self.code(module)
            if code is None:
                digest = syntax.digest([(self.units[module].source or b"").hex()])
                yield (module, ""), Piece("module", digest, 1)
                continue
            counted = self.counted.get(module, set())
            reached = [one for one in code.definitions if one in counted]
            yield from _pieces(module, reached)


def _pieces(
    module: str, reached: Sequence[Definition]
) -> Iterator[tuple[tuple[str, str], Piece]]:
    """Yield what is reached of a module by its names, and the order if that matters."""
    by_label: dict[str, list[Definition]] = {}
    for definition in reached:
        by_label.setdefault(definition.label, []).append(definition)
    for label, found in by_label.items():
        digest = syntax.digest(one.text for one in found)
        yield (module, label), Piece(str(found[0].kind), digest, found[0].node.lineno)
    order = _order(reached)
    if order:
        yield (module, _ORDER), Piece("order", syntax.digest(order), reached[0].node.lineno)


def _order(reached: Sequence[Definition]) -> list[str]:
    """List the labels of what is reached in its order; empty if that cannot matter.

    It matters what stands before and behind a call, and a name that is bound twice. Imports in
    a row may be sorted.
    """
    often = Counter(name for one in reached for name in one.names)
    repeated = {name for name, times in often.items() if times > 1}
    if not repeated and not any(one.always or one.calls_anything for one in reached):
        return []
    labels: list[str] = []
    placed = [one for one in reached if one.has_place or one.names & repeated]
    for may_be_sorted, run in groupby(placed, lambda one: _may_be_sorted(one, repeated)):
        names = [one.label for one in run]
        labels += sorted(names) if may_be_sorted else names
    if any(one.is_star for one in reached):  # which may bind any name again
        for is_star, run in groupby(reached, lambda one: one.is_star):
            names = [one.label for one in run]
            labels += names if is_star else sorted(names)
    return labels


def _may_be_sorted(definition: Definition, repeated: AbstractSet[str]) -> bool:
    is_import = definition.kind is Kind.IMPORT and not definition.always
    return is_import and not definition.names & repeated
