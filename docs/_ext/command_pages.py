"""What the reference and the man page tell of each command, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from psyrun.main import psy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTEXT: dict[str, Any] = {"help_option_names": psy.context_settings["help_option_names"]}


@dataclass(frozen=True)
class CommandPage:
    """What is told of a command.

    Attributes
    ----------
    title : str
        As it is called.
    usage : str
        What may stand behind that.
    paragraphs : list of str
        What it does.
    options : list of tuple of (str, str)
        How each option is given, and what it does.
    examples : mapping of str to str
        What one may say, and what that does.
    """

    title: str
    usage: str
    paragraphs: list[str]
    options: list[tuple[str, str]]
    examples: Mapping[str, str] = field(default_factory=dict)


def program() -> CommandPage:
    """Tell of `psy` itself."""
    return _page(psy, click.Context(psy, info_name="psy", **CONTEXT))


def command_pages() -> dict[str, list[CommandPage]]:
    """Tell of all commands, by the headings of their sections."""
    parent = click.Context(psy, info_name="psy", **CONTEXT)
    return {
        heading: [
            _page(cmd, click.Context(cmd, parent, cmd.name, **CONTEXT)) for cmd in commands
        ]
        for heading, commands in psy.sections.items()
    }


def _page(command: click.Command, context: click.Context) -> CommandPage:
    return CommandPage(
        context.command_path,
        " ".join(command.collect_usage_pieces(context)),
        [" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")],
        list(_options(command, context)),
        getattr(command, "examples", {}),
    )


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.params if context.parent else command.get_params(context):
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            yield record
