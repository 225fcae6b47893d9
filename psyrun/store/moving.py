"""Own the moving of bytes from files into a file; know no format.

Who plans the moves knows why the bytes are right where they go.
"""

from __future__ import annotations

import contextlib
import os
import resource
import zlib
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from psyrun.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["Move", "Stretch", "carry_out"]

_BLOCK = 1 << 20
"""At once. Twice as much no longer stays in the processor's cache on its way."""

_RESERVED_BYTES = 16 << 20
_MOST_FILES = 500


class Move(NamedTuple):
    """Bytes that stand in a file, and where they go in another.

    Attributes
    ----------
    target : int
        Where the first one goes.
    size : int
        How many bytes.
    path : Path
        The file that they are in.
    source : int
        Where the first one is there.
    """

    target: int
    size: int
    path: Path
    source: int


class Stretch(NamedTuple):
    """Where the rows of a dataset stand in its file.

    Attributes
    ----------
    kind : tuple
        What has to be the same in two files of a format so that the same bytes mean the same.
    length : int
        How many rows there are.
    rows, row_bytes : int
        How many rows follow each other at each place at least, and the bytes of each.
    places : sequence of int
        The place of each such group of rows in the file.
    """

    kind: tuple[Any, ...]
    length: int
    rows: int
    row_bytes: int
    places: Sequence[int]

    def at(self, row: int) -> tuple[int, int]:
        """Tell where a row stands, and how many rows follow it there, itself included."""
        group, within = divmod(row, self.rows)
        rows = min(self.rows - within, self.length - row)
        return self.places[group] + within * self.row_bytes, rows


def carry_out(path: Path, moves: Iterable[Move]) -> int:
    """Move bytes into a file whose other bytes are as they shall be.

    Parameters
    ----------
    path : Path
        The file; it has its size already.
    moves : iterable of Move
        What goes where. None overlap.

    Returns
    -------
    int
        The CRC-32 of the file.

    Raises
    ------
    StoreError
        If a source ends too early.
    """
    sources = _Sources()
    with (
        path.open("r+b", buffering=0) as file,
        contextlib.closing(sources),
        ThreadPoolExecutor(1) as pool,
    ):
        target = _Target(file, path.stat().st_size, pool)
        for move in sorted(moves):
            target.go_to(move.target)
            source = sources.file(move.path)
            source.seek(move.source)
            left = move.size
            while left:
                got = target.take(source, left)
                if not got:
                    raise StoreError(f"{move.path} is damaged: it ends too early")
                left -= got
        return target.finished()


class _Target:
    """A file that is gone through from its front: some bytes are kept, others written.

    Parameters
    ----------
    file : file
        The file, open without a buffer.
    size : int
        Its bytes.
    pool : ThreadPoolExecutor
        One thread, which finds the CRC while bytes are written, and the next ones are read.
    """

    def __init__(self, file: Any, size: int, pool: ThreadPoolExecutor) -> None:
        self._file, self._size, self._pool = file, size, pool
        self._crc = 0
        self._place = self._reserved = 0
        self._buffer, self._other = (memoryview(bytearray(_BLOCK)) for _ in range(2))
        self._held = 0
        self._passing: Future[None] | None = None

    def go_to(self, place: int) -> None:
        """Keep the bytes from here to a place that is not before this one."""
        if self._place + self._held < place:
            self._write()
        while self._place + self._held < place:
            got = self._file.readinto(self._buffer[: min(place - self._place, _BLOCK)])
            if not got:
                raise StoreError("the file became shorter while it was written")
            self._pass(self._buffer[:got])

    def take(self, source: Any, most: int) -> int:
        """Take bytes of a source for those that come next; tell how many they were."""
        if self._held == _BLOCK:
            self._write()
        room = self._buffer[self._held : self._held + most]
        got: int = source.readinto(room)
        self._held += got
        return got

    def finished(self) -> int:
        """Keep what is left, and return the CRC-32 of the file."""
        self._write()
        self.go_to(self._size)
        self._wait()
        return self._crc

    def _write(self) -> None:
        data, self._held = self._buffer[: self._held], 0
        if data:
            self._reserve(self._place + len(data))
            self._pass(data)
        while data:
            data = data[self._file.write(data) :]

    def _pass(self, data: memoryview) -> None:
        """Have the CRC of what this buffer holds found, and go on with the other."""
        self._wait()
        self._passing = self._pool.submit(self._add, data)
        self._place += len(data)
        self._buffer, self._other = self._other, self._buffer

    def _add(self, data: memoryview) -> None:
        self._crc = zlib.crc32(data, self._crc)

    def _wait(self) -> None:
        if self._passing is not None:
            self._passing.result()

    def _reserve(self, place: int) -> None:
        """Ask for the room up to a place and some more: writing is faster then.

        Little at a time, as where the file system can't do it every block is written to.
        """
        if place <= self._reserved or not hasattr(os, "posix_fallocate"):
            return
        start, self._reserved = max(self._place, self._reserved), place + _RESERVED_BYTES
        stop = min(self._reserved, self._size)
        with contextlib.suppress(OSError):  # whether there is room, writing tells
            os.posix_fallocate(self._file.fileno(), start, stop - start)


class _Sources:
    """The files that bytes are in, of which a few stay open."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Any] = OrderedDict()
        self._most = min(_MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)

    def file(self, path: Path) -> Any:
        """Open a file, or return it where it is open still."""
        if path not in self._open:
            while len(self._open) >= self._most > 0:
                self._open.popitem(last=False)[1].close()
            self._open[path] = path.open("rb", buffering=0)
        self._open.move_to_end(path)
        return self._open[path]

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._open.popitem()[1].close()
