"""Work that is done beside the main thread."""

import threading

from psyrun.aside import Aside


def test_it_is_done_in_order_and_waited_for():
    seen: list[object] = []
    aside = Aside(seen.append)
    for number in range(100):
        aside.do(lambda number=number: seen.append(number))  # type: ignore[misc]
    aside.wait()
    assert seen == list(range(100))
    aside.do(lambda: seen.append(100))
    aside.wait()
    assert seen[-1] == 100


def test_an_error_is_told_and_the_next_has_its_turn():
    seen: list[object] = []
    aside = Aside(seen.append)
    aside.do(lambda: 1 / 0)
    aside.do(lambda: seen.append("next"))
    aside.wait()
    assert isinstance(seen[0], ZeroDivisionError)
    assert seen[1:] == ["next"]


def test_who_gives_more_than_can_be_done_waits():
    seen: list[int] = []
    aside = Aside(print)
    gate = threading.Event()
    aside.do(gate.wait)

    def give() -> None:
        for number in range(1000):
            aside.do(lambda number=number: seen.append(number))  # type: ignore[misc]

    more = threading.Thread(target=give)
    more.start()
    more.join(0.2)
    assert more.is_alive()
    gate.set()
    more.join()
    aside.wait()
    assert len(seen) == 1000
