"""Measure the area of the Mandelbrot set, on a GPU for each row process where there are any."""

import os
import shutil
import subprocess
from importlib.util import find_spec

from psyrun import Param


def gpus():
    """Name the GPUs to use: those that a scheduler or the user chose, else all."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu not in ("", "-1", "NoDevFiles")]
    program = shutil.which("nvidia-smi")
    if program is None or find_spec("cupy") is None:
        return []
    listing = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


pspace = Param(iterations=[25, 50, 100, 200])
pool_size = len(gpus()) or None  # a row process for each GPU; without any, for each core


def setup(proc_id):
    found = gpus()
    if not found:
        import numpy as np

        return {"xp": np, "device": "processor"}
    gpu = found[proc_id % len(found)]
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    import cupy  # not before: it looks at the variable once

    return {"xp": cupy, "device": f"GPU {gpu}"}


def execute(iterations, xp, device):
    x, y = xp.meshgrid(xp.linspace(-2, 0.5, 300), xp.linspace(0, 1.2, 144))  # the upper half
    c = x + 1j * y
    z = xp.zeros_like(c)
    for _ in range(iterations):
        z = xp.where(abs(z) <= 2, z * z + c, z)
    share = float((abs(z) <= 2).mean())
    return {"area": 2 * 2.5 * 1.2 * share, "device": device}
