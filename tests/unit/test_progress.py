import pytest
from rich.console import Console

from psyrun.progress import Bar, _make_bar


@pytest.mark.parametrize(
    ("done", "seconds", "rate"),
    [(3, 2.0, "1.5 rows/s"), (300_000, 1.0, "300,000 rows/s"), (12_345, 10.0, "1,234 rows/s")],
)
def test_a_rate_is_told_in_plain_digits(done, seconds, rate):
    assert rate in Bar(10**6).line(done, 0, seconds)


def test_no_time_is_left_when_rows_were_counted_twice():
    assert Bar(10).line(12, 0, 1.0).endswith(", 0 ms left")


def test_nothing_is_known_before_the_first_row():
    assert Bar(10, "t").line(0, 0, 5.0) == "t: 0 of 10 rows"


def test_what_is_soon_over_is_not_shown(capfd):
    bar = Bar(10)
    bar.update(5)
    bar.close()
    assert capfd.readouterr() == ("", "")


def test_lines_come_now_and_then_where_there_is_no_terminal(capfd):
    bar = Bar(10, "t")
    bar._began -= 20
    bar._line_due -= 20
    bar.update(5, 1)
    bar.update(6, 1)
    bar.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("t: 6 of 10 rows, 1 failed")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_name_is_shortened_before_the_numbers(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    bar = _make_bar(400, "a_rather_long_name_of_a_function_that_does_not_fit")
    bar.update(0, completed=4, failed="2 failed")
    console = Console()
    with console.capture() as shown:
        console.print(bar.get_renderable())
    bar.stop()
    (line,) = shown.get().rstrip("\n").split("\n")
    assert line.startswith("a_rather")
    assert "… " in line
    assert "4/400 2 failed" in line
    assert line.endswith("-:--:--")
