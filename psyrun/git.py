"""Own the questions to git: which commit a folder is at, and what differs from it.

Only asks: git changes nothing, and shows differences itself, whatever program is set for that.
No answer is no error: there may be no git, no repository or no commit yet, or it is another
user's.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen

MOST_BYTES = 1 << 20
"""How long a diff that is kept may be, in bytes."""

CUT = b"... Psyrun cut this diff here, at 1 MiB\n"
"""The last line of one that is longer."""

_PATIENCE_SECONDS = 10.0

_GIT = ("git", "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false")
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"),
    *("--untracked-files=no", "--no-renames", "--ignore-submodules=untracked"),
)
_DIFF = (  # with options for all that a user's configuration could make of it
    *("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U3"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"),
    "--ignore-submodules=untracked",
)

_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_MISLEADING = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE"),
        *("GIT_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"),
    }
)
"""Variables that lead to another repository, as in a hook, or change what is printed."""


@dataclass(frozen=True)
class GitState:
    """What git says of the repository that a folder is in.

    Attributes
    ----------
    commit : str
        What is checked out.
    branch : str or None
        Under which name; None is none.
    dirty : bool
        Whether files that git tracks differ from the commit.
    untracked : tuple of str
        Which of the files that were asked for are not tracked, as they were given.
    diff : bytes
        The difference from the commit, cut to `MOST_BYTES`. Empty if there is none, or git took
        too long.
    cut : bool
        Whether it was cut.
    """

    commit: str
    branch: str | None
    dirty: bool
    untracked: tuple[str, ...]
    diff: bytes
    cut: bool


def git_state(folder: Path, files: Iterable[str]) -> GitState | None:
    """Ask git about a folder.

    Parameters
    ----------
    folder : Path
        The folder; its repository may begin further up.
    files : iterable of str
        Paths of files relative to it, to see which are not tracked.

    Returns
    -------
    GitState or None
        None if git cannot tell of any commit.
    """
    top = _top_of(folder)
    if top is None or (status := _asked(top, *_STATUS)) is None:
        return None
    heads, dirty = _parsed(status)
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    if not commit or commit == "(initial)":
        return None
    diff = _asked(top, *_DIFF, most=MOST_BYTES) or b"" if dirty else b""
    return GitState(
        commit=commit,
        branch=None if branch == "(detached)" else branch,
        dirty=dirty,
        untracked=tuple(_untracked(top, folder, files)),
        diff=_cut(diff) if len(diff) > MOST_BYTES else diff,
        cut=len(diff) > MOST_BYTES,
    )


def _top_of(folder: Path) -> Path | None:
    """Find the top folder of the repository that a folder is in."""
    real = Path(os.path.realpath(folder))
    return next((one for one in (real, *real.parents) if _is_top(one)), None)


def _is_top(folder: Path) -> bool:
    """Tell whether it is a repository's, a submodule's or a worktree's top folder."""
    return os.path.lexists(folder / ".git")


def _parsed(status: bytes) -> tuple[dict[str, str], bool]:
    """Read what `git status` says: its head lines by name, and whether anything differs."""
    heads: dict[str, str] = {}
    dirty = False
    for entry in status.split(b"\0"):
        if entry.startswith(b"# "):
            name, _, value = os.fsdecode(entry[2:]).partition(" ")
            heads[name] = value
        elif entry:
            dirty = True
    return heads, dirty


def _untracked(top: Path, folder: Path, files: Iterable[str]) -> list[str]:
    """List the files that git does not track, those outside of the repository too."""
    asked = {file: _within(top, folder / file) for file in files}
    paths = sorted({path for path in asked.values() if path})
    listed = _asked(top, "ls-files", "-z", "--", *paths) if paths else b""
    if listed is None:
        return []
    tracked = set(os.fsdecode(listed).split("\0"))
    return [file for file, path in asked.items() if path not in tracked]


def _within(top: Path, file: Path) -> str | None:
    """Tell by which path a repository knows a file, if it may: a submodule's by its folder."""
    real = Path(os.path.realpath(file.parent), file.name)
    if not real.is_relative_to(top):
        return None
    within = list(real.relative_to(top).parents)[-2::-1]  # from the top down, without it
    inner = (folder for folder in within if _is_top(top / folder))
    return next(inner, real.relative_to(top)).as_posix()


def _cut(diff: bytes) -> bytes:
    """Cut a diff at the end of a line, and say so."""
    end = diff.rfind(b"\n", 0, MOST_BYTES - len(CUT)) + 1
    return diff[:end] + CUT


def _asked(top: Path, *arguments: str, most: int = -1) -> bytes | None:
    """Ask git something; None if it has no answer, or none in time.

    Of an answer longer than `most` bytes, its beginning is returned, one byte more than that.
    """
    import subprocess

    env = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    try:
        process = subprocess.Popen(  # in a session of its own, so that it can ask nobody
            [*_GIT, *arguments],
            cwd=top,
            env=env | _QUIET,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):  # no git, no such folder, or a name with a zero byte
        return None
    timer = threading.Timer(_PATIENCE_SECONDS, _end, [process])
    timer.start()
    with process:
        try:
            assert process.stdout is not None
            answer = process.stdout.read(most + 1 if most >= 0 else -1)
            if most < 0 or len(answer) <= most:
                return answer if process.wait() == 0 else None
        finally:
            timer.cancel()
            _end(process)
    return answer


def _end(process: "Popen[bytes]") -> None:
    """End git and what it started, if it still runs."""
    if process.returncode is None:  # not waited for, so the number is still its own
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
