"""Take over the errors that the nested loops have found, and evaluate the others."""

import sys
from pathlib import Path

import numpy as np

from psyrun import Param

sys.path.append(str(Path(__file__).parents[1]))
from before import generalisation_error, noises, penalties

pspace = Param(noise=noises) * Param(penalty=penalties) * Param(trial=range(6))
file_dep = ["errors.npz"]


def setup(proc_id):
    errors = np.load("errors.npz")["errors"]
    old = {
        (noise, penalty, trial): error
        for noise, block in zip(noises, errors, strict=True)
        for penalty, trials in zip(penalties, block, strict=True)
        for trial, error in enumerate(trials)
    }
    return {"old": old}


def execute(noise, penalty, trial, old):
    if (noise, penalty, trial) in old:
        return {"error": old[noise, penalty, trial]}
    print("evaluated:", noise, penalty, trial)
    return {"error": generalisation_error(noise, penalty, trial)}
