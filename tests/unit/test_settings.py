import pytest

from psyrun.settings import HARMLESS, SETTINGS
from psyrun.tasks import Config, TaskDef

KINDS = {
    "space",
    "function",
    "scheduler",
    "store",
    "class",
    "names",
    "files",
    "count",
    "seconds",
    "flag",
    "path",
    "text",
    "mapping",
    "texts",
    "none",
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_setting_is_described(setting):
    assert set(setting.kinds) <= KINDS
    assert setting.doc.endswith(".")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_an_attribute(name):
    assert hasattr(Config(), name)


def test_what_0_8_knew_is_still_there():
    known = """
        pspace execute setup backend exclude_from_result file_dep max_jobs min_items
        overwrite_dirty pool_size python resultfile scheduler scheduler_args store workdir
        name
    """
    assert set(SETTINGS) >= set(known.split())


def test_only_functions_can_make_rows_stale():
    assert set(SETTINGS) - HARMLESS == {"execute", "setup"}


def test_defaults_are_those_that_are_documented():
    config = Config()
    assert (config.max_jobs, config.min_items, config.pool_size) == (100, 1, None)
    assert (config.overwrite_dirty, config.workdir) == (True, "psy-work")
    assert (config.scheduler_args, config.file_dep, config.exclude_from_result) == ({}, [], [])


def test_defaults_are_not_shared(tmp_path):
    """0.8 shared one store object, and one list of failed jobs, among all tasks."""
    for name in "ab":
        (tmp_path / f"task_{name}.py").write_text("")
    one, other = (TaskDef(tmp_path / f"task_{name}.py") for name in "ab")
    for setting in ("store", "scheduler", "scheduler_args", "file_dep", "exclude_from_result"):
        assert getattr(one, setting) is not getattr(other, setting)
    vars(one)["scheduler_args"]["x"] = 1
    one.file_dep.append("x")
    assert Config().scheduler_args == {}
    assert Config().file_dep == []
