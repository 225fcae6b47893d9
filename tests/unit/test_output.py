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
