"""Any file of a work directory, damaged in any way: never a wrong result, never a traceback.

At worst rows count as missing, or a message names the file to remove; the next run completes.
"""

import contextlib
import io
import json
import os
import pickle
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psyrun.main import psy_main
from tests.property.examples import examples

TASK = """
from pathlib import Path
import helper_d
from psyrun import Param

pspace = Param(a={space}) * Param(b=['x', 'y'])
max_jobs = 4
pool_size = 1

def execute(a, b):
    if a == 5 and not Path('ready').exists():
        raise ValueError('not ready')
    return {{'y': a * helper_d.K, 'z': b * 30}}
"""
SPACES = ("range(6)", "[9, 2, 1, 0, 3, 4, 5]")
VALUES = (9, 2, 1, 0, 3, 4, 5)
LEFT_ALONE = {"lock"}


def psy(*arguments: str) -> tuple[int, str, str]:
    """Run a command here, and hold that it ends without an error that nobody expected."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = psy_main(list(arguments))
    assert "Traceback" not in err.getvalue(), err.getvalue()
    assert "psy --debug shows where" not in err.getvalue(), err.getvalue()
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task with two runs: rows moved, some in partial results, some in journals, two failed.

    An older whole result stands, by an earlier space.
    """
    folder = tmp_path_factory.mktemp("template")
    tasks = folder / "psy-tasks"
    tasks.mkdir()
    (tasks / "helper_d.py").write_text("K = 10\n")
    (tasks / "ready").touch()
    with inside(folder):
        (tasks / "task_t.py").write_text(TASK.format(space="range(4)"))
        assert psy("run")[0] == 0
        (tasks / "ready").unlink()
        for space in SPACES:
            (tasks / "task_t.py").write_text(TASK.format(space=space))
            assert psy("run")[0] == 1
    (tasks / "ready").touch()
    return folder


def files_of(folder: Path) -> list[Path]:
    found = (folder / "psy-work").rglob("*")
    return sorted(
        p.relative_to(folder) for p in found if p.is_file() and p.name not in LEFT_ALONE
    )


def damage(path: Path, draw: st.DataObject) -> str:
    """Do something to a file; tell what."""
    data = bytearray(path.read_bytes())
    how = draw.draw(st.sampled_from(["flip", "cut", "zero", "empty", "remove", "add"]))
    place = draw.draw(st.integers(0, max(len(data) - 1, 0)))
    match how:
        case "flip" if data:
            data[place] ^= 1 << draw.draw(st.integers(0, 7))
        case "cut":
            del data[place:]
        case "zero":
            size = min(draw.draw(st.integers(1, 64)), len(data) - place)
            data[place : place + size] = bytes(size)
        case "empty":
            data.clear()
        case "add":
            data += b"\xf5PSY" + bytes(draw.draw(st.integers(0, 60)))
        case "remove":
            path.unlink()
            return how
    path.write_bytes(data)
    return f"{how} at {place}"


def is_right(columns: dict[str, list[object]]) -> None:
    """Hold that rows have the values of their parameters, and that none is double."""
    rows = list(zip(*(columns[name] for name in ("a", "b", "y", "z")), strict=True))
    assert all(y == a * 10 and z == b * 30 for a, b, y, z in rows)
    assert len({(a, b) for a, b, *_ in rows}) == len(rows)


def look_at_all() -> None:
    """Read what is there by every command that reads."""
    for arguments in (["status"], ["status", "-v"], ["list"], ["errors"], ["verify"]):
        assert psy(*arguments)[0] in {0, int(arguments[0] in {"errors", "verify"})}
    code, *_ = psy("merge", "psy-work/t", "sofar.pkl")
    if code == 0:
        is_right(pickle.loads(Path("sofar.pkl").read_bytes()))


def complete() -> None:
    """Run until all is done, removing what a message names as damaged."""
    for _ in range(3):
        code, _, err = psy("run")
        if code == 0:
            break
        named = re.search(r"(\S+) (?:is damaged|has format)", err)
        assert named, err
        shutil.rmtree(named[1], ignore_errors=True)
        Path(named[1]).unlink(missing_ok=True)
    assert code == 0, err
    columns = pickle.loads(Path("psy-work/t/result.pkl").read_bytes())
    is_right(columns)
    assert columns["a"] == [a for a in VALUES for _ in range(2)]
    assert columns["b"] == ["x", "y"] * len(VALUES)
    assert "up to date" in psy("status")[1]
    (record,) = json.loads(psy("verify", "--json")[1])
    assert [f for f in record["findings"] if f["missing_rows"]] == []


SETTINGS = settings(
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def hit(template: Path, folder: Path, draw: st.DataObject, times: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    for _ in range(times):
        path = draw.draw(st.sampled_from(files_of(folder)))
        draw.draw(st.just(f"{path}: {damage(folder / path, draw)}"))
    with inside(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        look_at_all()
        complete()


@given(st.data())
@SETTINGS
def test_any_damage_is_found_and_made_good(template, tmp_path, data):
    hit(template, tmp_path / "copy", data, 1)


@pytest.mark.slow
@given(st.data(), st.integers(1, 8))
@settings(SETTINGS, max_examples=400)
def test_any_damage_to_several_files_is_found_and_made_good(template, tmp_path, data, times):
    hit(template, tmp_path / "copy", data, times)
