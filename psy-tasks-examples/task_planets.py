"""Which power of its distance from the sun is a planet's year? The data are in a file."""

import numpy as np

from psyrun import Param

pspace = Param(power=[1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8])
file_dep = ["planets.csv"]


def setup(proc_id):
    # read once by each process that evaluates rows; the task directory is the working directory
    table = np.loadtxt("planets.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    return {"distance": table[:, 0], "year": table[:, 1]}


def execute(power, distance, year):
    ratio = distance**power / year
    return {"error": float(np.sqrt(np.mean(np.log(ratio) ** 2)))}
