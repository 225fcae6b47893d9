import io

from psyrun.output import Tail


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise OSError(28, "No space left on device")


def test_the_last_lines_are_remembered():
    tail = Tail(io.StringIO())
    print("one\ntwo", file=tail)
    tail.write("three")
    assert tail.last_lines() == ["one", "two", "three"]


def test_a_log_that_takes_no_more_is_no_reason_to_fail():
    tail = Tail(Full())
    print("said", file=tail, flush=False)
    tail.target.close()
    assert tail.last_lines() == ["said"]


def test_a_bar_that_writes_over_itself_takes_no_room():
    tail = Tail(io.StringIO())
    for step in range(5000):
        tail.write(f"\r{step:4d} of 5000" + " " * 60)
    (line,) = tail.last_lines()
    assert line.startswith("4999 of 5000")
    assert len(line) < 100


def test_it_is_asked_what_standard_output_is_asked():
    target = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    tail = Tail(target)
    tail.buffer.write(b"x")
    assert tail.encoding == "latin-1"
