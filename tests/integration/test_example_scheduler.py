"""The example of a scheduler passes its own tests, which run as its reader would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "psy-tasks-examples" / "another-scheduler"


def test_the_example_passes_its_tests(tmp_path: Path) -> None:
    # in a copy, above which no pyproject.toml of Psyrun's says how to run tests
    ignored = shutil.ignore_patterns("__pycache__", "psy-work")
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=ignored)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "example",
        env={**kept, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
