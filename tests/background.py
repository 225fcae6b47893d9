"""A scheduler of a user's own, whose jobs outlive the command; written beside task files."""

SCHEDULER = '''
import os
import shlex
import signal
import subprocess
from pathlib import Path

from psyrun.scheduler import JobStatus, Scheduler


class Background(Scheduler):
    """Jobs are processes of this machine that nobody waits for."""

    arrays = False
    folder = Path(__file__).parent / "queue"

    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        waits = "".join(f"while kill -0 {job} 2>/dev/null; do sleep 0.02; done; "
                        for job in depends_on or ())
        self.folder.mkdir(exist_ok=True)
        command = shlex.join(["setsid", "sh", "-c", waits + 'exec "$0" "$@"', *map(str, args)])
        log = shlex.quote(str(output_filename))
        job = subprocess.run(["sh", "-c", f"{command} >>{log} 2>&1 </dev/null & echo $!"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        (self.folder / job).write_text(f"{name} {scheduler_args}")
        return job

    def kill(self, jobid):
        os.killpg(int(jobid), signal.SIGTERM)

    def get_status(self, jobid):
        return JobStatus(jobid, "R", "?") if jobid in self.get_jobs() else None

    def get_jobs(self):
        return [path.name for path in self.folder.iterdir() if alive(path.name)]


class Arrays(Background):
    def submit_array(self, n, args, output_filename, name=None, depends_on=None,
                     scheduler_args=None):
        args = [arg.replace("%a", "$i") for arg in args]
        quoted = " ".join(f'"{arg}"' for arg in args)
        loop = f"for i in $(seq 0 {n - 1}); do {quoted}; done"
        return self.submit(["sh", "-c", loop], output_filename, name, depends_on,
                           scheduler_args)


def alive(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"
'''
