"""Couple oscillators of different frequencies (the Kuramoto model): when do they keep time?"""

import numpy as np

from psyrun import Param, Slurm

pspace = Param(coupling=[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]) * Param(trial=range(3))

scheduler = Slurm()
scheduler_args = {
    "timelimit": "30m",  # of a job, not of a row
    "memory": "1G",
    "throttle": 10,  # jobs that run at a time, to leave room for others
    "signal": "B:USR1@120",  # a warning, two minutes before the end
    "setup": "export OMP_NUM_THREADS=1",  # a job has one core here
    # what your site may ask for; `sacctmgr show assoc user=$USER` and `sinfo` tell the names
    # "account": "my-group",
    # "partition": "short",
    # "qos": "normal",
}
requeue = 3  # come back after a time limit, a preemption or a failed node: three times at most
max_jobs = 50
min_items = 12  # rows of a job at least, as it takes some seconds to start one

OSCILLATORS, STEPS, STEP = 200, 1000, 0.02


def execute(coupling, trial):
    rng = np.random.default_rng(trial)
    frequencies = rng.standard_cauchy(OSCILLATORS).clip(-10, 10)
    phases = rng.uniform(0, 2 * np.pi, OSCILLATORS)
    order = np.empty(STEPS)
    for step in range(STEPS):
        mean = np.exp(1j * phases).mean()  # its length is 1 where all phases are the same
        order[step] = abs(mean)
        pull = coupling * abs(mean) * np.sin(np.angle(mean) - phases)
        phases += STEP * (frequencies + pull)
    return {"order": float(order[STEPS // 2 :].mean())}
