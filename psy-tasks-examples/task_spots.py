"""Simulate two substances that react and spread (Gray and Scott): what makes patterns?"""

import numpy as np

from psyrun import H5Store, Param

pspace = Param(feed=[0.03, 0.04, 0.05]) * Param(kill=[0.06, 0.065])
store = H5Store(compression="gzip")

SIZE = 48
FRAMES = 4
STEPS = 500  # from frame to frame


def execute(feed, kill):
    u = np.ones((SIZE, SIZE), dtype=np.float32)
    v = np.zeros_like(u)
    v[20:28, 20:28] = 0.5  # a drop of v in the middle
    frames = np.empty((FRAMES, SIZE, SIZE), dtype=np.float32)
    for frame in range(FRAMES):
        for _ in range(STEPS):
            reaction = u * v * v
            u += 0.16 * laplacian(u) - reaction + feed * (1 - u)
            v += 0.08 * laplacian(v) + reaction - (feed + kill) * v
        frames[frame] = v
    return {"v": frames, "spread": float(v.std())}


def laplacian(field):
    """Compare each cell with its four neighbours; the edges of the field are joined."""
    wide = np.pad(field, 1, mode="wrap")
    return wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * field
