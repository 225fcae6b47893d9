"""A work directory to fill by hand."""

from pathlib import Path

import pytest

from psyrun.workdir import Workdir
from tests.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    workdir = Workdir(tmp_path / "psy-work" / "task")
    workdir.make()
    return Desk(workdir)
