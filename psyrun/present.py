"""Own the comparison of what was run with what is there now: the space and the code.

Only reads. What would have to be written to make use of older rows is part of the answer.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psyrun import snapshot
from psyrun.code import CodeImage, frozen_code, with_values
from psyrun.exceptions import WorkdirError
from psyrun.fingerprint import Change, Part, differences, fingerprint
from psyrun.pspace import ParameterSpace, match
from psyrun.runfile import Run, RunFile
from psyrun.snapshot import Snapshot
from psyrun.state import Source, TaskState, mark_rows, read_sources, select_sources
from psyrun.workdir import Workdir, run_of


@dataclass(frozen=True)
class Present:
    """The present space and code, seen against the runs before.

    Attributes
    ----------
    run : Run
        What a run of them would be, without jobs.
    encoded : Snapshot
        The space, encoded; `run.snapshot` names it.
    image : CodeImage
        The code; `run.code` names it.
    state : TaskState
        Which rows are done by this code, or by codes accepted.
    changes : dict
        For each other code that there are rows by: what differs.
    stale_codes : dict
        Of these, the ones that rows are done by that do not count.
    sources : list of Source
        All files that hold rows.
    lost : list of str
        Why rows of an older space could not be compared.
    """

    run: Run
    encoded: Snapshot
    image: CodeImage
    state: TaskState
    changes: Mapping[str, list[Change]] = field(default_factory=dict)
    stale_codes: Mapping[str, list[Change]] = field(default_factory=dict)
    sources: Sequence[Source] = ()
    lost: Sequence[str] = ()


def look(
    workdir: Workdir,
    file: RunFile,
    space: ParameterSpace,
    image: CodeImage,
    sources: Sequence[Source] | None = None,
    *,
    depends_on: Sequence[str] = (),
) -> Present:
    """Compare the present space and code with what was run.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    file : RunFile
        Its runs.
    space : ParameterSpace
        The present space.
    image : CodeImage
        The present code.
    sources : sequence of Source, optional
        The files that hold rows. None reads which there are.
    depends_on : sequence of str
        The packages whose versions count.
    """
    if sources is None:
        sources = read_sources(workdir)
    encoded = snapshot.encode(space)
    image = with_values(image, encoded.references)
    code = image.digest()
    others = ({s.code for s in sources} | _codes(file)) - {code}
    differing = _differing(workdir, image, others, depends_on) | {code: []}
    same = tuple(sorted(c for c, parts in differing.items() if not parts and c != code))
    last = file.last
    mine = [run for run in file.runs if run.code in (code, *same)]
    run = Run(
        number=next_number(last, sources),
        snapshot=_known_snapshot(workdir, last, space, encoded.digest()),
        code=code,
        size=space.size,
        since=last.since if last else 1,
        same=same,
        accepted=mine[-1].accepted if mine else (),
    )
    state, lost = state_for(workdir, run, space, sources)
    stale = {c: parts for c, parts in differing.items() if parts and c not in run.accepted}
    done_by = {source.code for source in sources if source.done}
    return Present(
        run,
        encoded,
        image,
        state,
        differing,
        {c: parts for c, parts in stale.items() if c in done_by},
        sources,
        lost,
    )


def next_number(last: Run | None, sources: Sequence[Source]) -> int:
    """Return the next run's number; its jobs get names that were never used before."""
    return 1 + max([last.number if last else 0, *(run_of(source.job) for source in sources)])


def accepting(workdir: Workdir, present: Present, space: ParameterSpace) -> Present:
    """Look again, with the rows of all other codes accepted."""
    accepted = tuple(sorted({*present.run.accepted, *present.stale_codes}))
    run = dataclasses.replace(present.run, accepted=accepted)
    state, lost = state_for(workdir, run, space, present.sources, present.state.moves)
    return dataclasses.replace(present, run=run, state=state, lost=lost, stale_codes={})


def forgetting(workdir: Workdir, present: Present, space: ParameterSpace) -> Present:
    """Look again, with no earlier row counting."""
    run = dataclasses.replace(present.run, since=present.run.number, accepted=())
    state, lost = state_for(workdir, run, space, ())
    return dataclasses.replace(present, run=run, state=state, lost=lost, stale_codes={})


def _codes(file: RunFile) -> set[str]:
    return {file.last.code} if file.last else set()


def _differing(
    workdir: Workdir, image: CodeImage, others: set[str], depends_on: Sequence[str]
) -> dict[str, list[Change]]:
    """Name, for each other code, what differs; by computing both fingerprints now.

    Functions and classes that occur as parameter values count if they do in both spaces: no
    other row is the same.
    """
    found: dict[str, list[Change]] = {}
    present: dict[frozenset[tuple[str, str]], dict[str, Part]] = {}
    for other in others:
        try:
            old = frozen_code(workdir.code(other))
        except WorkdirError:
            found[other] = [Change("the copy of the code as run cannot be read", "code")]
            continue
        values = frozenset(old.values) & frozenset(image.values)
        if values not in present:
            present[values] = fingerprint(image, values, depends_on)
        found[other] = differences(fingerprint(old, values, depends_on), present[values])
    return found


def _known_snapshot(
    workdir: Workdir, last: Run | None, space: ParameterSpace, digest: str
) -> str:
    """Name the space; by the last snapshot's name if it has equal rows in the same order.

    Values such as sets have no fixed order when written, so equal spaces may differ in digest.
    """
    if last is None or last.snapshot == digest or last.size != space.size:
        return digest
    try:
        equal = snapshot.load(workdir.snapshot(last.snapshot), verify=True) == space
    except (WorkdirError, FileNotFoundError):
        return digest
    return last.snapshot if equal else digest


def state_for(
    workdir: Workdir,
    run: Run,
    space: ParameterSpace,
    sources: Sequence[Source],
    known_moves: Mapping[str, Sequence[int]] | None = None,
) -> tuple[TaskState, list[str]]:
    """Find out how far a run would be, with the rows of older spaces compared here and now.

    Parameters
    ----------
    workdir : Workdir
        The work directory.
    run : Run
        The run.
    space : ParameterSpace
        Its parameter space.
    sources : sequence of Source
        The files that hold rows.
    known_moves : dict, optional
        Where the rows of some older spaces stand in this one, found out before.

    Returns
    -------
    state : TaskState
        How far it is.
    lost : list of str
        Why rows of an older space could not be compared.
    """
    moves: dict[str, Sequence[int]] = {}
    lost = []
    used = select_sources(run, sources)
    for digest in {s.snapshot for s in used} - {run.snapshot}:
        try:
            known = (known_moves or {}).get(digest)
            moves[digest] = known or _moves(workdir, digest, run, space)
        except (WorkdirError, FileNotFoundError) as err:
            lost.append(f"rows of an earlier parameter space are not kept: {err}")
    used = [s for s in used if s.snapshot == run.snapshot or s.snapshot in moves]
    return mark_rows(TaskState(run, bytearray(run.size), used, moves)), lost


def _moves(workdir: Workdir, old: str, run: Run, space: ParameterSpace) -> Sequence[int]:
    written = snapshot.read_moves(workdir.moves(old, run.snapshot))
    if written is not None:
        return written
    return match(snapshot.load(workdir.snapshot(old), verify=True), space)
