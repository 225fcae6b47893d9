"""`python -m psyrun` is the `psy` command."""

from psyrun.main import console

console()
