"""A module for each peer: one function for each thing that it is asked to do.

They are written as the peer's documentation recommends. A function takes a `work.Case` and
returns the results, or something to call that reads what was kept on disk.
"""
