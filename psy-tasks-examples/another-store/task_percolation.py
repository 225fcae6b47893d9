"""Fill a grid at random: from which density on does a cluster reach from top to bottom?"""

import numpy as np
from psyrun_sqlite import SqliteStore
from scipy.ndimage import label

from psyrun import Param

pspace = Param(density=[0.5, 0.55, 0.6, 0.65, 0.7]) * Param(trial=range(20))
store = SqliteStore
max_jobs = 10

SIZE = 64


def execute(density, trial):
    rng = np.random.default_rng([trial, round(1000 * density)])
    filled = rng.random((SIZE, SIZE)) < density
    clusters, _ = label(filled)
    reaches = bool(np.intersect1d(clusters[0], clusters[-1]).max() > 0)
    return {"reaches": reaches, "largest": float(np.bincount(clusters[filled]).max() / SIZE**2)}
