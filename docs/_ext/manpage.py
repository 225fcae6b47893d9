"""Write the man page of `psy`, from what the commands say of themselves.

    python docs/_ext/manpage.py > docs/man/psy.1

The markup is that of man(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from command_pages import CommandPage, command_pages, program

from psyrun.main import ExitCode
from psyrun.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILES = {
    "psy-tasks/task_<name>.py": "What to evaluate: a task file.",
    "psy-tasks/psy-conf.py": "What is set for all tasks.",
    "psy-work/<name>/": "What a task has made: rows, logs, code as it was run, and the result.",
}
ENVIRONMENT = {
    "NO_COLOR": "If set to anything, nothing is coloured.",
    "SHELL": "The shell for which psy completion prints a script, if it is told no other.",
}


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    page = program()
    yield f'.TH PSY 1 "" "Psyrun {__version__}" "User Commands"'
    yield from (".SH NAME", r"psy \- evaluate a function over a parameter space")
    yield from (".SH SYNOPSIS", f".B psy\n{plain(page.usage)}")
    yield ".SH DESCRIPTION"
    yield from paragraphs(page)
    yield ".SH OPTIONS"
    yield from listed(page.options)
    for heading, pages in command_pages().items():
        yield f".SH {plain(heading.upper())}"
        for command in pages:
            yield from (f'.SS "{plain(command.title)} {plain(command.usage)}"',)
            yield from paragraphs(command)
            yield from listed(command.options)
            yield from examples(command)
    yield from (".SH FILES", *listed(FILES.items()))
    yield from (".SH ENVIRONMENT", *listed(ENVIRONMENT.items()))
    codes = ((str(code.value), f"{code.meaning}.") for code in ExitCode)
    yield from (".SH EXIT STATUS", *listed(codes))


def plain(text: str) -> str:
    """Write text so that nothing in it is markup."""
    text = (
        text.replace("\\", r"\e")
        .replace("-", r"\-")
        .replace("'", r"\(aq")
        .replace('"', r"\(dq")
    )
    return rf"\&{text}" if text.startswith((".", "'")) else text


def paragraphs(page: CommandPage) -> Iterator[str]:
    """Yield what a command does."""
    for paragraph in page.paragraphs:
        yield from (".PP", plain(paragraph))


def listed(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield things, each with what it means."""
    for thing, meaning in pairs:
        yield from (".TP", f".B {plain(thing)}", plain(meaning))


def examples(page: CommandPage) -> Iterator[str]:
    """Yield the examples of a command."""
    yield from (".PP", "Examples:", ".RS")
    yield from listed(page.examples.items())
    yield ".RE"


if __name__ == "__main__":
    print("\n".join(lines()))
