"""Train the small network, with the configuration that Hydra composes."""

import sys
from pathlib import Path

from hydra import compose, initialize

from psyrun import Param

sys.path.append(str(Path(__file__).parents[1]))
from train import train

pspace = Param(model=["small", "large"]) * Param(rate=[0.3, 1.0, 3.0])
file_dep = ["../conf"]


def execute(model, rate):
    with initialize(version_base=None, config_path="../conf"):
        config = compose("config", overrides=[f"model={model}", f"rate={rate}"])
    return {"accuracy": train(config)}
