import os

import pytest

from psyrun.board import IDLE, Board


def test_all_are_idle_at_first():
    board = Board(3)
    assert list(board.rows) == [IDLE] * 3
    assert list(board.failed) == list(board.pids) == [0] * 3
    assert not board.is_over_limit()


def test_what_a_child_wrote_is_there_when_it_is_dead():
    board = Board(2)
    pid = os.fork()
    if pid == 0:
        board.rows[1] = 12345678901
        board.failed[1] += 2
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert list(board.rows) == [IDLE, 12345678901]
    assert list(board.failed) == [0, 2]


@pytest.mark.parametrize(
    ("failed", "over"), [((0, 0), 0), ((2, 0), 0), ((1, 2), 1), ((9, 0), 1)]
)
def test_failures_of_all_processes_count_together(failed, over):
    board = Board(2)
    board.limit = 3
    board.failed[:] = memoryview(b"".join(n.to_bytes(8, "little") for n in failed)).cast("q")
    assert board.is_over_limit() is bool(over)
