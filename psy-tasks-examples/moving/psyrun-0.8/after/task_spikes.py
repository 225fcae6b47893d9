"""How often does a neuron fire, by its input, leak and noise?"""

import random

from psyrun import Param

pspace = Param(current=[0.9, 1.1, 1.5]) * Param(leak=[0.5, 1.0]) * Param(noise=[0.0, 0.05])
overwrite_dirty = False


def setup(proc_id):
    rng = random.Random(1)
    return {"recorded": [rng.gauss(0, 1) for _ in range(1000)]}


def execute(current, leak, noise, recorded):
    voltage, spikes = 0.0, 0
    for value in recorded:
        voltage += 0.01 * (current - leak * voltage) + noise * value
        if voltage > 1:
            voltage, spikes = 0.0, spikes + 1
    return {"rate": spikes / 10}
