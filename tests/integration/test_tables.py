"""A task may keep its results as a table."""

import pytest

from psyrun.store import H5Store


@pytest.mark.parametrize("resultfile", ["result.h5", "result.hdf5"])
def test_a_task_keeps_its_result_as_a_table(project, resultfile):
    project.task(
        "waves",
        f"""
        from psyrun.store import H5Store

        pspace = Param(a=range(6)) * Param(name=["é", "x"])
        store = H5Store(layout="table", index=["a", "y"])
        resultfile = {resultfile!r}
        max_jobs = 3

        def execute(a, name):
            return {{"y": a / 2, "trace": [a] * a}}
        """,
    )
    assert project.psy("run").code == 0
    with H5Store().open(project.root / resultfile) as reader:
        assert reader.where("a > 2 and name == 'é'").tolist() == [6, 8, 10]
        assert reader.read("trace", 4, 5).tolist()[0][:2] == [2.0, 2.0]
    project.task(
        "waves",
        f"""
        from psyrun.store import H5Store

        pspace = Param(a=range(7)) * Param(name=["é", "x"])
        store = H5Store(layout="columns")
        resultfile = {resultfile!r}

        def execute(a, name):
            return {{"y": a / 2, "trace": [a] * a}}
        """,
    )
    done = project.psy("run", "-c")
    assert done.code == 0, done.err
    with H5Store().open(project.root / resultfile) as reader:
        assert reader.where("y == 3").tolist() == [12, 13]
