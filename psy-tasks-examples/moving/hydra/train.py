"""Train a small network to tell two spirals apart, as an application of Hydra."""

import logging

import hydra
import numpy as np

log = logging.getLogger(__name__)


def spirals(n):
    turn = np.linspace(0.5, 2 * np.pi, n)
    arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 4
    return np.concatenate([arm, -arm]), np.repeat([0.0, 1.0], n)


def train(cfg):
    rng = np.random.default_rng(cfg.seed)
    x, label = spirals(100)
    inner, outer = rng.normal(size=(2, cfg.model.width)), np.zeros(cfg.model.width)
    for _ in range(cfg.steps):
        hidden = np.tanh(x @ inner)
        slope = (1 / (1 + np.exp(-hidden @ outer)) - label) / len(x)
        inner -= cfg.rate * x.T @ (np.outer(slope, outer) * (1 - hidden**2))
        outer -= cfg.rate * hidden.T @ slope
    accuracy = np.mean((np.tanh(x @ inner) @ outer > 0) == label)
    log.info("accuracy %s", accuracy)
    return accuracy


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    return train(cfg)


if __name__ == "__main__":
    main()
