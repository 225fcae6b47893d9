"""However rows are dealt: each exactly once to a job, and at any moment to one process only."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from psyrun import rows
from psyrun.backend.distribute import share_sizes
from psyrun.dealing import Dealer
from psyrun.rows import Ranges

COUNTS = st.integers(0, 300)
LIMITS = st.integers(1, 40)


@given(COUNTS, LIMITS | st.none(), LIMITS)
def test_shares_hold_every_row_and_are_even(n, max_jobs, min_items):
    sizes = share_sizes(n, max_jobs, min_items)
    assert sum(sizes) == n
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@given(COUNTS, LIMITS | st.none(), LIMITS)
def test_shares_respect_both_limits(n, max_jobs, min_items):
    sizes = share_sizes(n, max_jobs, min_items)
    assert max_jobs is None or len(sizes) <= max_jobs
    assert all(size >= min(min_items, n) for size in sizes)


@given(st.integers(1, 300), LIMITS, LIMITS)
def test_there_are_as_many_shares_as_the_limits_allow(n, max_jobs, min_items):
    more = len(share_sizes(n, max_jobs, min_items)) + 1
    assert more > max_jobs or n // more < min_items


def expand(ranges: Ranges) -> list[int]:
    return [row for start, stop in ranges for row in range(start, stop)]


class Dealing(RuleBasedStateMachine):
    """Row processes that take blocks, finish them, or die within one."""

    @initialize(
        jobs=st.lists(st.sets(st.integers(0, 60), max_size=30), max_size=4),
        processes=st.integers(1, 4),
    )
    def begin(self, jobs: list[set[int]], processes: int) -> None:
        self.todo = [set(job) for job in jobs]
        self.dealer = Dealer([rows.of_sorted(sorted(job)) for job in jobs], processes)
        self.under_way: list[tuple[int, Ranges]] = []
        self.settled: list[list[int]] = [[] for _ in jobs]
        self.whole: list[int] = []

    @rule()
    def deal(self) -> None:
        block = self.dealer.next_block()
        if block is None:
            assert all(
                sorted(self.settled[index] + self.dealt(index)) == sorted(job)
                for index, job in enumerate(self.todo)
            )
        else:
            assert block[1], "a block has rows"
            self.under_way.append(block)

    def dealt(self, index: int) -> list[int]:
        return [row for job, block in self.under_way if job == index for row in expand(block)]

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        index, block = self.under_way.pop(self.any_block(data))
        self.settled[index] += expand(block)
        self.dealer.settled(index, rows.count(block))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        index, block = self.under_way.pop(self.any_block(data))
        numbers = expand(block)
        done = data.draw(st.integers(0, len(numbers)))
        self.settled[index] += numbers[:done]
        self.dealer.settled(index, done)
        self.dealer.give_back(index, rows.of_sorted(numbers[done:]))

    def any_block(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.under_way) - 1))

    @rule()
    def ask_for_a_whole_job(self) -> None:
        index = self.dealer.next_whole()
        if index is not None:
            assert sorted(self.settled[index]) == sorted(self.todo[index])
            self.whole.append(index)

    @invariant()
    def no_row_is_at_two_places(self) -> None:
        for index in range(len(getattr(self, "todo", ()))):
            here = self.settled[index] + self.dealt(index)
            assert len(here) == len(set(here))
            assert set(here) <= self.todo[index]

    @invariant()
    def no_job_is_whole_twice(self) -> None:
        whole = getattr(self, "whole", [])
        assert len(whole) == len(set(whole))

    def teardown(self) -> None:
        if not hasattr(self, "todo"):
            return
        while self.under_way or (block := self.dealer.next_block()):
            index, ranges = self.under_way.pop() if self.under_way else block  # type: ignore[misc]
            self.settled[index] += expand(ranges)
            self.dealer.settled(index, rows.count(ranges))
        while (found := self.dealer.next_whole()) is not None:
            self.whole.append(found)
        assert [sorted(done) for done in self.settled] == [sorted(job) for job in self.todo]
        assert sorted(self.whole) == list(range(len(self.todo)))


Dealing.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestDealing = Dealing.TestCase
