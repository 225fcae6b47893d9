"""Run jobs by task-spooler, `tsp`: a queue of one user on one machine."""

import re

from psyrun.scheduler import BatchScheduler, JobInfo, JobState
from psyrun.scheduler.base import unknown_state
from psyrun.scheduler.jobscripts import script
from psyrun.scheduler.options import count, resolved

ROW = re.compile(r"(\d+) +([a-z]+) +(.*?)\[([\w.-]+)\]")
EXIT_CODE = re.compile(r"(-?\d+) +[\d.]+/[\d.]+/[\d.]+ *$")
STATES = {
    "queued": JobState.PENDING,
    "allocating": JobState.PENDING,
    "running": JobState.RUNNING,
    "skipped": JobState.CANCELLED,
}
# a job that waits is removed, unless it has begun meanwhile; one that runs gets a SIGTERM
KILL = """state=$(tsp -s "$0") && case $state in
queued) tsp -r "$0" || tsp -k "$0" ;;
running) tsp -k "$0" ;;
esac"""


class TaskSpooler(BatchScheduler):
    """Run jobs by `tsp`. `scheduler_args` takes `n_cpus` (slots of a job) and `setup`."""

    title = "task-spooler"
    has_arrays = False

    def render(self, request):
        self.slots(request)  # so that a bad value is refused before anything is submitted
        # tsp itself lets a job depend only on others that end well
        waits = [f"tsp -w {jobid}" for jobid in request.depends_on]
        return script([], request, "", redirect=True, before=waits)

    def slots(self, request):
        asked = resolved(request.asked, {"n_cpus", "setup"}, self.title, request.name)
        return count("n_cpus", asked.get("n_cpus", 1))

    def submit_command(self, request):
        options = ["-B", "-L", request.name, "-N", str(self.slots(request))]
        return ["tsp", *options, "bash", str(request.script)]

    def parse_id(self, output):
        return output.strip() if output.strip().isdecimal() else ""

    def status_command(self):
        return ["tsp", "-l"]

    def parse_status(self, output):
        for line in output.splitlines():
            if row := ROW.match(line):
                jobid, word, told, name = row.groups()
                if word == "finished":
                    code = EXIT_CODE.search(told)
                    well = code is not None and code[1] == "0"
                    yield JobInfo(
                        jobid, JobState.COMPLETED if well else JobState.FAILED, name=name
                    )
                else:
                    state, why = (STATES[word], "") if word in STATES else unknown_state(word)
                    yield JobInfo(jobid, state, why, name)

    def kill_command(self, jobid):
        return ["sh", "-c", KILL, jobid]

    def is_harmless(self, command, words):
        return command[0] == "sh" and "cannot be stated" in words  # it is not there any more
