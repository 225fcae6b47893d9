"""Magnetise a small ferromagnet (the Ising model) at several temperatures, with trials."""

import numpy as np
from taskspooler import TaskSpooler

from psyrun import Param

pspace = Param(temperature=[1.5, 2.0, 2.5, 3.0]) * Param(trial=range(2))
scheduler = TaskSpooler
max_jobs = 2

SIZE, SWEEPS = 16, 200
black = np.indices((SIZE, SIZE)).sum(axis=0) % 2 == 0


def execute(temperature, trial):
    rng = np.random.default_rng([trial, round(100 * temperature)])
    spins = np.ones((SIZE, SIZE))
    magnetisation = []
    for _ in range(SWEEPS):
        for colour in (black, ~black):  # neighbours of one colour have the other
            field = sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (0, 1))
            flips = rng.random(spins.shape) < np.exp(-2 * spins * field / temperature)
            spins = np.where(colour & flips, -spins, spins)
        magnetisation.append(abs(spins.mean()))
    return {"magnetisation": float(np.mean(magnetisation[SWEEPS // 2 :]))}
