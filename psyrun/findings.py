"""Own what a check of a work directory can find, as data; the words for it are elsewhere."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from psyrun.rows import Ranges


class Kind(StrEnum):
    """What a file is."""

    RUN_FILE = "run file"
    JOB = "job"
    SNAPSHOT = "snapshot"
    MOVES = "moves"
    CODE = "code"
    JOURNAL = "journal"
    NOTE = "note"
    PARTIAL = "partial result"
    RESULT = "result"


class Problem(StrEnum):
    """What is wrong with it."""

    DAMAGED = "damaged"
    GONE = "gone"
    UNREADABLE = "unreadable"
    OTHER_FORMAT = "other format"
    NO_NOTE = "no note"
    TORN = "torn"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes
    ----------
    path : Path
        A file, or the folder of a snapshot or of a frozen code.
    kind, problem : Kind, Problem
        What it is, and what is wrong.
    lost : ranges or None
        The rows of the last run that count as missing for it. None: which they are is not
        known.
    unreadable : int or None
        How many rows cannot be read there. None: all that `lost` names.
    counts : bool
        Whether it matters to the last run: its rows count there, or it is that run's own
        snapshot or code.
    """

    path: Path
    kind: Kind
    problem: Problem
    lost: Ranges | None = ()
    unreadable: int | None = None
    counts: bool = True

    @property
    def harmless(self) -> bool:
        """Whether this happens to a run that is killed, and costs no finished row."""
        kept = self.problem is Problem.NO_NOTE and self.lost == ()
        return kept or self.problem is Problem.TORN


@dataclass
class Checked:
    """What the check of a work directory came to.

    Attributes
    ----------
    files, size : int
        How many files were read, and their bytes.
    findings : list of Finding
        What is wrong.
    whole : bool
        Whether a sound result of the last run's parameter space stands.
    """

    files: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)
    whole: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return all(finding.harmless for finding in self.findings)
