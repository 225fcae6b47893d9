"""Compare the eigenvalues of random symmetric matrices with Wigner's semicircle."""

import numpy as np
from threadpoolctl import threadpool_info  # comes with scikit-learn

from psyrun import Param

pspace = Param(size=[100, 200, 300]) * Param(trial=range(16))


def execute(size, trial):
    rng = np.random.default_rng(np.random.SeedSequence([size, trial]))
    matrix = rng.standard_normal((size, size))
    values = np.linalg.eigvalsh((matrix + matrix.T) / np.sqrt(2 * size))  # a radius of 2
    return {
        "largest": float(values[-1]),
        "inner_half": float(np.mean(abs(values) < 1)),
        "threads": max((library["num_threads"] for library in threadpool_info()), default=1),
    }
