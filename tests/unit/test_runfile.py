import dataclasses
import json

import pytest

from psyrun.exceptions import WorkdirError
from psyrun.files import write_record
from psyrun.runfile import Result, Run, RunFile, read_run_file, write_run_file
from psyrun.workdir import Workdir

RUN = Run(
    1,
    "snap",
    "code",
    10**30,
    since=1,
    same=("s",),
    accepted=("old", "older"),
    jobs={"1-0": "17", "1-1": None},
    merge_job="18",
    scheduler="m:S",
    store="PickleStore",
    resultfile="r.pkl",
    exclude=("a",),
    when="2020-01-01T00:00:00+00:00",
    host="h",
    user="ü",
    versions={"python": "3"},
    command=("psy", "run", "ü x"),
    folder="/ü",
    git={"commit": "c", "branch": None, "dirty": True, "untracked": ["a"], "diff": "log/1"},
)
RESULT = Result("snap", {"code": 3}, "PickleStore", "r.pkl", ("a",), 5, 6, 7, since=2)


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path)


def test_what_was_written_comes_back(workdir):
    file = RunFile("t", (RUN, dataclasses.replace(RUN, number=2)), RESULT)
    write_run_file(workdir, file)
    assert read_run_file(workdir, "t") == file


def test_a_run_noted_before_there_was_a_command_and_git_comes_back(workdir):
    fields = dataclasses.asdict(RUN)
    for name in ("command", "folder", "git"):
        del fields[name]
    write_record(workdir.run_file, 1, {"task": "t", "runs": [fields], "result": None})
    (run,) = read_run_file(workdir, "t").runs
    assert run == dataclasses.replace(RUN, command=(), folder="", git=None)


def test_where_there_is_none_there_are_no_runs(workdir):
    file = read_run_file(workdir, "t")
    assert file == RunFile("t")
    assert file.last is None


def test_a_run_is_added_or_replaced_by_its_number(workdir):
    file = RunFile("t").with_run(RUN).with_run(dataclasses.replace(RUN, number=2))
    again = file.with_run(dataclasses.replace(RUN, number=2, code="new"))
    assert [run.number for run in again.runs] == [1, 2]
    assert again.last is not None
    assert again.last.code == "new"
    assert file.last is not None
    assert file.last.code == "code"


def test_the_present_code_ranks_above_accepted_ones():
    run = dataclasses.replace(RUN, accepted=("old", "code"))
    assert run.codes == {"old": 0, "s": 1, "code": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"format": 1}',
        '{"format": 1, "task": "t", "runs": [3], "result": null}',
        '{"format": 1, "task": "t", "runs": [{}], "result": null}',
        '{"format": 1, "task": "t", "runs": [{"nonsense": 1}], "result": null}',
        '{"format": 1, "task": "t", "runs": [], "result": {"x": 1}}',
        '{"format": 1, "task": "t", "runs": [], "result": [1]}',
    ],
)
def test_a_damaged_file_is_named(workdir, text):
    workdir.run_file.write_text(text)
    with pytest.raises(WorkdirError, match=r"run\.json is damaged.*run again"):
        read_run_file(workdir, "t")


def test_a_later_format_is_not_misread(workdir):
    write_run_file(workdir, RunFile("t"))
    data = json.loads(workdir.run_file.read_text()) | {"format": 2}
    workdir.run_file.write_text(json.dumps(data))
    with pytest.raises(WorkdirError, match="format 2, this Psyrun reads 1; use the newer"):
        read_run_file(workdir, "t")
