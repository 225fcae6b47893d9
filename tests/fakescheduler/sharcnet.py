"""The commands sqsub, sqjobs and sqkill, as far as Psyrun uses them."""

import getopt
import shlex

from tests.fakescheduler.core import Job, Queue, Refused


def sqsub(queue: Queue, argv: list[str]) -> int:
    long = ["mpp=", "waitfor=", "gpp=", "nompirun"]
    listed, command = getopt.getopt(argv, "q:r:n:N:o:j:p:", long)
    options = dict(listed)
    assert options["-o"] == "/dev/null"
    name = shlex.join(command)  # what sqjobs shows
    jobs = queue.add(
        f"exec {name}\n",
        lambda number: [
            Job(
                str(number),
                str(number),
                None,
                name,
                None,
                depends=options.get("--waitfor", "").split(","),
                limit=60 * float(options["-r"].removesuffix("m")) if "-r" in options else None,
            )
        ],
    )
    print(f"WARNING: no queue given\nsubmitted as jobid {jobs[0].id}")
    return 0


def sqjobs(queue: Queue, argv: list[str]) -> int:
    with queue.opened() as jobs:
        known = [job for job in jobs if not job.forgotten]
    print(" jobid  queue state ncpus nodes time command")
    print(" ------ ----- ----- ----- ----- ---- -------")
    for job in known:
        waits = "*Q" if job.reason == "Dependency" else "Q"
        state = {"PENDING": waits, "RUNNING": "R"}.get(job.state, "D")
        print(f" {job.id:6} serial {state:>5} 1 - 15s {job.name}")
    print("2400 CPUs total, 474 idle, 1926 busy; 1565 jobs running; 1 suspended, 50 queued.")
    return 0


def sqkill(queue: Queue, argv: list[str]) -> int:
    with queue.opened() as jobs:
        found = queue.cancel(jobs, lambda job: job.id == argv[0])
    if not found:
        raise Refused(f"sqkill: no such job: {argv[0]}")
    print(f"killed job {argv[0]}")
    return 0


COMMANDS = {"sqsub": sqsub, "sqjobs": sqjobs, "sqkill": sqkill}
