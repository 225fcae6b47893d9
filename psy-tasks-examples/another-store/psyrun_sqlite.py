"""Keep results of Psyrun as a table of SQLite."""

import contextlib
import math
import sqlite3
from functools import partial
from pathlib import Path

from psyrun.exceptions import StoreError
from psyrun.store import Store


class SqliteStore(Store):
    """Keep results in the table `result` of an SQLite file; a gap, which is NaN, is NULL."""

    ext = ".sqlite"

    def save(self, filename, data):
        Path(filename).unlink(missing_ok=True)
        self.append(filename, data)

    def load(self, filename, row=None):
        Path(filename).stat()  # a file that is not there is no damaged one
        with opened(filename, "ro") as db:
            found = db.execute("SELECT * FROM result ORDER BY _rowid_")
            names = [name for name, *_ in found.description]
            columns = {name: [] for name in names}
            for values in found:
                for name, value in zip(names, values, strict=True):
                    columns[name].append(math.nan if value is None else value)
        return columns if row is None else {k: [column[row]] for k, column in columns.items()}

    def append(self, filename, data):
        with opened(filename, "rwc") as db:
            listed = ", ".join(map(quoted, data))
            db.execute(f"CREATE TABLE IF NOT EXISTS result ({listed})")
            known = {name for _, name, *_ in db.execute("PRAGMA table_info(result)")}
            for name in data:
                if name not in known:
                    db.execute(f"ALTER TABLE result ADD COLUMN {quoted(name)}")
            rows = zip(*(map(partial(plain, k), v) for k, v in data.items()), strict=True)
            marks = ", ".join("?" * len(data))
            db.executemany(f"INSERT INTO result ({listed}) VALUES ({marks})", rows)  # noqa: S608

    def check(self, row):
        for name, value in row.items():
            plain(name, value)


@contextlib.contextmanager
def opened(filename, mode):
    """Open a file. Disks of clusters may have no locks; here none are needed."""
    uri = f"{Path(filename).absolute().as_uri()}?mode={mode}&nolock=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db, db:
            db.execute("PRAGMA journal_mode = MEMORY")  # no second file beside
            yield db
    except sqlite3.Error as err:
        raise StoreError(f"{filename}: SQLite says: {err}") from err


def plain(name, value):
    """Return a value as SQLite holds it."""
    if getattr(value, "shape", None) == ():
        value = value.item()  # a number of numpy
    if not isinstance(value, int | float | str | bytes):
        what = f"a value of type {type(value).__name__}"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        what = "an integer beyond 64 bits"
    else:
        return value
    raise StoreError(f"SqliteStore cannot hold {name!r}: {what}; PickleStore can")


def quoted(name):
    """Write a name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'
