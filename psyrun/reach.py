"""Own the reach of functions: all definitions that what they give can depend on.

Goes from definition to definition, through the modules it is given. Reads no files, and knows
nothing of tasks but which names of theirs are only settings.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from psyrun import syntax
from psyrun.definitions import Definition, Kind, ModuleCode, module_code, registers
from psyrun.scopes import COMPUTED, Import, Read

_SEES_ITS_MODULE = frozenset({"eval", "exec", "globals", "vars"})
_KNOWS_SUBCLASSES = (b"__init_subclass__", b"__subclasses__", b"metaclass=type", b"(type)")


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
        The names to start from; of each sequence up to the first that is sure to be defined.
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
            if search.look_up(module, (name,)):
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
        self.whole: set[str] = set()
        self.todo: list[tuple[str, Read]] = []

    @cached_property
    def knows_subclasses(self) -> bool:
        """Whether any code may find a class by its base."""
        sources = [unit.source or b"" for unit in self.units.values()]
        return any(word in source for source in sources for word in _KNOWS_SUBCLASSES)

    def go_on(self) -> None:
        """Follow what was read, until nothing new comes."""
        while self.todo:
            module, read = self.todo.pop()
            if read.origin is None:
                self.look_up(module, read.chain)
            else:
                self.follow(module, read.origin, read.chain[1:], used=bool(read.chain))

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
            except (SyntaxError, ValueError):
                self.codes[module] = None
        return self.codes[module]

    def enter(self, module: str) -> None:
        """Count what running a module does, and the packages that it is in."""
        if module in self.entered or module not in self.units:
            return
        self.entered[module] = None
        self.enter(module.rpartition(".")[0])
        code = self.code(module)
        if code is None:
            return
        for star in code.stars:
            self.take_whole(star)
        for definition in code.definitions:
            if definition.always or self.is_registered(definition, code):
                self.count(module, definition)
            elif not self.units[module].is_package:
                self.enter_unused(definition, code)

    def is_registered(self, definition: Definition, code: ModuleCode) -> bool:
        """Tell whether somebody may come by a definition without its name."""
        if registers(definition, code):
            return True
        bases = getattr(definition.node, "bases", ())
        return bool(bases) and definition.kind is Kind.CLASS and self.knows_subclasses

    def enter_unused(self, definition: Definition, code: ModuleCode) -> None:
        """Enter modules that are imported and never used: what running them does is the aim."""
        if definition.kind is not Kind.IMPORT:
            return
        module, name = definition.imports[0][1]
        target = f"{module}.{name}" if name else definition.dotted or module
        if target in self.units and not definition.names & code.read:
            self.enter(target)

    def count(self, module: str, definition: Definition) -> None:
        """Count a definition, and follow what it reads."""
        counted = self.counted.setdefault(module, set())
        if definition not in counted:
            counted.add(definition)
            self.todo += [(module, read) for read in definition.reads]

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
        if not found and name in _SEES_ITS_MODULE:
            self.see_all(module)
        for definition in found:
            if definition.kind is not Kind.IMPORT or _is_part_of(definition.dotted, chain):
                self.count(module, definition)
            for bound, origin in definition.imports:
                if bound == name:
                    self.follow(module, origin, tuple(rest))
        return any(definition.kind is not Kind.STATEMENT for definition in found)

    def follow(
        self, module: str, origin: Import, rest: tuple[str, ...], *, used: bool = True
    ) -> None:
        """Follow an import to where it leads, with the attributes that are used of that."""
        target, name = origin
        if target == COMPUTED:
            for one in self.computed:
                self.take_whole(one)
        elif name == "*":
            self.take_whole(target)
        elif target in self.units:
            self.enter(target)
            chain = rest if name is None else (name, *rest)
            if used:
                self.member(target, chain)
            elif name is not None:
                self.enter(f"{target}.{name}")
        elif target == "sys" and "modules" in (name, *rest[:1]):
            self.see_all(module)

    def member(self, module: str, chain: tuple[str, ...]) -> None:
        """Reach an attribute of a module; without one, the module is used as a value."""
        if not chain or chain[0] in ("__path__", "__dict__"):
            self.take_whole(module)
            return
        code = self.code(module)
        inner = f"{module}.{chain[0]}"
        if code is not None and chain[0] in code.bindings:
            self.look_up(module, chain)
        elif inner in self.units:
            self.enter(inner)
            self.member(inner, chain[1:])
        elif code is not None and "__getattr__" in code.bindings:
            self.look_up(module, ("__getattr__",))

    def take_whole(self, module: str) -> None:
        """Reach all that a module defines, and what it imports by name, but for settings.

        Of a package, that is all modules in it.
        """
        if module in self.whole or module not in self.units:
            return
        self.whole.add(module)
        self.enter(module)
        for other in self.units:
            if other.startswith(f"{module}."):
                self.take_whole(other)
        code = self.code(module)
        settings = self.units[module].settings
        for definition in code.definitions if code else ():
            if definition.names and definition.names <= {*settings}:
                continue
            self.count(module, definition)
            for _, origin in definition.imports:
                self.follow(module, origin, (), used=origin.name is not None)

    def see_all(self, module: str) -> None:
        """Reach all that code can get at which looks for names in its own module."""
        self.take_whole(module)
        code = self.code(module)
        for definition in code.definitions if code else ():
            for _, origin in definition.imports:
                self.follow(module, origin, ())

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


def _is_part_of(dotted: str, chain: tuple[str, ...]) -> bool:
    """Tell whether `import a.b.c` has to do with a use of `a`, with some attributes."""
    return all(one == other for one, other in zip(dotted.split("."), chain, strict=False)) or (
        not dotted
    )


def _pieces(
    module: str, reached: Iterable[Definition]
) -> Iterator[tuple[tuple[str, str], Piece]]:
    """Yield what is reached of a module by its names, and the order if that matters."""
    by_label: dict[str, list[Definition]] = {}
    order = []
    for definition in reached:
        by_label.setdefault(definition.label, []).append(definition)
        order.append(definition)
    for label, found in by_label.items():
        digest = syntax.digest(one.text for one in found)
        yield (module, label), Piece(str(found[0].kind), digest, found[0].node.lineno)
    names = [name for one in order for name in one.names]
    repeated = {name for name in names if names.count(name) > 1}
    placed = [one for one in order if one.has_place or one.names & repeated]
    if repeated or any(one.always for one in placed):
        digest = syntax.digest(one.label for one in placed)
        yield (module, "order"), Piece("order", digest, placed[0].node.lineno)
