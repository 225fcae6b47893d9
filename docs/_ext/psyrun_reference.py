"""Write the reference of commands, exit codes and settings from the code itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from command_pages import CommandPage, command_pages, program
from sphinx.util.docutils import SphinxDirective

from psyrun.main import ExitCode
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


class Generated(SphinxDirective):
    """A directive that stands for reST lines."""

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the lines, at each build: the code may have changed."""
        self.env.note_reread()
        text = "\n".join(self.lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Commands(Generated):
    """All commands of `psy`, with their options and examples."""

    def lines(self) -> Iterator[str]:
        """Yield the reference of each command."""
        yield from _command(program())
        for heading, pages in command_pages().items():
            yield from ("", heading, "-" * len(heading), "")
            for page in pages:
                yield from ("", page.title, "~" * len(page.title), "")
                yield from _command(page)


def _command(page: CommandPage) -> Iterator[str]:
    yield from (".. code-block:: text", "", f"    {page.title} {page.usage}", "")
    for paragraph in page.paragraphs:
        yield from (_with_literals(paragraph), "")
    for names, help_text in page.options:
        yield from (f"``{names}``", f"    {_with_literals(help_text)}", "")
    if page.examples:
        yield from (".. code-block:: text", "")
        widest = max(len(example) for example in page.examples)
        for example, meaning in page.examples.items():
            yield f"    {example:{widest}}  {meaning}"
        yield ""


def _with_literals(text: str) -> str:
    """Mark options and quoted words; else a dash is made of two hyphens."""
    return re.sub(r"(?<!\S)(-{1,2}[a-z][\w-]*)", r"``\1``", text.replace("`", "``"))


class ExitCodes(Generated):
    """All exit codes of `psy`."""

    def lines(self) -> Iterator[str]:
        """Yield a table."""
        yield from (".. list-table::", "   :widths: 10 90", "")
        for code in ExitCode:
            yield from (f"   * - {code.value}", f"     - {code.meaning}")


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
    app.add_directive("psy-exit-codes", ExitCodes)
    app.add_directive("psy-settings", Settings)
    return {"parallel_read_safe": True}
