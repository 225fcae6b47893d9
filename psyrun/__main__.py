"""Be the `psy` command, which `python -m psyrun` is too.

Loading the command line takes a moment, and Ctrl-C may come in it.
"""

import sys


def start() -> None:
    """Load the command line and run it."""
    try:
        from psyrun.main import console

        console()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    start()
