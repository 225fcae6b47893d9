"""Search good parameters of a support vector machine that reads handwritten digits."""

from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from psyrun import Param

pspace = Param.random(
    24,
    seed=1,
    C=loguniform(1e-1, 1e3),
    gamma=loguniform(1e-5, 1e-2),
    tol=[1e-2, 1e-3, 1e-4],
)

images, digits = load_digits(return_X_y=True)


def execute(C, gamma, tol):
    scores = cross_val_score(SVC(C=C, gamma=gamma, tol=tol), images, digits, cv=3)
    return {"accuracy": float(scores.mean())}
