"""Make the pictures of README and docs: tasks are run for them, nothing in them is drawn.

python docs/pictures.py           write docs/_static/status.svg and outbreak.svg
python docs/pictures.py FOLDER    write them there
"""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WIDTH = 92
PATIENCE = 60.0
TASKS = ("outbreak", "pi")
SWING = """\
from psyrun import Param

pspace = Param(length=[0.5, 1.0, 0.0]) * Param(gravity=[9.81, 1.62])

def execute(length, gravity):
    return {"frequency": (gravity / length) ** 0.5}
"""
WAVES = """\
import time

from psyrun import Param, Slurm

pspace = Param(k=range(100)) * Param(t=range(50))
scheduler = Slurm()
scheduler_args = {"timelimit": "1h"}
max_jobs = 10

def execute(k, t):
    time.sleep(0.01)
    return {"phase": k * t}
"""


def main(folder: Path) -> None:
    """Make both pictures in a folder."""
    from tests.fakescheduler.system import FakeSystem

    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "project"
        (project / "psy-tasks").mkdir(parents=True)
        with FakeSystem(Path(place) / "slurm", "slurm").running() as system:
            os.environ["PATH"] = os.pathsep.join(
                [str(Path(sys.executable).parent), system.path]
            )
            text = status(project)
        (folder / "status.svg").write_text(drawn(text), encoding="utf-8")
        plot(project, folder / "outbreak.svg")


def status(project: Path) -> str:
    """Bring tasks into several states; return what `psy status` prints on a terminal."""
    tasks = project / "psy-tasks"
    for name in TASKS:
        shutil.copy(ROOT / "psy-tasks-examples" / f"task_{name}.py", tasks)
    (tasks / "task_swing.py").write_text(SWING)
    (tasks / "task_waves.py").write_text(WAVES)
    psy(project, "run")
    pi = tasks / "task_pi.py"
    pi.write_text(pi.read_text().replace("range(20)", "range(30)"))
    deadline = time.monotonic() + PATIENCE
    while not re.search(r"waves: .*running.* [1-9]\d\d of", text := psy(project, "status")):
        if time.monotonic() > deadline:
            sys.exit(f"ERROR the jobs do not get on:\n{text}")
    psy(project, "kill", "waves")
    return text


def psy(project: Path, *arguments: str) -> str:
    """Run a command on a terminal of its own; return what it prints, with its colours."""
    ours, its = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"COLUMNS": str(WIDTH)}
    process = subprocess.Popen(
        [sys.executable, "-m", "psyrun", *arguments],
        cwd=project,
        env=env,
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    printed = bytearray()
    try:
        while part := os.read(ours, 4096):
            printed += part
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(ours)
    process.wait()
    return printed.decode().replace("\r\n", "\n")


def drawn(text: str) -> str:
    """Draw what was printed as a window; fonts are not fetched from elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(f"$ psy status\n{text.rstrip()}"))
    picture = console.export_svg(title="psy status", unique_id="psy")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def plot(project: Path, file: Path) -> None:
    """Draw the result of `outbreak`, as the tutorial does."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "psyrun"  # the same picture each time
    import matplotlib.pyplot as plt

    import psyrun

    os.chdir(project)
    grid = psyrun.load_result("outbreak").to_xarray()
    grid["peak"].plot.line(x="rate", hue="days")
    plt.ylabel("share of people who are sick at the peak")
    plt.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "_static").resolve())
