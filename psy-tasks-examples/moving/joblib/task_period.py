"""How long is the period of the van der Pol oscillator, by its damping and its start?"""

from psyrun import Param

pspace = Param(damping=[0.1, 0.5, 1.0, 2.0]) * Param(start=[0.5, 3.0])


def execute(damping, start, step=0.01):
    x, v, upwards = start, 0.0, []
    for n in range(6000):  # the midpoint method
        half_x = x + step / 2 * v
        half_v = v + step / 2 * (damping * (1 - x * x) * v - x)
        old_x, x = x, x + step * half_v
        v += step * (damping * (1 - half_x * half_x) * half_v - half_x)
        if old_x < 0 <= x:
            upwards.append((n + old_x / (old_x - x)) * step)
    return {"period": (upwards[-1] - upwards[-4]) / 3}  # the last turns: it has settled
