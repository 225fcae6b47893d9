"""What can be said to `psy`: its commands, their options, help and examples.

What a command does stands in `psyrun.commands`, which is imported when it is called.
"""
