"""A scheduler that starts nothing, and workers started by hand in its place."""

import dataclasses
import json
import os
import subprocess
import sys

from psyrun import journal
from psyrun.jobs import job_names, read_job, write_jobs
from psyrun.workdir import Workdir

NOBODY = """
import random, time
from psyrun.scheduler import Scheduler

class Nobody(Scheduler):
    '''Takes jobs and starts none: the test does.'''

    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        return name

    def kill(self, jobid):
        pass

    def get_status(self, jobid):
        return None

    def get_jobs(self):
        return []

scheduler = Nobody()
"""


def submit(project, name, source, **asked):
    """Submit a task to nobody; its jobs get some fields besides."""
    project.task(name, NOBODY + source)
    ran = project.psy("run", name)
    assert ran.code == 0, ran.err
    workdir = Workdir(project.workdir(name))
    jobs = [read_job(workdir, job) for job in job_names(workdir, 1)]
    write_jobs(workdir, [dataclasses.replace(job, **asked) for job in jobs])
    return workdir


def worker(workdir, *arguments, pool=1, environment=None):
    """Start a worker."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "psyrun.worker", "--pool-size", str(pool)),
            *(str(workdir.root), *arguments),
        ],
        env={**unset, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def journaled(workdir):
    """List the rows in the journals, as often as they are there."""
    frames = [f for path in workdir.journals() for f in journal.frames(path)]
    return sorted(f.row for f in frames if f.kind in (journal.Kind.DONE, journal.Kind.FAILED))


def job_errors(workdir):
    """List the types of the errors of jobs."""
    frames = [f for path in workdir.journals() for f in journal.frames(path)]
    return [json.loads(f.payload)["type"] for f in frames if f.kind == journal.Kind.JOB_FAILED]
