import pytest

from psyrun.workdir import job_named


@pytest.mark.parametrize(
    ("text", "job"),
    [("1-0", "1-0"), ("12-0+0", "12-0"), ("1-1001+5", "1-1006"), ("1-1001+1000", "1-2001")],
)
def test_an_argument_of_a_worker_names_a_job(text, job):
    assert job_named(text) == job


@pytest.mark.parametrize("text", ["1-2+", "+3", "1-+3", "1+3", "a-b+c", "1-2+-3"])
def test_what_is_no_such_argument_stays_and_is_no_job(text):
    assert job_named(text) == text
