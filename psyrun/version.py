"""Own the version number, and nothing else: the build reads it without importing psyrun."""

__version__ = "1.0.0.dev0"
