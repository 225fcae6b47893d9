"""Schedulers are found where task files and scripts import them from."""

import subprocess
import sys

import pytest

import psyrun
import psyrun.scheduler
from psyrun.scheduler import Scheduler, qualified_name
from psyrun.tasks import Config

NAMES = ["ImmediateRun", "LSF", "PBS", "SGE", "Slurm", "Sqsub"]


@pytest.mark.parametrize("name", NAMES)
def test_schedulers_are_imported_from_psyrun(name):
    cls = getattr(psyrun, name)
    assert issubclass(cls, Scheduler)
    assert name in psyrun.__all__
    assert cls is getattr(psyrun.scheduler, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_scheduler_is_made_again_by_its_name(name):
    scheduler = getattr(psyrun, name)()
    module, _, cls = qualified_name(scheduler).partition(":")
    assert isinstance(getattr(sys.modules[module], cls)(), type(scheduler))


def test_modules_of_schedulers_are_called_as_they_were():
    from psyrun.scheduler.slurm import Slurm
    from psyrun.scheduler.sqsub import Sqsub

    assert (Slurm, Sqsub) == (psyrun.Slurm, psyrun.Sqsub)


def test_a_class_will_do_in_a_task_file():
    config = Config()
    config.scheduler = psyrun.Slurm()
    assert config.scheduler.can_requeue


def test_schedulers_import_nothing_heavy():
    code = (
        "import sys, psyrun.scheduler; print({'numpy', 'xml', 'subprocess'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
