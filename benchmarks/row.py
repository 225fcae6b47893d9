"""Evaluate one row of the trivial sweep, as a command, for tools that run commands."""

import sys

from benchmarks.work import trivial

if __name__ == "__main__":
    print(trivial(*map(int, sys.argv[1:]))["total"])
