"""How long do customers wait in a queue with one server, on average?"""

from waiting import mean_wait

from psyrun import Param

pspace = Param(arrivals=[0.2, 0.5, 0.8]) * Param(seed=[1, 2, 3, 4])


def execute(arrivals, seed):
    return {"wait": mean_wait(arrivals, seed)}
