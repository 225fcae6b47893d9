import time

import pytest

from psyrun import rows
from psyrun.balancing import BalancedDealer
from psyrun.claimfiles import ClaimFiles
from psyrun.jobs import Job, RunJobs, origin, write_jobs
from psyrun.journalwriter import JournalWriter
from psyrun.workdir import Workdir


class Desk:
    """A run, its workers' dealers, and what they have settled."""

    def __init__(self, root, sizes):
        self.workdir = Workdir(root)
        self.workdir.make()
        jobs, first = [], 0
        for index, size in enumerate(sizes):
            share = ((first, first + size),) if size else ()
            jobs.append(Job(f"1-{index}", "t", "/t", "s", "c", share, balanced=True))
            first += size
        write_jobs(self.workdir, jobs)
        self.settled = []

    def worker(self, index, processes=1):
        jobs = RunJobs(self.workdir, 1)
        files = ClaimFiles(self.workdir, jobs, jobs[index])
        files.open()
        return BalancedDealer(files, index, processes)

    def settle(self, dealer, block, left=()):
        """Journal the rows of a block, and tell the dealer."""
        index, ranges = block
        job = RunJobs(self.workdir, 1)[index]
        writer = JournalWriter(self.workdir.new_journal(job.name), origin(job))
        for start, stop in rows.without(ranges, left):
            for row in range(start, stop):
                writer.done(row, 0.0, 0.0, b"")
                self.settled.append(row)
        writer.close()
        dealer.ended(index, ranges, left)

    def finish(self, dealer):
        while (block := dealer.next_block()) is not None:
            self.settle(dealer, block)


def poll(dealer):
    dealer._poll_at = 0.0
    return dealer.next_block()


def test_a_worker_alone_gets_every_row_once_its_own_first(tmp_path):
    desk = Desk(tmp_path, [10, 7, 20])
    dealer = desk.worker(1)
    desk.finish(dealer)
    assert sorted(desk.settled) == list(range(37))
    assert sorted(desk.settled[:7]) == list(range(10, 17))
    assert sorted(desk.settled[7:10]) == [17, 18, 19], "then the largest share"
    assert sorted(iter(dealer.next_whole, None)) == [0, 1, 2]
    assert not dealer.waits()
    assert dealer.left() == 0


def test_the_largest_remainder_is_next_as_others_take_rows(tmp_path):
    desk = Desk(tmp_path, [1, 40, 30])
    helper, other = desk.worker(0), desk.worker(1)
    desk.settle(helper, helper.next_block())
    desk.settle(other, other.next_block())
    other._pace = 1e-9
    other.next_block()
    index, _ = helper.next_block()
    assert index == 2


def test_rows_that_come_back_are_found(tmp_path):
    desk = Desk(tmp_path, [2, 1])
    owner, helper = desk.worker(0), desk.worker(1)
    block = owner.next_block()
    more = owner.next_block()
    desk.settle(helper, helper.next_block())
    assert helper.next_block() is None
    assert helper.waits()
    owner.ended(*block, block[1])
    assert poll(helper) == block
    desk.settle(helper, block)
    desk.settle(owner, more)
    assert poll(helper) is None
    assert not helper.waits()


def test_one_worker_waits_on_and_the_others_leave(tmp_path):
    desk = Desk(tmp_path, [1, 0, 0])
    owner, one, other = (desk.worker(index) for index in range(3))
    owner.next_block()
    assert poll(one) is None
    assert one.waits()
    assert poll(other) is None
    assert other.waits(), "for a turn"
    other._idle_since = time.monotonic() - 100
    assert not other.waits()
    one._idle_since = time.monotonic() - 100
    assert one.waits()
    one.close()
    assert other.waits(), "now it is the one"


def test_rows_of_the_dead_are_taken_over_but_for_those_they_journaled(tmp_path):
    desk = Desk(tmp_path, [8, 0])
    dead = desk.worker(0)
    for _ in range(3):
        dead.next_block()
    desk.settle(dead, (0, ((0, 2),)))
    dead._files.pulse.end()  # all that others see of it
    helper = desk.worker(1)
    desk.finish(helper)
    while (found := poll(helper)) is not None:
        desk.settle(helper, found)
    assert sorted(desk.settled) == list(range(8))


def test_a_share_that_lost_rows_gets_them_back_in_the_end(tmp_path):
    desk = Desk(tmp_path, [4])
    dealer = desk.worker(0)
    block = dealer.next_block()
    record = desk.workdir.claims("1-0")
    from psyrun.claims import Share
    from psyrun.files import write_record

    write_record(record, 1, Share((), {dealer._files.pulse.worker: block[1]}).record())
    desk.settle(dealer, block)
    desk.finish(dealer)
    assert sorted(desk.settled) == [0, 1, 2, 3]


def lose_its_end(desk, dealer, block, *, row_done):
    """End a block in such a way that the share never shows it, as where locks do not lock."""
    claims = desk.workdir.claims("1-0")
    before = claims.read_bytes()
    desk.settle(dealer, block, () if row_done else block[1])
    claims.write_bytes(before)


@pytest.mark.parametrize("row_done", [True, False])
def test_a_worker_does_not_wait_for_itself(tmp_path, row_done):
    desk = Desk(tmp_path, [2, 0])
    dealer, other = desk.worker(0), desk.worker(1)
    block, others = dealer.next_block(), poll(other)
    lose_its_end(desk, dealer, block, row_done=row_done)
    desk.settle(other, others)
    while (block := poll(dealer)) is not None:
        desk.settle(dealer, block)
    assert not dealer.waits()
    assert sorted(desk.settled) == [0, 1]
    assert dealer.next_whole() == 0


def test_a_worker_does_not_take_what_it_is_at(tmp_path):
    desk = Desk(tmp_path, [1, 1])
    dealer = desk.worker(0)
    dealer.next_block()
    desk.settle(dealer, poll(dealer))
    assert poll(dealer) is None
    assert dealer.waits()


def test_cheap_rows_are_taken_many_at_a_time(tmp_path):
    desk = Desk(tmp_path, [1000])
    dealer = desk.worker(0)
    desk.settle(dealer, dealer.next_block())
    dealer._pace = 1e-6
    assert dealer.next_block() == (0, ((1, 1000),))


def test_slow_rows_are_taken_one_by_one(tmp_path):
    desk = Desk(tmp_path, [1000])
    dealer = desk.worker(0)
    dealer._pace = 3600.0
    assert dealer._bounds() == (1, 1)


def test_leaving_gives_back_what_was_not_begun(tmp_path):
    desk = Desk(tmp_path, [4, 0])
    desk.worker(0).close()
    assert not list(desk.workdir.claims_folder.glob("*.alive"))
    helper = desk.worker(1)
    desk.finish(helper)
    assert sorted(desk.settled) == [0, 1, 2, 3]


def test_a_thousand_shares_are_not_read_for_each_block(tmp_path, monkeypatch):
    desk = Desk(tmp_path, [3] * 200)
    dealer = desk.worker(0)
    looks = []
    look = ClaimFiles.look

    def noted(files, index):
        looks.append(index)
        return look(files, index)

    monkeypatch.setattr(ClaimFiles, "look", noted)
    for _ in range(40):
        dealer.next_block()
    assert len(looks) < 3 * 200


@pytest.mark.parametrize("flock", [True, False])
def test_the_kind_of_lock_is_as_set(tmp_path, flock):
    desk = Desk(tmp_path, [2])
    jobs = [Job("1-0", "t", "/t", "s", "c", ((0, 2),), balanced=True, flock=flock)]
    files = ClaimFiles(desk.workdir, jobs, jobs[0])
    files.open()
    BalancedDealer(files, 0, 1)
    assert desk.workdir.claims_lock("1-0").exists() is flock
