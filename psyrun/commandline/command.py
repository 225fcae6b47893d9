"""Own how commands show their help: with examples, and sorted by what one wants to do."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

_NARROW = 52
_NARROWEST = 30
_WHOLE = 200


class Command(click.Command):
    """A command whose help ends with examples.

    Parameters
    ----------
    examples : mapping of str to str
        What one may say, and in a few words what that does.
    """

    def __init__(self, *args: Any, examples: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples: side by side with what they do, or below each other."""
        with formatter.section("Examples"):
            widest = max(len(example) for example in self.examples)
            if widest <= formatter.width // 2:
                formatter.write_dl([*self.examples.items()], col_max=widest)
                return
            for example, meaning in self.examples.items():
                formatter.write_text(f"{meaning}:")
                formatter.write(f"{'':{formatter.current_indent + 2}}{example}\n")


class Sections(click.Group):
    """A group whose help sorts its commands by what one wants to do."""

    sections: Mapping[str, Sequence[click.Command]] = {}

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Let help be as wide as a narrow terminal; click takes no less than 50 columns."""
        import shutil  # which loads libraries for archives

        columns = shutil.get_terminal_size().columns
        if columns < _NARROW:
            extra.setdefault("terminal_width", max(columns - 1, _NARROWEST))
        return super().make_context(*args, **extra)

    def add_sections(self, sections: Mapping[str, Sequence[click.Command]]) -> None:
        """Add commands, by the headings of their sections."""
        self.sections = {**self.sections, **sections}
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, all to the same width."""
        widest = max(len(name) for name in self.commands)
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{cmd.name:{widest}}", cmd.get_short_help_str(_WHOLE))
                        for cmd in commands
                    ]
                )
