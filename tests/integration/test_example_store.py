"""The example of a store is a package that, once it is installed, passes its own tests."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "psy-tasks-examples" / "another-store"


def installed(folder: Path) -> None:
    """Put into a folder what an installation of the example puts there."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    shutil.copy(EXAMPLE / "psyrun_sqlite.py", folder)


def test_the_example_passes_its_tests_where_it_is_installed(tmp_path: Path) -> None:
    # in a copy, above which no pyproject.toml of Psyrun's says how to run tests
    ignored = shutil.ignore_patterns("__pycache__", "psy-work")
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=ignored)
    installed(tmp_path / "site")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    paths = [str(ROOT), str(tmp_path / "site"), *filter(None, [kept.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "example",
        env={**kept, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
