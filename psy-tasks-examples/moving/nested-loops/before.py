"""Find out how much to regularise: the error of a ridge regression on new data."""

import numpy as np

noises = [0.1, 0.5, 2.0]
penalties = [0.0, 0.1, 1.0, 10.0]
n_trials = 5


def generalisation_error(noise, penalty, trial):
    rng = np.random.default_rng(trial)
    weights = rng.normal(size=20)
    x, new_x = rng.normal(size=(30, 20)), rng.normal(size=(200, 20))
    y = x @ weights + noise * rng.normal(size=30)
    found = np.linalg.solve(x.T @ x + penalty * np.eye(20), x.T @ y)
    return np.mean((new_x @ (found - weights)) ** 2)


if __name__ == "__main__":
    errors = np.zeros((len(noises), len(penalties), n_trials))
    for i, noise in enumerate(noises):
        for j, penalty in enumerate(penalties):
            for trial in range(n_trials):
                errors[i, j, trial] = generalisation_error(noise, penalty, trial)
        print(f"noise {noise}: best penalty {penalties[errors[i].mean(axis=1).argmin()]}")
    np.savez("errors.npz", errors=errors)
