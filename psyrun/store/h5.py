"""Own results as HDF5: one dataset for each column, which every reader of HDF5 understands."""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.exceptions import StoreError
from psyrun.store.arraycolumns import row_blocks
from psyrun.store.arraystore import ArrayStore, holding

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    import h5py

    from psyrun.store.base import ArrayColumn, Labelled, Reader
    from psyrun.store.forms import Form
    from psyrun.store.h5reader import H5Reader
    from psyrun.store.h5table import TableReader

__all__ = ["H5Store"]

_CHUNK_BYTES = 256 << 10
_BLOSC = "blosc:lz4"
_LEVEL = 5
_COMPRESSIONS = re.compile("blosc2?(:(blosclz|lz4|lz4hc|zlib|zstd))?|gzip|zlib|bzip2")


class H5Store(ArrayStore):
    """Keep results as HDF5: a dataset for each column, or one table.

    Parameters
    ----------
    node : str
        The group that holds the datasets or the table.
    compression : str or int, optional
        How chunks are compressed. Datasets: 'gzip', 'lzf' or a level of gzip from 0 to 9; None
        leaves them as they are, which is the fastest and what every program reads. A table:
        'blosc:lz4', 'blosc:zstd' or another of PyTables' names, 'gzip', or a level from 0 to 9
        of 'blosc:lz4', which is also what None stands for.
    layout : {'columns', 'table'}
        How results are written; both are read. 'columns' is a chunked, extendable dataset for
        each column. 'table' is one table of PyTables, called `table`, of which a row is an
        assignment.
    index : iterable of str
        Columns of a table that get an index, so that a condition on them is answered without
        reading the table. Fewer than 10,000 rows get none: they are read as quickly. Texts
        and bytes with a NUL within get none either.
    virtual : bool
        Whether the result of a task holds no rows, but refers to those in the partial results
        (an HDF5 virtual dataset): nothing is copied, and the result can be read as long as the
        task's work directory is where it was, seen from the result.

    Raises
    ------
    StoreError
        If `compression` or `index` do not go with the layout.

    Notes
    -----
    Of datasets, texts are UTF-8: of fixed width up to 256 bytes, of variable length where one
    is longer; beside such a one, none may hold a NUL.
    Dates are 64 bit integers, with their numpy type in the attribute `dtype`. The group has the
    attributes `task` and `fingerprint`, a dataset `units` where the task gives them. Files that
    psyrun 0.8 wrote are read.

    A table has fixed widths: it holds texts and bytes of up to 4,096 bytes, and no bytes that
    end in NUL. Rows are read as a whole, so one column of a table takes longer to read than a
    dataset; what a table is for is to be searched by its indexes, and to be used by PyTables.
    PyTables unpickles attributes that look like pickles: open a stranger's table no sooner than
    a stranger's pickle.
    """

    ext: ClassVar[str] = ".h5"
    labels_kept: ClassVar[bool] = True
    node: str = "/psyrun"
    compression: str | int | None = None
    layout: str = "columns"
    index: tuple[str, ...] = ()

    def __init__(
        self,
        node: str = "/psyrun",
        compression: str | int | None = None,
        layout: str = "columns",
        index: Iterable[str] = (),
        *,
        virtual: bool = False,
    ) -> None:
        self.node = f"/{node.strip('/')}"
        self.compression = compression
        self.layout = layout
        self.virtual = virtual
        self.index = (index,) if isinstance(index, str) else tuple(index)
        if not node.strip("/"):
            raise StoreError("node is a group of its own, such as '/psyrun', not the root")
        if layout not in {"columns", "table"}:
            raise StoreError(f"layout={layout!r}; there are 'columns' and 'table'")
        if layout == "columns" and self.index:
            raise StoreError(f"index={self.index!r} needs layout='table'")
        if virtual and layout == "table":
            raise StoreError("virtual=True needs layout='columns'")
        if layout == "table":
            _table_filters(compression)
        elif compression not in {None, "gzip", "lzf", *range(10)}:
            hint = " needs layout='table'" if str(compression).startswith("blosc") else ""
            raise StoreError(
                f"compression={compression!r}{hint}; datasets take 'gzip', 'lzf', or a level "
                "of gzip from 0 to 9"
            )

    def for_partials(self) -> H5Store:
        """Return the store that jobs write partial results with: datasets, and no index."""
        store = copy.copy(self)
        store.virtual = False
        if self.layout == "table":
            store.layout, store.index, store.compression = "columns", (), None
        return store

    def check(self, row: Mapping[str, Any]) -> None:
        """Make sure that this format holds the values of a row; see `Store.check`."""
        super().check(row)
        if self.layout == "table":
            for name, value in row.items():
                if isinstance(value, str):  # each has a width here
                    self._check_value(name, value)

    def needs_width(self, form: Form) -> bool:
        """Whether texts or bytes have a width; see `ArrayStore.needs_width`."""
        from psyrun.store.forms import LONG

        return super().needs_width(form) and (self.layout == "table" or form.size <= LONG)

    def check_form(self, form: Form) -> None:
        """Make sure that the format holds arrays of a form; see `ArrayStore.check_form`."""
        super().check_form(form)
        if self.layout == "table":
            from psyrun.store.h5fields import check_table_form

            check_table_form(form)
        else:
            from psyrun.store.h5types import file_dtype

            file_dtype(form)

    def _write_table(
        self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled
    ) -> None:
        """Write columns as a table, and make its indexes."""
        from psyrun.store.h5index import check_index, make_indexes
        from psyrun.store.h5table import TABLE, check_whole, write_table

        wanted = [name for name in self.index if name in columns]
        if columns and (unknown := [name for name in self.index if name not in columns]):
            raise StoreError(
                f"index names {', '.join(map(repr, unknown))}, but the columns are "
                f"{', '.join(map(repr, columns))}"
            )
        for name in wanted:
            check_index(name, columns[name].form)
        filters = _table_filters(self.compression)
        within = functools.partial(holding, self)
        fields = write_table(path, self.node, columns, labels, filters, within)
        if wanted:
            where = f"{self.node}/{TABLE}"
            make_indexes(path, where, [fields[name] for name in wanted], filters)
        check_whole(path, self.node, max(map(len, columns.values()), default=0))

    def write(
        self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled
    ) -> int | None:
        """Write columns; see `ArrayStore.write`."""
        if self.layout == "table":
            self._write_table(path, columns, labels)
            return None
        if self.virtual:
            from psyrun.store.h5virtual import write_virtual

            write_virtual(path, self, self.node, columns, labels)
            return None
        return self._write_datasets(path, columns, labels)

    def _write_datasets(
        self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled
    ) -> int | None:
        """Write each column as a dataset: rows that stand in files as they shall be move."""
        from psyrun.store.h5moves import Plan
        from psyrun.store.h5types import describe, new_file, write_rows
        from psyrun.store.moving import carry_out

        plan = Plan()
        with new_file(path, self.node, labels) as group:
            datasets = {}
            for name, column in columns.items():
                with holding(self, name):
                    datasets[name] = self._create(group, name, column)
                    describe(datasets[name], name, column.form, labels)
                    plan.add(name, column, datasets[name])
            made = [column for name, column in columns.items() if plan.left(name)]
            for start, stop in row_blocks(made):
                for name, column in columns.items():
                    for low, high in plan.left(name, start, stop):
                        with holding(self, name):
                            write_rows(datasets[name], low, column.array(low, high))
        return carry_out(path, plan.moves) if plan.moves else None

    def _create(self, group: h5py.Group, name: str, column: ArrayColumn) -> h5py.Dataset:
        """Make the empty dataset of a column."""
        from psyrun.store.h5moves import may_move, placed
        from psyrun.store.h5types import file_dtype, link_name

        form, size = column.form, len(column)
        dtype = file_dtype(form)
        return group.create_dataset(
            link_name(name),
            shape=(size, *form.shape),
            dtype=dtype,
            maxshape=(None, *(extent or None for extent in form.shape)),
            chunks=_chunks(size, form.shape, dtype.itemsize),
            compression=self.compression,
            dcpl=placed() if self.compression is None and may_move(column) else None,
        )

    def open(
        self, filename: str | os.PathLike[str], *, caching: bool = True
    ) -> H5Reader | TableReader:
        """Open a file of either layout to read parts of it; see `Store.open`."""
        from psyrun.store.h5reader import H5Reader

        reader = H5Reader(Path(filename), self.node, caching=caching)
        if not reader.is_table:
            return reader
        from psyrun.store.h5table import TableReader

        reader.close()
        return TableReader(reader.path, reader.node)

    def labels(self, reader: Reader) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Read attributes and units from an open file; see `ArrayStore.labels`."""
        from psyrun.store.h5reader import H5Reader
        from psyrun.store.h5table import TableReader

        if isinstance(reader, (H5Reader, TableReader)):
            return reader.attributes, reader.units
        return {}, {}


def _table_filters(compression: str | int | None) -> dict[str, Any]:
    """Say by which arguments of `tables.Filters` a table is compressed."""
    if isinstance(compression, int):
        if compression in range(10):
            return {"complib": _BLOSC, "complevel": compression, "shuffle": True}
    elif compression is None or _COMPRESSIONS.fullmatch(str(compression)):
        complib = {None: _BLOSC, "gzip": "zlib"}.get(compression, compression)
        return {"complib": complib, "complevel": _LEVEL, "shuffle": True}
    raise StoreError(
        f"compression={compression!r}; a table takes 'blosc:lz4', 'blosc:zstd', 'gzip' or a "
        "level from 0 to 9"
    )


def _chunks(rows: int, shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Choose the extent of chunks: whole rows, as many as make about 256 KiB; at least one.

    No more than there are: a chunk takes its room on the disk also where it is not filled.
    """
    extents = [max(extent, 1) for extent in shape]
    row_bytes = item_bytes
    for extent in extents:
        row_bytes *= extent
    axis = 0
    while row_bytes > 16 * _CHUNK_BYTES and axis < len(extents):  # a row is large: cut it too
        row_bytes //= extents[axis]
        extents[axis] = max(1, min(extents[axis], 16 * _CHUNK_BYTES // row_bytes))
        row_bytes *= extents[axis]
        axis += 1
    return (max(1, min(rows, _CHUNK_BYTES // row_bytes)), *extents)
