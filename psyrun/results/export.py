"""Own the writing of results into files that other programs read."""

from __future__ import annotations

import contextlib
import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psyrun.exceptions import PsyrunError, ResultsError
from psyrun.files import disk_errors, replacing, sync, unfinished
from psyrun.results.extras import need
from psyrun.salvage import workdir_at
from psyrun.store.arraycolumns import row_blocks
from psyrun.store.arrays import values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from psyrun.results.base import Results

__all__ = ["check_target", "export"]

_EXCEL_ROWS, _EXCEL_COLUMNS = 1_048_576, 16_384


def export(results: Results, path: Path, *, force: bool = False) -> list[str]:
    """Write results into a file whose extension tells the format; it appears whole.

    ``.csv``, ``.xlsx`` and ``.parquet`` hold a table with a row for each row that is done, and
    ``.json`` a list of objects. Arrays are lists in ``.parquet`` and ``.json``, and a column
    for each element in the others. ``.nc`` and ``.zarr`` hold labelled arrays of all rows, see
    `Results.to_xarray`.

    Parameters
    ----------
    results : Results
        What to write.
    path : Path
        The file; ``.zarr`` is a folder.
    force : bool
        Whether to replace what is there.

    Returns
    -------
    list of str
        What was written otherwise than it is, if anything was.

    Raises
    ------
    ResultsError
        If the extension is none of these, something is in the way, or the format cannot hold
        the values.
    ExtraError
        If a library that the format needs is not installed.
    """
    format_ = check_target(path, force=force)
    appearing_whole = _replacing_folder if format_.is_folder else replacing
    try:
        with appearing_whole(path) as temporary:
            return list(format_.write(results, temporary))
    except (PsyrunError, OSError):
        raise
    except Exception as err:  # the libraries raise what they like
        raise ResultsError(
            f"{path} cannot be written ({type(err).__name__}: {err}); another format may hold "
            "the values"
        ) from err


def check_target(path: Path, *, force: bool) -> _Format:
    """Make sure that a file may be written and that it can be; see `export`."""
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        known = ", ".join(_FORMATS)
        raise ResultsError(
            f"the extension of {str(path)!r} is of no format that results can be written in; "
            f"known are {known}, and psy merge writes those of stores"
        )
    for module in format_.modules:
        need(module, f"writing {path.suffix.lower()}")
    place = path.resolve()
    if any(workdir_at(parent) for parent in place.parents):
        raise ResultsError(
            f"{path} lies among the files that Psyrun keeps of a task; name another file"
        )
    if not path.exists():
        return format_
    if not force:
        raise ResultsError(f"{path} is there already; replace it with --force")
    is_zarr = any((path / name).exists() for name in (".zgroup", "zarr.json"))
    if not (is_zarr if format_.is_folder else path.is_file()):
        raise ResultsError(f"{path} is in the way: it is no {path.suffix} that can be replaced")
    return format_


_EXCEL_TEXT = 32_767
_EXACT = 2**53


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Do for a folder what `replacing` does for a file; an old folder goes at the end."""
    temporary = unfinished(path)
    old = temporary.with_name(f"{temporary.name}.old")
    with disk_errors(path):
        try:
            yield temporary
            for file in temporary.rglob("*"):
                sync(file)
            if path.exists():
                path.rename(old)
            temporary.rename(path)
            sync(path.absolute().parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def _write_csv(results: Results, path: Path) -> Iterator[str]:
    results.to_pandas(expand=True).to_csv(path, index=False)
    yield from ()


def _write_excel(results: Results, path: Path) -> Iterator[str]:
    frame = results.to_pandas(expand=True)
    if len(frame) >= _EXCEL_ROWS or len(frame.columns) > _EXCEL_COLUMNS:
        raise ResultsError(
            f"a sheet has at most {_EXCEL_ROWS - 1:,} rows and {_EXCEL_COLUMNS:,} columns, and "
            f"these are {len(frame):,} and {len(frame.columns):,}; use .parquet or .csv"
        )
    changed = [name for name in frame if not _cells_fit(frame[name])]
    for name in changed:
        frame[name] = frame[name].map(str)
    _refuse_long_texts(frame)
    pandas = need("pandas", "writing .xlsx")
    with pandas.ExcelWriter(path, engine="openpyxl") as writer:
        frame.to_excel(writer, index=False)
        for cells in writer.book.active.iter_rows():
            for cell in cells:
                if cell.data_type in {"f", "e"}:  # a text that looks like a formula or error
                    cell.data_type = "s"
    yield from _as_text(changed)


def _refuse_long_texts(frame: pd.DataFrame) -> None:
    """Raise a `ResultsError` where a cell would cut a text."""
    for name in frame:
        texts = (value for value in frame[name] if isinstance(value, str))
        if max(map(len, texts), default=0) > _EXCEL_TEXT:
            raise ResultsError(
                f"a cell of a sheet holds at most {_EXCEL_TEXT:,} characters, and {name!r} has "
                "longer texts; use .parquet or .csv"
            )


def _cells_fit(column: pd.Series[Any]) -> bool:
    """Whether a sheet's cells can hold the values of a column; numbers are floats there."""
    if column.dtype == object:
        return all(
            isinstance(v, str | float | None) or (isinstance(v, int) and abs(v) <= _EXACT)
            for v in column
        )
    if column.dtype.kind in "iu" and len(column):
        return bool(column.min() >= -_EXACT and column.max() <= _EXACT)
    return column.dtype.kind != "c" and getattr(column.dtype, "tz", None) is None


def _as_text(names: Sequence[Any]) -> Iterator[str]:
    if names:
        yield f"written as texts, as the format has no such values: {', '.join(names)}"


def _write_parquet(results: Results, path: Path) -> Iterator[str]:
    frame = results.to_pandas()
    changed = []
    for name in frame:
        column = frame[name]
        if column.dtype == object:
            lists = [_as_lists(value) for value in column]
            kept = _arrow_holds(lists)
            frame[name] = lists if kept else list(map(str, column))
        elif kept := column.dtype.kind != "c":
            continue
        else:
            frame[name] = column.map(str)
        if not kept:
            changed.append(name)
    frame.to_parquet(path, engine="pyarrow", index=False)
    yield from _as_text(changed)


def _as_lists(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _arrow_holds(values: Sequence[Any]) -> bool:
    pyarrow = need("pyarrow", "writing .parquet")
    try:
        pyarrow.array(values, from_pandas=True)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _write_json(results: Results, path: Path) -> Iterator[str]:
    """Write a list of objects, a line each; numbers are exact, and NaN is null."""
    columns = results.columns
    changed: set[str] = set()
    with path.open("w", encoding="utf-8") as file:
        start = "["
        for first, last in row_blocks(columns.values()):
            values = {n: values_of(c.array(first, last)) for n, c in columns.items()}
            plain = {n: [_plain(v, n, changed) for v in vs] for n, vs in values.items()}
            for row in zip(*plain.values(), strict=True):
                record = dict(zip(plain, row, strict=True))
                file.write(f"{start}\n{json.dumps(record, ensure_ascii=False)}")
                start = ","
        file.write("[]\n" if start == "[" else "\n]\n")
    yield from _as_text(sorted(changed))


def _plain(value: Any, name: str, changed: set[str]) -> Any:
    """Turn a value into one that JSON has."""
    if isinstance(value, np.ndarray | np.generic):
        value = (value.astype(str) if value.dtype.kind == "M" else value).tolist()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, name, changed) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, name, changed) for key, item in value.items()}
    changed.add(name)
    return str(value)


def _write_netcdf(results: Results, path: Path) -> Iterator[str]:
    dataset, notes = _dataset(results)
    dataset.to_netcdf(path, engine="h5netcdf")
    yield from notes


def _write_zarr(results: Results, path: Path) -> Iterator[str]:
    dataset, notes = _dataset(results)
    dataset.to_zarr(path, mode="w", zarr_format=2)
    yield from notes


def _dataset(results: Results) -> tuple[xr.Dataset, list[str]]:
    """Make labelled arrays of values that files can hold; in rows, if there is no grid."""
    notes = []
    try:
        dataset = results.to_xarray()
    except ResultsError as err:
        dataset = results.to_xarray(stacked=True)
        dataset = dataset.reset_index(list(dataset.indexes))
        notes.append(f"written with one dimension of rows: {str(err).partition(';')[0]}")
    changed = []
    for name, array in list(dataset.variables.items()):
        if array.dtype.kind == "c":
            new = {f"{name}_real": array.real, f"{name}_imag": array.imag}
            if taken := new.keys() & {*map(str, dataset.variables)}:
                raise ResultsError(
                    f"the parts of {name!r} would be called {' and '.join(new)}, and "
                    f"{min(taken)!r} is there already; use .parquet or .csv"
                )
            dataset = dataset.drop_vars(str(name)).assign(new)
            notes.append(f"written as {' and '.join(new)}: {name}")
        elif array.dtype.kind in "OV" and not _are_texts(array.to_numpy()):
            texts = np.array([_text(v) for v in array.to_numpy().ravel()], dtype=str)
            dataset[name] = (array.dims, texts.reshape(array.shape), array.attrs)
            changed.append(str(name))
    return dataset, [*notes, *_as_text(changed)]


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)  # noqa: PLR0124 - NaN


def _are_texts(values: Any) -> bool:
    kinds = set(map(type, values.ravel()))
    return str in kinds and kinds <= {str, float}


class _Format(NamedTuple):
    """A format: what it needs, what writes it and yields notes, whether it is a folder."""

    modules: tuple[str, ...]
    write: Callable[[Results, Path], Iterator[str]]
    is_folder: bool = False


_FORMATS = {
    ".csv": _Format(("pandas",), _write_csv),
    ".parquet": _Format(("pandas", "pyarrow"), _write_parquet),
    ".nc": _Format(("xarray", "h5netcdf"), _write_netcdf),
    ".zarr": _Format(("xarray", "zarr"), _write_zarr, is_folder=True),
    ".xlsx": _Format(("pandas", "openpyxl"), _write_excel),
    ".json": _Format((), _write_json),
}
