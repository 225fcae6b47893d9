"""How long is the period of the van der Pol oscillator, by its damping and its start?"""

import pickle
from itertools import product
from pathlib import Path

from joblib import Memory, Parallel, delayed

memory = Memory("cache", verbose=0)


@memory.cache
def period(damping, start, step=0.01):
    x, v, upwards = start, 0.0, []
    for n in range(6000):  # the midpoint method
        half_x = x + step / 2 * v
        half_v = v + step / 2 * (damping * (1 - x * x) * v - x)
        old_x, x = x, x + step * half_v
        v += step * (damping * (1 - half_x * half_x) * half_v - half_x)
        if old_x < 0 <= x:
            upwards.append((n + old_x / (old_x - x)) * step)
    return (upwards[-1] - upwards[-4]) / 3  # the last turns: it has settled


if __name__ == "__main__":
    pairs = list(product([0.1, 0.5, 1.0, 2.0], [0.5, 3.0]))
    periods = Parallel(n_jobs=2)(delayed(period)(*pair) for pair in pairs)
    Path("periods.pkl").write_bytes(pickle.dumps(dict(zip(pairs, periods, strict=True))))
    for (damping, start), found in zip(pairs, periods, strict=True):
        print(f"{damping:.1f} {start:.1f} {found:.4f}")
