"""Grid Engine's commands, as far as Psyrun uses them; what they say is what 8.1.9 says."""

import getopt
import os
import re
from itertools import groupby
from pathlib import Path

from tests.fakescheduler import core
from tests.fakescheduler.core import Job, Queue, Refused


def _most(queue: Queue) -> int:
    return int(queue.settings.get("most", 75000))


def qsub(queue: Queue, argv: list[str]) -> int:
    script = Path(argv[-1]).read_text(errors="surrogateescape")
    asked = {
        words[0]: words[1] if len(words) > 1 else ""
        for words in core.header(script, "#$ ", whole=True)
        if words[0] != "-l"
    }
    limits = re.findall(r"^#\$ -l h_rt=(\S+)", script, re.MULTILINE)
    size = int(asked["-t"].partition("-")[2]) if "-t" in asked else None
    name = asked.get("-N", "job")
    if not re.fullmatch(r"[^\d\s:/][^\s:/]*", name):
        raise Refused("qsub: ERROR! argument to -N option must not contain that")
    if size and size > _most(queue):
        raise Refused("job rejected: you tried to submit a job with more than 75000 tasks")
    jobs = queue.add(
        script,
        lambda number: [
            Job(
                str(number),
                str(number + at),
                index,
                name,
                None if asked["-o"] == "/dev/null" else asked["-o"],
                variables={
                    "JOB_ID": str(number),
                    "SGE_TASK_ID": "undefined" if index is None else str(index),
                },
                depends=asked.get("-hold_jid", "").split(","),
                throttle=int(asked["-tc"]) if "-tc" in asked else None,
                limit=core.clock_seconds(limits[0]) if limits else None,
                requeue=asked.get("-r") == "y",
            )
            for at, index in enumerate([None] if size is None else range(1, size + 1))
        ],
    )
    print(jobs[0].id if size is None else f"{jobs[0].id}.1-{size}:1")
    return 0


def qstat(queue: Queue, argv: list[str]) -> int:
    options = dict(getopt.getopt([a.replace("-xml", "-x") for a in argv], "xu:s:")[0])
    assert set(options) == {"-x", "-u", "-s"}
    with queue.opened() as jobs:
        live = [job for job in jobs if not job.ended]
    print("<?xml version='1.0'?>\n<job_info>\n<queue_info>")
    for (_, _, letters), group in groupby(live, _group):
        members = list(group)
        first = members[0]
        tasks = ""
        if first.index is not None:
            listed = core.ranges([job.index for job in members if job.index is not None])
            stepped = re.sub(r"(-[0-9]+)", r"\1:1", listed)
            tasks = f"<tasks>{stepped}</tasks>"
        print(
            f"<job_list><JB_job_number>{first.id}</JB_job_number>"
            f"<JB_name>{escape(first.name)}</JB_name><JB_owner>me</JB_owner>"
            f"<state>{letters}</state>{tasks}</job_list>"
        )
    print("</queue_info>\n</job_info>")
    return 0


def _group(job: Job) -> tuple[str, str, str]:
    if job.state == "RUNNING":
        return job.id, job.raw, "dr" if job.reason == "cancel" else "r"
    return job.id, "", "hqw" if job.reason == "Dependency" else "qw"


def qdel(queue: Queue, argv: list[str]) -> int:
    array, _, index = argv[0].partition(".")
    with queue.opened() as jobs:
        found = queue.cancel(
            jobs, lambda job: job.id == array and (not index or str(job.index) == index)
        )
    if not found:
        raise Refused(f'denied: job "{argv[0]}" does not exist')
    print(f"{os.environ.get('USER', 'me')} has registered the job {array} for deletion")
    return 0


def qconf(queue: Queue, argv: list[str]) -> int:
    assert argv == ["-sconf"]
    print(f"#global:\nmax_u_jobs 0\nmax_aj_tasks                 {_most(queue)}")
    return 0


def escape(text: str) -> str:
    """Escape a text for XML; what does so elsewhere takes long to load."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


COMMANDS = {"qsub": qsub, "qstat": qstat, "qdel": qdel, "qconf": qconf}
