"""LSF's commands, as far as Psyrun uses them."""

import re
import sys

from tests.fakescheduler import core
from tests.fakescheduler.core import Job, Queue, Refused


def _most(queue: Queue) -> int:
    return int(queue.settings.get("most", 1000))


def bsub(queue: Queue, argv: list[str]) -> int:
    script = sys.stdin.buffer.read().decode(errors="surrogateescape")
    asked = {
        words[0]: " ".join(words[1:]) for words in core.header(script, "#BSUB ", whole=True)
    }
    match = re.fullmatch(r"([^\[]*)(?:\[1-(\d+)\](?:%(\d+))?)?", asked["-J"])
    assert match
    name, size, throttle = match.groups()
    if size and int(size) > _most(queue):
        raise Refused("Job array index too large. Job not submitted.", 255)
    depends = re.findall(r"ended\((\d+)\)", asked.get("-w", ""))
    with queue.opened() as jobs:
        known = {job.id for job in jobs if not job.forgotten}
    for unknown in set(depends) - known:
        raise Refused(f"{unknown}: No matching job found. Job not submitted.", 255)
    jobs = queue.add(
        script,
        lambda number: [
            Job(
                str(number),
                str(number + at),
                index,
                name,
                None if asked["-o"] == "/dev/null" else asked["-o"],
                variables={"LSB_JOBID": str(number), "LSB_JOBINDEX": str(index or 0)},
                depends=depends,
                throttle=int(throttle) if throttle else None,
                limit=60 * float(asked["-W"]) if "-W" in asked else None,
                requeue="-Q" in asked,
            )
            for at, index in enumerate(range(1, int(size) + 1) if size else [None])
        ],
    )
    print(f"Job <{jobs[0].id}> is submitted to default queue <normal>.")
    return 0


def bjobs(queue: Queue, argv: list[str]) -> int:
    assert argv[:-1] == ["-a", "-noheader", "-o"]
    fields, _, delimiter = argv[-1].partition(" delimiter=")
    with queue.opened() as jobs:
        known = [job for job in jobs if not job.forgotten]
    if not known:
        raise Refused("No job found", 255)
    states = {"PENDING": "PEND", "RUNNING": "RUN", "COMPLETED": "DONE"}
    for job in known:
        element = "" if job.index is None else f"[{job.index}]"
        waits = job.reason == "Dependency"
        values = {
            "jobid": job.id,
            "jobindex": str(job.index or 0),
            "stat": states.get(job.state, "EXIT"),
            "dependency": " && ".join(f"ended({i})" for i in job.depends) if waits else "-",
            "job_name": job.name + element,
        }
        print(delimiter.strip("'").join(values[field] for field in fields.split()))
    return 0


def bkill(queue: Queue, argv: list[str]) -> int:
    match = re.fullmatch(r"(\d+)(?:\[(\d+)\])?", argv[0])
    assert match
    array, index = match.groups()
    with queue.opened() as jobs:
        found = queue.cancel(
            jobs, lambda job: job.id == array and (not index or str(job.index) == index)
        )
        known = any(job.id == array and not job.forgotten for job in jobs)
    if not found:
        words = "Job has already finished" if known else "No matching job found"
        raise Refused(f"Job <{argv[0]}>: {words}", 255)
    print(f"Job <{argv[0]}> is being terminated")
    return 0


def bparams(queue: Queue, argv: list[str]) -> int:
    print(f"CLEAN_PERIOD = 3600\n        MAX_JOB_ARRAY_SIZE = {_most(queue)}")
    return 0


COMMANDS = {"bsub": bsub, "bjobs": bjobs, "bkill": bkill, "bparams": bparams}
