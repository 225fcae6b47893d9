"""Search at random where a grid would be too large, then more closely around the best."""

from scipy.stats import loguniform

from psyrun import Param

pspace = Param.random(
    16,
    seed=1,
    rate=loguniform(1e-4, 1e-1),  # anything with a method rvs
    momentum=(0.5, 1.0),  # a pair: uniform floats
    batch=[16, 32, 64],  # a list: one of these
) + Param.random(4, seed=2, rate=(0.005, 0.02), momentum=(0.85, 0.95), batch=[64])


def execute(rate, momentum, batch):
    return {"loss": (rate - 0.01) ** 2 + (momentum - 0.9) ** 2 + 1 / batch}
