"""Slurm's commands, as far as Psyrun uses them; what they say is what version 22.05 says."""

import getopt
import os
import re
from itertools import groupby
from pathlib import Path

from tests.fakescheduler import core
from tests.fakescheduler.core import Job, Queue, Refused

FAILED = "sbatch: error: Batch job submission failed: "
NO_SUCH_JOB = "slurm_load_jobs error: Invalid job id specified"
_FROM_ENVIRONMENT = {"array": "SBATCH_ARRAY_INX", "time": "SBATCH_TIMELIMIT"}


def sbatch(queue: Queue, argv: list[str]) -> int:
    options, rest = getopt.gnu_getopt(argv, "", ["parsable"])
    if {"SBATCH_CLUSTERS", "SLURM_CLUSTERS"} & {*os.environ}:
        print("1;other")  # where nobody looks
        return 0
    script = Path(rest[0]).read_text(errors="surrogateescape")
    if not script.startswith("#!"):
        raise Refused("sbatch: error: This does not look like a batch script.")
    asked = _asked(script)
    jobs = queue.add(script, lambda number: _made(queue, asked, number))
    print(jobs[0].id if options else f"Submitted batch job {jobs[0].id}")
    return 0


def _asked(script: str) -> dict[str, str]:
    """Read what is asked for; sbatch believes the environment more than the script."""
    found = {}
    for words in core.header(script, "#SBATCH "):
        name, _, value = words[0].removeprefix("--").partition("=")
        found[name] = value
    for name in ("job-name", "output", "open-mode", "partition", "requeue", *_FROM_ENVIRONMENT):
        variable = _FROM_ENVIRONMENT.get(name, f"SBATCH_{name.upper().replace('-', '_')}")
        if variable in os.environ:
            found[name] = os.environ[variable]
    return found


def _made(queue: Queue, asked: dict[str, str], number: int) -> list[Job]:
    if asked.get("partition", "debug") != "debug":
        raise Refused(f"{FAILED}Invalid partition name specified")
    listed, _, throttle = asked.get("array", "").partition("%")
    try:
        indices: list[int | None] = [*core.indices(listed)] if listed else [None]
    except ValueError:
        raise Refused(f"{FAILED}Invalid job array specification") from None
    if any(i is not None and i >= queue.settings.get("MaxArraySize", 1001) for i in indices):
        raise Refused(f"{FAILED}Invalid job array specification")
    most = queue.settings.get("MaxSubmitJobs")
    if most is not None and len(indices) > most:
        limit = "job submit limit, user's size and/or time limits"
        words = f"Job violates accounting/QOS policy ({limit})"
        raise Refused(f"sbatch: error: AssocMaxSubmitJobLimit\n{FAILED}{words}")
    depends = re.findall(r"\d+", asked.get("dependency", ""))
    jobs = []
    for at, index in enumerate(indices):
        # the last job of an array has the array's id as its own
        raw = number if at == len(indices) - 1 else number + at + 1
        jobs.append(
            Job(
                str(number),
                str(raw),
                index,
                asked.get("job-name", "sbatch"),
                _expanded(asked.get("output", "slurm-%A_%a.out"), number, index),
                append=asked.get("open-mode") == "append",
                variables=_variables(number, raw, index),
                depends=depends,
                throttle=int(throttle) if throttle else None,
                limit=core.clock_seconds(asked["time"]) if "time" in asked else None,
                requeue="no-requeue" not in asked,
            )
        )
    return jobs


def _variables(number: int, raw: int, index: int | None) -> dict[str, str]:
    found = {"SLURM_JOB_ID": str(raw)}
    if index is not None:
        found |= {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(index)}
    return found


def _expanded(pattern: str, number: int, index: int | None) -> str:
    known = {"%%": "%", "%A": str(number), "%j": str(number), "%a": str(index)}
    if "\\" in pattern:
        return pattern.replace("\\", "")
    return re.sub("%.", lambda found: known.get(found[0], found[0]), pattern)


def squeue(queue: Queue, argv: list[str]) -> int:
    options = dict(getopt.getopt(argv, "ahu:t:o:j:r")[0])
    with queue.opened() as jobs:
        known = [job for job in jobs if not job.forgotten]
    if queue.settings.get("hidden") and "-a" not in options:
        known = []  # its only partition is a hidden one
    if "-j" in options and not any(job.id == options["-j"] for job in known):
        raise Refused(NO_SUCH_JOB)
    if names := os.environ.get("SQUEUE_NAMES"):
        known = [job for job in known if job.name in names.split(",")]
    if options.get("-t") != "all":
        known = [job for job in known if not job.ended]
    for (_, _, state, reason), group in groupby(known, lambda job: _group(job, options)):
        members = list(group)
        values = {
            "%i": _shown_id(members),
            "%T": state,
            "%r": reason or "None",
            "%j": members[0].name,
        }
        line = options["-o"]
        for name, value in values.items():
            line = line.replace(name, value)
        print(line)
    return 0


def _group(job: Job, options: dict[str, str]) -> tuple[str, str, str, str]:
    """Pending jobs of an array share a line."""
    apart = job.state != "PENDING" or "-r" in options or "SQUEUE_ARRAY" in os.environ
    return job.id, job.raw if apart else "", job.state, job.reason if not job.ended else ""


def _shown_id(jobs: list[Job]) -> str:
    first = jobs[0]
    if first.index is None:
        return first.id
    if first.state != "PENDING":
        return f"{first.id}_{first.index}"
    listed = core.ranges([job.index for job in jobs if job.index is not None])
    if os.environ.get("SLURM_BITSTR_LEN") != "0" and len(listed) > 64:
        listed = f"{listed[:64]}..."
    throttle = f"%{first.throttle}" if first.throttle else ""
    return f"{first.id}_[{listed}{throttle}]"


def scancel(queue: Queue, argv: list[str]) -> int:
    if "SCANCEL_INTERACTIVE" in os.environ or "SCANCEL_STATE" in os.environ:
        return 0  # it asks, and nobody says yes
    wanted = argv[0].split("_")
    with queue.opened() as jobs:
        queue.cancel(jobs, lambda job: [job.id, str(job.index)][: len(wanted)] == wanted)
    return 0  # also for unknown ids


def sacct(queue: Queue, argv: list[str]) -> int:
    if not queue.settings.get("accounting"):
        raise Refused("Slurm accounting storage is disabled")
    options = dict(getopt.getopt(argv, "XnPj:o:")[0])
    wanted = options["-j"].split(",")
    with queue.opened() as jobs:
        for job in jobs:
            if job.id in wanted:
                shown = job.id if job.index is None else f"{job.id}_{job.index}"
                by = " by 0" if job.state == "CANCELLED" else ""
                print(f"{shown}|{job.state}{by}|{job.name}")
    return 0


def scontrol(queue: Queue, argv: list[str]) -> int:
    if argv == ["show", "config"]:
        print(f"MaxArraySize            = {queue.settings.get('MaxArraySize', 1001)}")
        print(f"MaxJobCount             = {queue.settings.get('MaxJobCount', 10000)}")
        enforced = "associations,limits" if queue.settings.get("accounting") else "none"
        print(f"AccountingStorageEnforce = {enforced}")
        return 0
    raise Refused(f"invalid keyword: {argv[0]}")


def sacctmgr(queue: Queue, argv: list[str]) -> int:
    if not queue.settings.get("accounting"):
        raise Refused("You are not running a supported accounting_storage plugin")
    if "assoc" in argv:
        print(f"root|{queue.settings.get('MaxSubmitJobs', '')}||normal")
    else:
        print("|")
    return 0


COMMANDS = {
    "sbatch": sbatch,
    "squeue": squeue,
    "scancel": scancel,
    "sacct": sacct,
    "scontrol": scontrol,
    "sacctmgr": sacctmgr,
}
