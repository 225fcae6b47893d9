"""Write the reference of commands and settings from the code itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from sphinx.util.docutils import SphinxDirective

from psyrun.main import psy
from psyrun.settings import SETTINGS, Setting
from psyrun.tasks import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

KINDS = {
    "space": "a parameter space",
    "function": "a function",
    "scheduler": "a scheduler, or its class",
    "store": "a store, or its class",
    "class": "a backend class",
    "names": "a list of names",
    "files": "a list of paths",
    "count": "a whole number, at least 1",
    "seconds": "a number of seconds above 0",
    "flag": "True or False",
    "path": "a path",
    "text": "a text",
    "mapping": "a dict",
    "texts": "a dict of texts",
    "none": "None",
}


OPTIONS: dict[str, Any] = {"help_option_names": psy.context_settings["help_option_names"]}


class Generated(SphinxDirective):
    """A directive that stands for reST lines."""

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the lines."""
        text = "\n".join(self.lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Commands(Generated):
    """All commands of `psy`, with their options."""

    def lines(self) -> Iterator[str]:
        """Yield the reference of each command."""
        context = click.Context(psy, info_name="psy", **OPTIONS)
        yield from _command(psy, context)
        for name, command in sorted(psy.commands.items()):
            yield from _command(command, click.Context(command, context, name, **OPTIONS))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    title = context.command_path
    yield from ("", title, "-" * len(title), "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (".. code-block:: text", "", f"    {title} {usage}", "")
    for paragraph in (command.help or "").split("\n\n"):
        yield from (" ".join(paragraph.split()), "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            yield from (f"``{record[0]}``", f"    {record[1]}", "")


class Settings(Generated):
    """All settings of a task."""

    def lines(self) -> Iterator[str]:
        """Yield the reference of each setting."""
        defaults = Config()
        for name, setting in SETTINGS.items():
            kinds = " or ".join(KINDS[kind] for kind in setting.kinds)
            yield from (f"``{name}``", f"    {setting.doc.replace('`', '``')}", "")
            yield f"    *May be:* {kinds}."
            if not setting.doc.endswith("required."):
                yield f"    *Default:* {_default(setting, getattr(defaults, name))}."
            yield ""


def _default(setting: Setting, value: Any) -> str:
    if setting.name == "python":
        return "the one that runs ``psy``"
    if {"scheduler", "store", "class"} & {*setting.kinds}:
        cls = value if isinstance(value, type) else type(value)
        return f"``{cls.__name__}``"
    return f"``{value!r}``"


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directives."""
    app.add_directive("psy-commands", Commands)
    app.add_directive("psy-settings", Settings)
    return {"parallel_read_safe": True}
