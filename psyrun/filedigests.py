"""Own the digests of files, those of large ones remembered; know nothing of what files are for.

A large file is known again by its size, inode and time stamps. Whatever writes to a file moves
the time of its last change (ctime), which nobody can set back. Only two writes within one tick
of the file system's clock leave the same stamps, so a file is remembered only if it had been
left alone for some time before it was read. The device is no part of this: its number is
another on each host that mounts a network file system.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from psyrun.exceptions import WorkdirError
from psyrun.files import read_record, write_record

FORMAT = 1
LARGE = 1 << 20
"""Files of as many bytes are remembered; smaller ones are as quickly read."""

_TICK_NS = 2 * 10**9  # the coarsest clock of a file system still in use, FAT's
_WORTH_WAITING = 1 << 30


@dataclass(frozen=True)
class Stamp:
    """What tells one state of a file from another, short of its content.

    Attributes
    ----------
    size : int
        In bytes.
    mtime_ns, ctime_ns : int
        When it was modified and when anything of it changed, in nanoseconds.
    inode : int
        Which file it is.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Take the stamp from what the system says of a file."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    def age_ns(self, now_ns: int) -> int:
        """Tell for how many nanoseconds the file has been left alone."""
        return now_ns - max(self.mtime_ns, self.ctime_ns)


@dataclass
class Digests:
    """Computes digests of files, unless they are known.

    Parameters
    ----------
    known : dict
        The stamp and the SHA-256 of files, by name.
    settle_ns : int
        For how many nanoseconds a file must have been left alone to be remembered.
    """

    known: Mapping[str, tuple[Stamp, str]] = field(default_factory=dict)
    settle_ns: int = _TICK_NS
    _certain: dict[str, tuple[Stamp, str]] = field(default_factory=dict)

    def of(self, path: Path, name: str) -> str:
        """Return the SHA-256 of a file; where it cannot be read, why.

        Parameters
        ----------
        path : Path
            The file.
        name : str
            What it is called, however the project may move.
        """
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe may take for ever
                return "unreadable: not a file"
            # opening makes a network file system ask for the present stamps
            with path.open("rb", buffering=0) as file:
                before = Stamp.of(os.fstat(file.fileno()))
                stamp, sha = self.known.get(name, (None, ""))
                if stamp != before:
                    began = time.time_ns()
                    sha = hashlib.file_digest(file, "sha256").hexdigest()
                    if before.age_ns(began) <= self.settle_ns or before != Stamp.of(
                        path.stat()
                    ):
                        return sha
        except OSError as err:
            return f"unreadable: {err.strerror}"
        if before.size >= LARGE:
            self._certain[name] = before, sha
        return sha

    def write(self, path: Path) -> None:
        """Remember the large files asked for, if that is not what was known.

        Parameters
        ----------
        path : Path
            Where. What can't be written is computed again another time.
        """
        if self._certain == self.known:
            return
        files = {
            name: {"sha256": sha, **asdict(stamp)}
            for name, (stamp, sha) in sorted(self._certain.items())
        }
        with suppress(WorkdirError):
            write_record(path, FORMAT, {"files": files}, flush=False)


def read_digests(path: Path) -> Digests:
    """Read what is remembered; what is damaged or of another format is not believed."""
    try:
        files = read_record(path, FORMAT)["files"]
        known = {
            str(name): (
                Stamp(*(int(entry[n]) for n in ("size", "mtime_ns", "ctime_ns", "inode"))),
                str(entry["sha256"]),
            )
            for name, entry in files.items()
        }
    except (FileNotFoundError, WorkdirError, KeyError, TypeError, ValueError, AttributeError):
        return Digests()
    return Digests(known)


def seconds_to_settle(paths: Iterable[Path]) -> float:
    """Tell how long to wait until large files can be remembered, if that is worth it.

    Parameters
    ----------
    paths : iterable of Path
        The files that will be read.
    """
    size, longest, now = 0, 0, time.time_ns()
    for path in paths:
        with suppress(OSError):
            stamp = Stamp.of(path.stat())
            left = _TICK_NS - stamp.age_ns(now)
            if stamp.size >= LARGE and 0 <= left <= _TICK_NS:
                size += stamp.size
                longest = max(longest, left)
    return longest / 1e9 if size >= _WORTH_WAITING else 0.0
