"""What is left of a job, as its files tell."""

from psyrun.jobs import Job
from psyrun.remaining import left_to_do


def test_a_job_costs_no_more_where_its_rows_stand_behind_many_others(desk):
    far = 10**12
    job = Job("1-0", "", "", "snapshot", "code", ((far, far + 5),))
    desk.journal(job, {far + 1: {}}, {far + 2: "no"})
    assert left_to_do(desk.workdir, job) == ((far, far + 1), (far + 2, far + 5))
    assert left_to_do(desk.workdir, job, retry=False) == ((far, far + 1), (far + 3, far + 5))
