"""Own the fingerprint of code: everything that results depend on, named and digested.

Fingerprints are never kept: both that are compared are computed here and now.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from psyrun.code import CodeImage
from psyrun.reach import Pieces, Unit, reach
from psyrun.settings import HARMLESS
from psyrun.taskfiles import CONF, CONF_MODULE


@dataclass(frozen=True)
class Part:
    """One thing that results depend on.

    Attributes
    ----------
    kind : str
        What it is: a function, class, constant, import, statement, order, module, file or
        package.
    digest : str
        Of what counts of it.
    place : str
        The file, relative to the task directory, and the line; of a package, its version.
    """

    kind: str
    digest: str
    place: str


def digest_of(parts: Mapping[str, Part]) -> str:
    """Digest a fingerprint into one text; the places of the parts do not count."""
    text = json.dumps(sorted((name, part.digest) for name, part in parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


_NOTHING = Part("", "", "")


@dataclass(frozen=True)
class Change:
    """One difference between two fingerprints.

    Attributes
    ----------
    name : str
        What differs, in words.
    kind : str
        As of a `Part`.
    old, new : str or None
        Its place then and now; None is nowhere.
    """

    name: str
    kind: str
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        return self.name


def fingerprint(
    image: CodeImage, values: Collection[tuple[str, str]], depends_on: Collection[str] = ()
) -> dict[str, Part]:
    """Collect all that results depend on.

    Parameters
    ----------
    image : CodeImage
        The code.
    values : collection of (module, name)
        The functions and classes that occur as parameter values.
    depends_on : collection of str
        The packages whose versions count.

    Returns
    -------
    dict
        The parts, each by its name in words.
    """
    task = Path(image.task_file).stem
    paths = {name: module.path for name, module in image.modules.items()}
    paths |= {CONF_MODULE: Path(CONF), task: Path(image.task_file)}
    units = {
        name: Unit(m.source, m.is_package, is_python=m.source is None or m.is_text)
        for name, m in image.modules.items()
    }
    if image.conf_source is not None:
        units[CONF_MODULE] = Unit(image.conf_source, settings=HARMLESS)
    units[task] = Unit(image.task_source, settings=HARMLESS)
    pieces = _reach(units, task, values)
    found: dict[str, Part] = {}
    for key, piece in sorted(pieces.items()):
        name = _in_words(key, piece.kind, task)
        # `import a.b` and the name `b` in a package `a` are the same words
        digests = [found[name].digest, piece.digest] if name in found else [piece.digest]
        place = f"{paths[key[0]].as_posix()}:{piece.line}"
        found[name] = Part(piece.kind, "+".join(digests), place)
    for path, digest in image.file_dep.items():
        found[f"file `{path}`"] = Part("file", digest, path)
    for name in depends_on:
        version = image.packages.get(name, "")
        found[f"package `{name}`"] = Part("package", version, version)
    return found


def _reach(units: Mapping[str, Unit], task: str, values: Collection[tuple[str, str]]) -> Pieces:
    """Collect what `execute`, `setup` and the parameter values reach.

    The names count in the task file if it defines them there, else in `psy-conf.py`. Any local
    module may be what an import with a computed name gets.
    """
    files = [module for module in (task, CONF_MODULE) if module in units]
    roots = [[(module, name) for module in files] for name in ("execute", "setup")]
    roots += [[(module, name.partition(".")[0])] for module, name in values if module in units]
    computed = [module for module in units if module not in files]
    return reach(units, roots, entered=files, computed=computed)


def _in_words(key: tuple[str, str], kind: str, task: str) -> str:
    """Name a piece, as the user would."""
    module, label = key
    if kind == "module":
        return f"module `{module}`"
    place = {task: "", CONF_MODULE: f" of {CONF}"}.get(module)
    if kind in ("statement", "order"):
        text = "the order of statements" if kind == "order" else f"statement `{label}`"
        return text + (f" of {module}" if place is None else place)
    return f"`{module}.{label}`" if place is None else f"`{label}`{place}"


def differences(old: Mapping[str, Part], new: Mapping[str, Part]) -> list[Change]:
    """List what differs between two fingerprints, sorted by name; imports come last.

    The order of statements is told only where nothing else differs.
    """
    found = []
    for name in {*old, *new}:
        then, now = old.get(name, _NOTHING), new.get(name, _NOTHING)
        if then.digest != now.digest:
            kind = now.kind or then.kind
            found.append(Change(name, kind, then.place or None, now.place or None))
    found.sort(key=lambda change: (change.kind == "import", change.name))
    return [change for change in found if change.kind != "order"] or found
