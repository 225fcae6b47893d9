"""Own how a parameter space is written to disk, read back and named by its digest.

A snapshot is a folder: `space.json` holds the structure and the digests of all other files; a
column of plain numbers or of a numeric array is an NPY file, which workers map into memory;
other values are pickles, read only after their digest was right; the rows that a difference,
`where` or a slice kept are an NPY file of row numbers (functions are never written).
"""

import hashlib
import io
import json
import pickle
import shutil
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from psyrun import npy, pickling
from psyrun.exceptions import WorkdirError
from psyrun.files import disk_errors, read_json, replacing_folder, write_bytes
from psyrun.pspace import Constant, Param, ParameterSpace, Product, Selection, Sum

FORMAT = 1
_SPACE = "space.json"
_PLAIN_TEXT_CHARACTERS = 64_000_000
_INT64 = range(-(2**63), 2**63)

Pieces = list[bytes | memoryview]


@dataclass
class Snapshot:
    """A parameter space encoded, and not yet written.

    Attributes
    ----------
    structure : dict
        The space as nested JSON; it names the files.
    files : dict
        The pieces of each file by its name.
    references : set of (module, name)
        The functions, and classes of objects, that occur as values.
    """

    structure: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Pieces] = field(default_factory=dict)
    references: set[tuple[str, str]] = field(default_factory=set)

    def digest(self) -> str:
        """Name the snapshot by its content: equal digests mean equal spaces."""
        text = json.dumps(self.structure, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def write(self, folder: Path) -> None:
        """Write the snapshot into a folder of its own; one that stands and is sound stays."""
        if folder.exists():
            if self._stands_in(folder):
                return
            shutil.rmtree(folder, ignore_errors=True)
        with replacing_folder(folder) as new:
            for name, pieces in self.files.items():
                with (new / name).open("wb") as file:
                    file.writelines(pieces)
            (new / _SPACE).write_text(json.dumps(self.structure) + "\n")

    def _stands_in(self, folder: Path) -> bool:
        """Tell whether a folder holds just this snapshot, byte for byte."""
        try:
            return read_json(folder / _SPACE) == json.loads(json.dumps(self.structure)) and all(
                (folder / name).read_bytes() == b"".join(pieces)
                for name, pieces in self.files.items()
            )
        except (OSError, WorkdirError):
            return False

    def add(self, ext: str, pieces: Pieces) -> dict[str, str]:
        """Add a file and return how the structure refers to it."""
        name = f"{len(self.files)}{ext}"
        self.files[name] = pieces
        state = hashlib.sha256()
        for piece in pieces:
            state.update(piece)
        return {"file": name, "sha256": state.hexdigest()}


def encode(space: ParameterSpace) -> Snapshot:
    """Encode a parameter space.

    Raises
    ------
    ParameterSpaceError
        If a value cannot be pickled; the message names the parameter.
    """
    snapshot = Snapshot()
    snapshot.structure = {
        "format": FORMAT,
        "size": space.size,
        "names": space.keys(),
        "space": _encode_node(space, snapshot),
    }
    return snapshot


def _encode_node(space: ParameterSpace, into: Snapshot) -> dict[str, Any]:
    match space:
        case Param():
            columns = [_encode_column(n, part, into) for n, part in space.parts.items()]
            return {"node": "param", "size": space.size, "columns": columns}
        case Product():
            factors = [_encode_node(part, into) for part in (space.left, space.right)]
            return {"node": "product", "of": factors}
        case Sum():
            return {"node": "sum", "of": [_encode_node(part, into) for part in space.parts]}
        case Selection():
            return {"node": "select", **_encode_rows(space, into)}
        case _:
            columns = [_encode_column(n, c, into) for n, c in space.build().items()]
            return {"node": "param", "size": space.size, "columns": columns}


def _encode_rows(space: Selection, into: Snapshot) -> dict[str, Any]:
    base = _encode_node(space.space, into)
    rows = space.indices
    if isinstance(rows, range):
        return {"of": [base], "range": [rows.start, rows.stop, rows.step]}
    return {"of": [base], "rows": into.add(".npy", npy.encode("q", rows))}


def _encode_column(name: str, part: Sequence[Any], into: Snapshot) -> dict[str, Any]:
    if isinstance(part, range):
        return {"name": name, "as": "range", "range": [part.start, part.stop, part.step]}
    if isinstance(part, Constant):
        return {"name": name, "as": "constant", **_pickled(name, part.value, into)}
    if isinstance(part, npy.NumberColumn):
        return {"name": name, "as": "numbers", **into.add(".npy", [part.path.read_bytes()])}
    if (code := _number_code(part)) is not None:
        return {"name": name, "as": "numbers", **into.add(".npy", npy.encode(code, part))}
    if hasattr(part, "dtype") and not part.dtype.hasobject:
        return {"name": name, "as": "array", **into.add(".npy", _array_pieces(part))}
    values = part if hasattr(part, "dtype") else tuple(part)
    return {"name": name, "as": "values", **_pickled(name, values, into)}


def _number_code(part: Sequence[Any]) -> str | None:
    """Tell the type if a column is of plain Python numbers that one type holds exactly."""
    if not isinstance(part, tuple):
        return None
    kinds = set(map(type, part))
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    if kind is int and min(part) in _INT64 and max(part) in _INT64:
        return "q"
    codes: dict[type, str] = {float: "d", bool: "?"}
    return codes.get(kind)


def _array_pieces(values: Any) -> Pieces:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return [buffer.getbuffer()]


def _pickled(name: str, value: Any, into: Snapshot) -> dict[str, str]:
    data = _pickle_of_texts(value)
    if data is None:
        data, references = pickling.dumps(name, value)
        into.references |= references
    return into.add(".pkl", [data])


def _pickle_of_texts(value: Any) -> bytes | None:
    """Pickle a column of texts without looking for repeated ones; None for other values.

    That takes a third of the time, and the bytes do not depend on which of them are one object.
    """
    if not isinstance(value, tuple) or set(map(type, value)) != {str}:
        return None
    if sum(map(len, value)) > _PLAIN_TEXT_CHARACTERS:
        return None
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()


def load(folder: Path, *, verify: bool = False) -> ParameterSpace:
    """Read a snapshot back; large columns stay in their files until they are asked for.

    Parameters
    ----------
    folder : Path
        Its folder, whose name is its digest.
    verify : bool
        Whether to read all files first, and refuse one that is damaged. Without, that is done
        for pickles only.

    Raises
    ------
    WorkdirError
        If the snapshot is not there, damaged, or holds values whose classes cannot be found.
    """
    structure = _structure(folder)
    if verify:
        _refuse_damaged(structure, folder)
    try:
        return _decode_node(structure["space"], folder)
    except (FileNotFoundError, KeyError, TypeError) as err:
        raise _damage(folder / _SPACE) from err


def check(folder: Path) -> None:
    """Read all files of a snapshot, decode none, and refuse one that is damaged.

    Raises
    ------
    WorkdirError
        If the snapshot is not there or damaged.
    """
    _refuse_damaged(_structure(folder), folder)


def damaged_files(folder: Path) -> list[Path]:
    """List the files of a snapshot that are damaged or not there; decode and unpickle none.

    Parameters
    ----------
    folder : Path
        Its folder, whose name is its digest.
    """
    try:
        return list(_damaged(_structure(folder), folder))
    except OSError:
        return [folder / _SPACE]


def _structure(folder: Path) -> dict[str, Any]:
    """Read the structure of a snapshot, whose digest has to be the folder's name."""
    path = folder / _SPACE
    try:
        structure = read_json(path)
        if structure["format"] != FORMAT:
            raise WorkdirError(
                f"the snapshot {folder} has format {structure['format']}, this Psyrun reads "
                f"{FORMAT}; use the newer Psyrun that wrote it"
            )
        digest = Snapshot(structure).digest()
    except (FileNotFoundError, KeyError, TypeError) as err:
        raise _damage(folder / _SPACE) from err
    if digest != folder.name:
        raise _damage(path)
    return cast("dict[str, Any]", structure)


def _damage(path: Path) -> WorkdirError:
    """Say that a file is damaged or not there, and what to do."""
    return WorkdirError(
        f"{path} is damaged or not there; remove the folder {path.parent}, and run the task "
        "again, which writes it anew if its parameter space is as it was"
    )


def _refuse_damaged(structure: dict[str, Any], folder: Path) -> None:
    damaged = next(_damaged(structure, folder), None)
    if damaged is not None:
        raise _damage(damaged)


def _damaged(structure: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Yield the files that are not as they were written; each is read in blocks."""
    for entry in _files_of(structure["space"]):
        path = folder / entry["file"]
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != entry["sha256"]:
            yield path


def _files_of(node: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield what a structure says about each of its files."""
    for entry in (*node.get("columns", ()), *filter(None, [node.get("rows")])):
        if "file" in entry:
            yield entry
    for inner in node.get("of", ()):
        yield from _files_of(inner)


def _decode_node(node: dict[str, Any], folder: Path) -> ParameterSpace:
    match node["node"]:
        case "param":
            rows = node["size"]
            parts = {c["name"]: _decode_column(c, rows, folder) for c in node["columns"]}
            return Param.from_parts(parts, rows)
        case "product":
            left, right = node["of"]
            return Product(_decode_node(left, folder), _decode_node(right, folder))
        case "sum":
            return Sum(*(_decode_node(part, folder) for part in node["of"]))
        case "select":
            base = _decode_node(node["of"][0], folder)
            if "range" in node:
                return Selection(base, range(*node["range"]))
            return Selection(base, _rows(folder, node["rows"]))
        case other:
            raise WorkdirError(f"{folder / _SPACE} has an unknown node {other!r}")


def _rows(folder: Path, entry: dict[str, Any]) -> "array[int]":
    _verified(folder, entry)
    return array("q", npy.NumberColumn(folder / entry["file"])[:])


def _decode_column(column: dict[str, Any], rows: int, folder: Path) -> Sequence[Any]:
    match column["as"]:
        case "range":
            return range(*column["range"])
        case "constant":
            return Constant(_unpickle(folder, column), rows)
        case "numbers":
            return npy.NumberColumn(folder / column["file"])
        case "array":
            return _mapped(folder / column["file"], rows)
        case _:
            return cast("Sequence[Any]", _unpickle(folder, column))


def _mapped(path: Path, rows: int) -> Sequence[Any]:
    """Map a numeric array into memory."""
    import numpy as np

    with disk_errors(path, "read"):
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")
        except OSError:
            raise
        except Exception as err:  # numpy lets through what its parser of headers raises
            raise WorkdirError(f"{path} is damaged ({err}); run the task again") from err
    if len(mapped) != rows:
        raise WorkdirError(f"{path} is damaged (its size is wrong); run the task again")
    return cast("Sequence[Any]", mapped.view(np.ndarray))


def _verified(folder: Path, entry: dict[str, str]) -> bytes:
    """Read a file that has to be as it was written."""
    path = folder / entry["file"]
    with disk_errors(path, "read"):
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise _damage(path)
    return data


def _unpickle(folder: Path, column: dict[str, Any]) -> Any:
    data = _verified(folder, column)
    try:
        return pickle.loads(data)
    except Exception as err:
        path = folder / column["file"]
        raise WorkdirError(
            f"the values of parameter {column['name']!r} in {path} cannot be loaded "
            f"({type(err).__name__}: {err})"
        ) from err


def write_moves(path: Path, new_rows: Sequence[int]) -> None:
    """Write where each row of an older snapshot stands in a newer one; -1 is nowhere.

    The file is an NPY file, and the SHA-256 of that.
    """
    data = b"".join(npy.encode("q", new_rows))
    write_bytes(path, data + hashlib.sha256(data).digest())


def read_moves(path: Path) -> list[int] | None:
    """Read what `write_moves` wrote; None if the file is not there, or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    size = len(data) - hashlib.sha256().digest_size
    if size < 0 or hashlib.sha256(data[:size]).digest() != data[size:]:
        return None
    return npy.decode(memoryview(data)[:size], path).tolist()
