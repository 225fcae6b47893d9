"""What a shell is told: help with examples that are right, and completion that knows tasks."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyrun.commandline.command import Command
from psyrun.main import psy

NEEDED = bool(os.environ.get("PSYRUN_TEST_SHELLS"))
COMMANDS = [command for command in psy.commands.values() if isinstance(command, Command)]


def examples() -> Iterator[tuple[str, Command]]:
    for command in COMMANDS:
        for line in command.examples:
            for part in line.replace('eval "$(', "").replace(')"', "").split(" | "):
                if part.startswith("psy "):
                    yield part, command


EXAMPLES = {line for line, _ in examples()}


def test_every_command_is_in_one_section_of_the_help() -> None:
    assert len(COMMANDS) == len(psy.commands)
    listed = [str(cmd.name) for commands in psy.sections.values() for cmd in commands]
    assert sorted(listed) == sorted(psy.commands)


def test_every_command_has_an_example() -> None:
    assert {command.name for _, command in examples()} == set(psy.commands)


@pytest.mark.parametrize(("line", "command"), list(examples()))
def test_an_example_is_a_call_of_its_command(line: str, command: Command) -> None:
    words = shlex.split(line)[1:]
    assert words[0] == command.name
    with psy.make_context("psy", words) as context:
        command.make_context(words[0], words[1:], context)  # raises if it cannot be said


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("words", [[], *([name] for name in psy.commands)], ids=str)
def test_help_fits_the_terminal(
    words: list[str], columns: int, project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = project.psy(*words, "--help").out.splitlines()
    assert [
        line for line in lines if len(line) > columns and line.strip() not in EXAMPLES
    ] == []


def run_shell(*command: str, cwd: Path) -> str:
    """Run a shell in which `psy` is on the path; return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "HOME": str(cwd)}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def shell(name: str) -> str:
    found = shutil.which(name)
    if not found and not NEEDED:
        pytest.skip(f"{name} is not installed")
    assert found, f"{name} is not installed"
    return found


def completed(name: str, typed: str, cwd: Path) -> list[str]:
    """Let a shell complete the last word of what is typed."""
    *words, last = typed.split(" ")
    line = typed if last else f"{typed}''"
    if name == "fish":
        script = f"psy completion fish | source; complete -C '{typed}'"
        return run_shell(shell(name), "-c", script, cwd=cwd).split()
    if name == "bash":
        script = (
            'eval "$(psy completion bash)"\n'
            f"COMP_WORDS=({line}); COMP_CWORD={len(words)}\n"
            "_psy_completion psy 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        return run_shell(shell(name), "-c", script, cwd=cwd).split()
    # zsh completes in its line editor only: let its function say what it would offer
    script = (
        "autoload -U compinit; compinit -u -D\n"
        'eval "$(psy completion zsh)"\n'
        "[[ $_comps[psy] == _psy_completion ]] || exit 1\n"
        "_describe() { for it in ${(P)3}; do print -r -- ${it%%:*}; done }\n"
        "compadd() { for it in ${(P)argv[-1]}; do print -r -- $it; done }\n"
        f"words=({line}); CURRENT={len(words) + 1}\n"
        "_psy_completion"
    )
    return run_shell(shell(name), "-f", "-c", script, cwd=cwd).split()


CASES = [
    ("psy st", {"status"}),
    ("psy run fit fi", {"fine"}),
    ("psy --taskdir more status t", {"third"}),
]
MORE = [
    ("psy run ", {"fit", "fine", "other"}),
    ("psy run fi", {"fit", "fine"}),
    ("psy run --taskdir more t", {"third"}),
    ("psy new-task x --scheduler Sl", {"Slurm"}),
    ("psy completion z", {"zsh"}),
    ("psy run --dry", {"--dry-run"}),
]


@pytest.mark.parametrize(
    ("name", "typed", "offered"),
    [
        *(("bash", *case) for case in CASES + MORE),
        *((name, *case) for name in ("fish", "zsh") for case in CASES),
    ],
)
def test_a_shell_completes(name: str, typed: str, offered: set[str], tmp_path: Path) -> None:
    for path in ("psy-tasks/fit", "psy-tasks/fine", "psy-tasks/other", "more/third"):
        folder, task = path.split("/")
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"task_{task}.py").write_text("raise SystemExit('not run')")
    found = set(completed(name, typed, tmp_path))
    assert found >= offered
    assert not found & ({"fit", "fine", "other", "third"} - offered)


@pytest.mark.parametrize("name", ["bash", "fish"])
def test_a_shell_offers_files_where_no_task_fits(name: str, tmp_path: Path) -> None:
    (tmp_path / "psy-tasks").mkdir()
    (tmp_path / "result.h5").write_text("")
    if name == "fish":
        assert "result.h5" in completed(name, "psy show res", tmp_path)
    else:  # bash itself lists files where nothing is offered
        assert completed(name, "psy show res", tmp_path) == []


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("psy run ", "\n"), ("psy show res", "file,res\n"), ("psy li", "plain,list\n")],
)
def test_a_shell_is_answered_without_a_complaint(
    typed: str, answer: str, tmp_path: Path
) -> None:
    """What bash is told when there are no tasks; its own scripts hide errors."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    env = os.environ | {"_PSY_COMPLETE": "bash_complete", **words}
    command = [sys.executable, "-c", "from psyrun.main import console; console()"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (answer, "")


def test_the_shell_is_that_of_the_user(project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert project.psy("completion").out.startswith("#compdef psy")
    monkeypatch.setenv("SHELL", "/usr/bin/csh")
    ran = project.psy("completion")
    assert ran.code == 2
    assert "name one of bash, fish, zsh: psy completion bash" in ran.err


def test_an_unknown_shell_is_refused_with_those_that_are_known(project) -> None:
    ran = project.psy("completion", "csh")
    assert (ran.code, ran.out) == (2, "")
    assert "'bash', 'fish', 'zsh'" in ran.err


MAN_PAGE = Path(__file__).parents[2] / "docs" / "man" / "psy.1"


def test_the_man_page_is_that_of_the_commands() -> None:
    command = [sys.executable, str(MAN_PAGE.parents[1] / "_ext" / "manpage.py")]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert MAN_PAGE.read_text() == page, (
        "write it anew: python docs/_ext/manpage.py > docs/man/psy.1"
    )


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_man_page_is_formatted_without_a_complaint() -> None:
    command = ["groff", "-man", "-Tascii", "-ww", str(MAN_PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    text = re.sub(r"\x1b\[\d*m|.\x08", "", done.stdout)
    assert {f"psy {name}" for name in psy.commands} <= set(re.findall(r"psy [\w-]+", text))
    assert """eval "$(psy completion bash)\"""" in text


def test_version_is_told(project) -> None:
    from psyrun import __version__

    assert project.psy("--version").out == f"psy, version {__version__}\n"
