"""Defaults of all tasks in this folder: Slurm on a login node, else this machine."""

import platform

from psyrun import ImmediateRun, Slurm

scheduler = Slurm() if platform.node().startswith("login") else ImmediateRun()
scheduler_args = {"timelimit": "2h", "memory": "2G", "account": "physics"}
max_jobs = 50
timeout = 3600  # seconds for a row
overwrite_dirty = False  # rows are dear: no edit evaluates all again unless asked to
