import pytest

from psyrun.units import duration, size_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0123, "12.3 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.26, "1.3 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (599.7, "10 min"),
        (3599.7, "1 h"),
        (7260, "2 h 1 min"),
        (86400 * 3 + 3600, "3 d 1 h"),
    ],
)
def test_a_duration_in_words(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_300_000, "12.3 MB")]
)
def test_sizes_in_words(size, text):
    assert size_text(size) == text
