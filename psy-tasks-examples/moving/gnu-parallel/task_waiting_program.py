"""The same with the program as it is: it may be written in any language."""

import subprocess
import sys
from pathlib import Path

from psyrun import Param

pspace = Param(arrivals=[0.2, 0.5, 0.8]) * Param(seed=[1, 2])
file_dep = ["waiting.py"]  # Psyrun does not look into programs by itself

PROGRAM = Path(__file__).with_name("waiting.py")


def execute(arrivals, seed):
    command = [sys.executable, str(PROGRAM), "--arrivals", str(arrivals), "--seed", str(seed)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"wait": float(done.stdout)}
