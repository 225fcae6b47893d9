"""However workers claim, finish, give back and die: no row is lost, none is held by two."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from psyrun import rows
from psyrun.claims import Share
from psyrun.rows import Ranges

WORKERS = st.sampled_from("abcd")


def expand(ranges: Ranges) -> set[int]:
    return {row for start, stop in ranges for row in range(start, stop)}


class Claiming(RuleBasedStateMachine):
    """Workers at one share; a name of a dead one is never used again."""

    @initialize(todo=st.sets(st.integers(0, 80), min_size=1, max_size=60))
    def begin(self, todo: set[int]) -> None:
        self.todo = todo
        self.share = Share(rows.of_sorted(sorted(todo)))
        self.settled: set[int] = set()
        self.blocks: list[tuple[str, Ranges]] = []
        self.dead: set[str] = set()
        self.lives = dict.fromkeys("abcd", 0)

    def name(self, worker: str) -> str:
        return f"{worker}{self.lives[worker]}"

    @rule(worker=WORKERS, processes=st.integers(1, 4))
    def take(self, worker: str, processes: int) -> None:
        was_free = bool(self.share.free)
        self.share, block = self.share.take(self.name(worker), processes)
        assert bool(block) == was_free
        if block:
            self.blocks.append((self.name(worker), block))

    @precondition(lambda self: self.blocks)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        # all is drawn before anything is done, as drawing may end an example
        place = data.draw(st.integers(0, len(self.blocks) - 1))
        done = data.draw(st.integers(0, rows.count(self.blocks[place][1])))
        worker, block = self.blocks.pop(place)
        settled, left = rows.split(block, [done, rows.count(block) - done])
        self.settled |= expand(settled)
        self.share = self.share.end(worker, block, left)

    @rule(worker=WORKERS, data=st.data())
    def die(self, worker: str, data: st.DataObject) -> None:
        name = self.name(worker)
        for _, block in [held for held in self.blocks if held[0] == name]:
            self.settled |= data.draw(st.sets(st.sampled_from(sorted(expand(block)))))
        self.blocks = [held for held in self.blocks if held[0] != name]
        self.dead.add(name)
        self.lives[worker] += 1

    @rule()
    def bury(self) -> None:
        unsettled = rows.of_sorted(sorted(self.todo - self.settled))
        self.share = self.share.bury(self.dead, unsettled)

    @invariant()
    def no_row_is_held_by_two_living_workers(self) -> None:
        if not hasattr(self, "blocks"):
            return
        held = [row for _, block in self.blocks for row in expand(block)]
        assert len(held) == len(set(held))
        assert not set(held) & expand(self.share.free)
        assert not expand(self.share.free) & self.settled

    @invariant()
    def no_row_is_lost(self) -> None:
        if hasattr(self, "blocks"):
            known = expand(self.share.free).union(*map(expand, self.share.held.values()))
            assert known | self.settled == self.todo

    def teardown(self) -> None:
        if not hasattr(self, "blocks"):
            return
        for worker, block in self.blocks:
            self.share = self.share.end(worker, block)
            self.settled |= expand(block)
        self.bury()
        while not self.share.is_over:
            self.share, block = self.share.take("last", 1)
            assert block, self.share
            self.share = self.share.end("last", block)
            self.settled |= expand(block)
        assert self.settled == self.todo


Claiming.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestClaiming = Claiming.TestCase
