"""Print the best assignment that the task `digits` found."""

import pickle
import sys
from pathlib import Path


def best(result):
    """Return the row with the highest accuracy."""
    row = max(range(len(result["accuracy"])), key=result["accuracy"].__getitem__)
    return {name: column[row] for name, column in result.items()}


if __name__ == "__main__":
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "psy-work/digits/result.pkl")
    found = best(pickle.loads(file.read_bytes()))
    print(", ".join(f"{name} = {value:.4g}" for name, value in found.items()))
