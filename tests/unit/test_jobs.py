import json

import pytest

from psyrun.exceptions import WorkdirError
from psyrun.jobs import Job, job_names, origin, read_job, write_jobs
from psyrun.workdir import Workdir

JOB = Job("3-7", "t", "/tasks", "snap", "code", ((0, 3), (7, 10**20)))


@pytest.fixture
def workdir(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.make()
    return workdir


def test_a_job_comes_back(workdir):
    write_jobs(workdir, [JOB])
    assert read_job(workdir, "3-7") == JOB


def test_a_job_that_is_not_there_is_named(workdir):
    with pytest.raises(WorkdirError, match="there is no job '1-0' in "):
        read_job(workdir, "1-0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "rows": [[1]]}',
        '{"format": 1, "rows": 3}',
    ],
)
def test_a_damaged_job_is_named(workdir, text):
    workdir.job("3-7").write_text(text)
    with pytest.raises(WorkdirError, match=r"3-7\.json is damaged"):
        read_job(workdir, "3-7")


def test_a_later_format_is_not_misread(workdir):
    write_jobs(workdir, [JOB])
    path = workdir.job("3-7")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(WorkdirError, match="format 2, this Psyrun reads 1; use the newer"):
        read_job(workdir, "3-7")


def test_the_jobs_of_a_run_come_in_their_order(workdir):
    for name in ("1-2", "1-10", "1-0", "11-1", "2-0"):
        workdir.job(name).write_text("{}")
    assert job_names(workdir, 1) == ["1-0", "1-2", "1-10"]


def test_the_origin_of_a_journal_tells_run_and_process(workdir):
    told = origin(JOB)
    assert (told["job"], told["run"], told["snapshot"], told["code"]) == (
        "3-7",
        3,
        "snap",
        "code",
    )
    assert json.loads(json.dumps(told)) == told
