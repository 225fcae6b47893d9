"""Declare the commands that tidy up and set up."""

from collections.abc import Sequence

import click

from psyrun.commandline.command import Command
from psyrun.commandline.tasknames import TASKDIR, TASKS
from psyrun.commands.options import Options

SHELLS = ("bash", "fish", "zsh")


@click.command(
    cls=Command,
    examples={
        "psy clean fit": "show what would be removed",
        "psy clean --yes fit": "remove it: rows, logs and result",
    },
)
@click.option("--yes", is_flag=True, help="Do it; without this, it is only shown.")
@TASKDIR
@TASKS
@click.pass_obj
def clean(obj: Options, tasks: Sequence[str], *, yes: bool) -> int:
    """Remove what tasks have made: rows, logs and results.

    Shows what would be removed, and removes it with --yes. Task files stay, and so does a
    result outside of the work directory.
    """
    from psyrun.commands.upkeep import clean_tasks

    return clean_tasks(obj, tasks, yes=yes)


@click.command(
    cls=Command,
    examples={
        'eval "$(psy completion bash)"': "in bash: now, or as a line in ~/.bashrc",
        'eval "$(psy completion zsh)"': "in zsh: the same in ~/.zshrc, below compinit",
        "psy completion fish | source": "in fish: the same in ~/.config/fish/config.fish",
    },
)
@click.argument("shell", required=False, metavar="[SHELL]", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> int:
    """Print what lets a shell complete what you type.

    Commands, options and the names of tasks.

    SHELL is bash, fish or zsh; by default the one that you use. In a file that each shell
    reads, the line works where psy is on the path by then: if it is in an environment, put the
    line at the end of the script that activates that.
    """
    from psyrun.commands.completion import print_script

    return print_script(ctx.find_root().command, shell, SHELLS)
