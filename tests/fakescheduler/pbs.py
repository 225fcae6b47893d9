"""The commands of OpenPBS and of Torque, as far as Psyrun uses them."""

import re
import sys
from pathlib import Path

from tests.fakescheduler import core
from tests.fakescheduler.core import Job, Queue, Refused

SERVER = ".pbs-1.example"


def _torque(queue: Queue) -> bool:
    return bool(queue.settings.get("torque"))


def qsub(queue: Queue, argv: list[str]) -> int:
    script = Path(argv[0]).read_text(errors="surrogateescape")
    header = [words for words in core.header(script, "#PBS ") if len(words) > 1]
    asked = {words[0]: words[1] for words in header if words[0] != "-l"}
    resources = dict(words[1].split("=", 1) for words in header if words[0] == "-l")
    wrong = {"-J", "select"} if _torque(queue) else {"-t", "nodes", "mem"}
    if bad := wrong & {*asked, *resources}:
        raise Refused(f"qsub: invalid option -- {bad.pop()}", 2)
    listed, _, throttle = asked.get("-t", asked.get("-J", "")).partition("%")
    if listed == "0-0" and not _torque(queue):
        raise Refused('qsub: illegal -J value "0-0"', 2)
    depends = re.findall(r":(\d+)", asked.get("-W", ""))
    with queue.opened() as jobs:
        live = {job.id for job in jobs if not job.ended}
    for ended in set(depends) - live:
        raise Refused(f"qsub: Job has finished {ended}{SERVER}", 35)
    indices = core.indices(listed) if listed else [None]
    variable = "PBS_ARRAYID" if _torque(queue) else "PBS_ARRAY_INDEX"
    jobs = queue.add(
        script,
        lambda number: [
            Job(
                str(number),
                str(number + at),
                index,
                asked["-N"],
                None,
                variables={
                    "PBS_O_WORKDIR": str(Path.cwd()),
                    **({} if index is None else {variable: str(index)}),
                },
                depends=depends,
                throttle=int(throttle) if throttle else None,
                limit=core.clock_seconds(resources["walltime"])
                if "walltime" in resources
                else None,
            )
            for at, index in enumerate(indices)
        ],
        folder="/",  # jobs start at home
    )
    print(_shown(jobs[0], whole=True))
    return 0


def _shown(job: Job, *, whole: bool = False) -> str:
    index = "" if job.index is None else "[]" if whole else f"[{job.index}]"
    return f"{job.id}{index}{SERVER}"


def _check_history(queue: Queue, argv: list[str]) -> None:
    if "-x" in argv and (_torque(queue) or not queue.settings.get("history", True)):
        raise Refused("PBS server is not configured to maintain job history")


def qselect(queue: Queue, argv: list[str]) -> int:
    _check_history(queue, argv)
    with queue.opened() as jobs:
        known = [j for j in jobs if not j.forgotten and ("-x" in argv or not j.ended)]
    for shown in dict.fromkeys(_shown(job, whole=True) for job in known):
        print(shown)
    return 0


def qstat(queue: Queue, argv: list[str]) -> int:
    if argv == ["--version"]:
        print("Version: 6.1.3\nCommit: 0123" if _torque(queue) else "pbs_version = 20.0.1")
        return 0
    if argv == ["-B", "-f"]:
        name = "max_job_array_size" if _torque(queue) else "max_array_size"
        most = queue.settings.get("most", 10000)
        print(f"Server: pbs\n    server_state = Active\n    {name} = {most}\n")
        return 0
    _check_history(queue, argv)
    ids = [arg for arg in argv if not arg.startswith("-")]
    with queue.opened() as jobs:
        known = [job for job in jobs if not job.forgotten]
    code = 0
    for wanted in ids:
        found = [job for job in known if _shown(job, whole=True) == wanted]
        if not found:
            print(f"qstat: Unknown Job Id {wanted}", file=sys.stderr)
            code = 153
        elif found[0].index is not None and not _torque(queue):
            _print(queue, found[0], wanted, "B")
        for job in found:
            _print(queue, job, _shown(job), "")
    return code


def _print(queue: Queue, job: Job, shown: str, letter: str) -> None:
    held = "H" if job.reason == "Dependency" else "Q"
    ended = "C" if _torque(queue) else "F" if job.index is None else "X"
    letters = {"PENDING": held, "RUNNING": "R"}
    print(f"Job Id: {shown}")
    print(f"    Job_Name = {job.name}\n    Job_Owner = me@host")
    print(f"    job_state = {letter or letters.get(job.state, ended)}")
    if job.ended and not letter:
        status = {"CANCELLED": 271, "TIMEOUT": -29}.get(job.state, job.code)
        print(f"    Exit_status = {status}")
    if job.depends:
        print(f"    depend = afterany:{':'.join(job.depends)}")
    # long values are broken, and a variable of the job may be anything
    print("    Variable_List = PBS_O_HOME=/home/me,\n\tPBS_O_X=1\n    job_state = Z\n")


def qdel(queue: Queue, argv: list[str]) -> int:
    match = re.fullmatch(r"(\d+)(?:\[(\d*)\])?(\.\S+)?", argv[0])
    assert match
    array, index, _ = match.groups()
    with queue.opened() as jobs:
        found = queue.cancel(
            jobs, lambda job: job.id == array and (not index or str(job.index) == index)
        )
        if not found and any(job.id == array and not job.forgotten for job in jobs):
            raise Refused(
                "qdel: Request invalid for state of job MSG=invalid state for job - COMPLETE"
                if _torque(queue)
                else f"qdel: Job has finished {argv[0]}",
                35,
            )
    if not found:
        raise Refused(f"qdel: Unknown Job Id {argv[0]}", 153)
    return 0


COMMANDS = {"qsub": qsub, "qselect": qselect, "qstat": qstat, "qdel": qdel}
