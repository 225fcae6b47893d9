"""The documentation is true: its code runs, its output is real, and Sphinx has no complaint.

A page's blocks run in order, in a folder of its own; the parts of the tutorial follow each
other in one. What a block is follows from its language, and from a comment right above it:

======================  ==================================================================
``console``             lines after ``$`` are run by bash; all other lines are their output
``python``              run as it is, or as doctests if it holds ``>>>``
``text``, ``json``      only looked at by people
``.. file: NAME``       the block is written to a file instead
``.. edit: NAME``       the block replaces the line of a file that sets the same name
``.. copy: FOLDER``     the repository's folder is there when the block runs
``.. skip: REASON``     the block is not run; only for commands that would install things
``.. system: KIND``     a fake batch system is there for the rest of the page
======================  ==================================================================

Durations, points in time and the number of row processes may be others than in the page.
``...`` stands for anything, but not for everything: some text of each output has to be there.
"""

import contextlib
import doctest
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.fakescheduler.system import FakeSystem

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.rst",
    ROOT / "CONTRIBUTING.rst",
    *sorted((ROOT / "docs").rglob("*.rst")),
]
TUTORIAL = [
    ROOT / "docs" / "tutorial" / f"{part}.rst"
    for part in (
        "spaces-and-maps",
        "a-task",
        "rows-that-fail",
        "results-and-plots",
        "on-a-cluster",
    )
]
MAY_SKIP = (
    *("git clone ", "cd ", "source ", "tox", "pre-commit ", "pytest "),
    *("python3 dev.py ", "python3 -m venv ", "python -m pip install "),
)

DURATION = re.compile(r" *\b\d[\d.]*(e-\d+)? (us|ms|s|min|h|d)\b( \d+ (s|min|h)\b)?")
MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)?")

PROCESSES = re.compile(r"\bon \d+ row process(es)?\b")
"""As many as the machine has cores."""

DIRECTIVE = re.compile(r"\.\. code-block:: *(?P<language>\S*)")
MARKER = re.compile(r"\.\. (?P<verb>file|edit|copy|skip|system): (?P<argument>.+)")
PROGRESS = re.compile(r"^.* rows, .* left\n", re.MULTILINE)
"""Lines that a slow machine prints now and then."""

RUNNING = {"console", "python"}
SHOWN = {"text", "json", "rst"}


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    place: str
    language: str
    text: str
    marks: dict[str, str]

    @property
    def runs(self) -> bool:
        return self.language in RUNNING and not {"file", "edit", "skip"} & self.marks.keys()

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What a console block runs, and the output it shows for each command."""
        before, *rest = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        assert not before.strip(), f"{self.place}: there is output above the first command"
        return [(head, out) for head, _, out in (part.partition("\n") for part in rest)]


def blocks_in(text: str, name: str = "page") -> Iterator[Block]:
    """Find the blocks of a page."""
    lines = text.splitlines()
    marks: dict[str, str] = {}
    for number, line in enumerate(lines):
        if mark := MARKER.fullmatch(line.strip()):
            marks[mark["verb"]] = mark["argument"].strip()
        elif directive := DIRECTIVE.fullmatch(line.strip()):
            body = indented(lines[number + 1 :], len(line) - len(line.lstrip()))
            yield Block(f"{name}:{number + 1}", directive["language"], body, marks)
            marks = {}
        elif line.strip():
            assert not marks, f"{name}:{number + 1}: a comment for a block, but no block"


def indented(lines: list[str], margin: int) -> str:
    """Take the lines that are indented deeper than a directive, without its options."""
    body = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= margin:
            break
        body.append(line)
    text = textwrap.dedent("\n".join(body))
    return re.sub(r"\A(:\w+:.*\n)*\s*\n", "", text).rstrip() + "\n"


def normal(text: str) -> str:
    """Put durations and points in time out of the way."""
    text = DURATION.sub(" <duration>", MOMENT.sub("<moment>", text))
    text = PROCESSES.sub("on <n> row processes", text)
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def agrees(shown: str, real: str) -> bool:
    """Tell whether real output is what a page shows."""
    if shown.strip() and not re.sub(r"[.\s]", "", shown):
        return False
    options = doctest.ELLIPSIS
    return doctest.OutputChecker().check_output(normal(shown), normal(real), options)


def run_blocks(blocks: list[Block], folder: Path) -> int:
    """Run the blocks of a page in a folder; return how many outputs were compared."""
    with contextlib.ExitStack() as stack:
        for kind in (block.marks["system"] for block in blocks if "system" in block.marks):
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            system = stack.enter_context(FakeSystem(place, kind).running())
            stack.enter_context(mock.patch.dict(os.environ, {"PATH": system.path}))
        return _run_blocks(blocks, folder)


def _run_blocks(blocks: list[Block], folder: Path) -> int:
    names: dict[str, Any] = {"__name__": "__main__"}
    compared = 0
    for block in blocks:
        if copied := block.marks.get("copy"):
            shutil.copytree(
                ROOT / copied, folder / copied, ignore=shutil.ignore_patterns("__*")
            )
        if file := block.marks.get("file"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(block.text)
        elif file := block.marks.get("edit"):
            edit(folder / file, block)
        elif block.runs and block.language == "console":
            compared += run_console(block, folder)
        elif block.runs:
            compared += run_python(block, folder, names)
    return compared


def edit(file: Path, block: Block) -> None:
    name = block.text.partition(" = ")[0]
    before = file.read_text()
    line = re.compile(rf"^{name} = .*\n", re.MULTILINE)
    assert len(line.findall(before)) == 1, f"{block.place}: no one line of {file} sets {name}"
    file.write_text(line.sub(lambda _: block.text, before))


def run_console(block: Block, folder: Path) -> int:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    env |= {"PATH": path, "NO_COLOR": "1", "COLUMNS": "100"}
    assert block.commands, f"{block.place}: there is no command"
    for command, shown in block.commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert agrees(shown, PROGRESS.sub("", done.stdout)), (
            f"{block.place}: $ {command}\nshown:\n{shown}\nreal:\n{done.stdout}"
        )
    return len(block.commands)


def run_python(block: Block, folder: Path, names: dict[str, Any]) -> int:
    with contextlib.chdir(folder):
        if ">>> " not in block.text:
            exec(compile(block.text, block.place, "exec"), names)
            return 0
        test = doctest.DocTestParser().get_doctest(block.text, names, block.place, None, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        report = io.StringIO()
        runner.run(test, out=report.write, clear_globs=False)
    names |= test.globs
    assert not runner.failures, report.getvalue()
    return runner.tries


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


ALONE = [
    page
    for page in PAGES
    if page not in TUTORIAL and any(b.runs for b in blocks_in(page.read_text()))
]


def blocks_of(pages: list[Path]) -> list[Block]:
    return [block for page in pages for block in blocks_in(page.read_text(), page_name(page))]


@pytest.mark.parametrize("page", ALONE, ids=page_name)
def test_page_shows_what_happens(page: Path, tmp_path: Path) -> None:
    run_blocks(blocks_of([page]), tmp_path)


def test_the_tutorial_shows_what_happens(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # as where python is started
    assert run_blocks(blocks_of(TUTORIAL), tmp_path) > 50


def test_pages_that_must_run_do() -> None:
    assert ROOT / "README.rst" in ALONE
    assert {*(ROOT / "docs" / "tutorial").glob("*.rst")} == {*TUTORIAL}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_page_has_no_block_that_escapes(page: Path) -> None:
    text = page.read_text()
    for block in blocks_in(text, page_name(page)):
        assert block.language in RUNNING | SHOWN, block.place
        if "skip" in block.marks:
            for command, _ in block.commands:
                assert command.startswith(MAY_SKIP), f"{block.place}: $ {command}"
    literal = [line for line in text.splitlines() if re.search(r"\w+ ?::$", line)]
    assert [line for line in literal if not line.strip().startswith(".. ")] == []


CONSOLE = """
.. file: sums.txt

.. code-block:: text

    3 rows in 20 ms

.. code-block:: console

    $ cat sums.txt
    {}
"""


@pytest.mark.parametrize(
    ("shown", "fits"),
    [
        ("3 rows in 20 ms", True),
        ("3 rows in 1.2 s", True),
        ("3 rows in 2 h 5 min", True),
        ("3 ... ms", False),  # a duration is not taken apart
        ("3 ...", True),
        ("4 rows in 20 ms", False),
        ("...", False),
        ("", False),
    ],
)
def test_output_is_compared(shown: str, fits: bool, tmp_path: Path) -> None:
    blocks = list(blocks_in(CONSOLE.format(shown)))
    with contextlib.nullcontext() if fits else pytest.raises(AssertionError, match="real:"):
        assert run_blocks(blocks, tmp_path) == 1


PYTHON = """
.. code-block:: python

    x = 3

.. code-block:: python

    >>> x + 1
    {}
"""


def test_doctests_are_compared(tmp_path: Path) -> None:
    assert run_blocks(list(blocks_in(PYTHON.format(4))), tmp_path) == 1
    with pytest.raises(AssertionError, match="Expected"):
        run_blocks(list(blocks_in(PYTHON.format(5))), tmp_path)


@pytest.mark.skipif(not importlib.util.find_spec("sphinx"), reason="Sphinx is not installed")
def test_sphinx_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-d", str(tmp_path / "doctrees"), str(ROOT / "docs"), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").exists()
