"""Own `psy merge`."""

from pathlib import Path

import click

from psyrun.commands.messages import show_note, show_warning
from psyrun.merge import check_target, save
from psyrun.report import rows_text
from psyrun.salvage import find_rows
from psyrun.store import store_for


def merge_folder(folder: Path, file: Path) -> int:
    """Merge the rows of a folder that are done into a file."""
    store = store_for(file)
    check_target(store, file)
    found = find_rows(folder, store)
    for note in found.notes:
        show_warning(note)
    save(store, file, found.columns)
    click.echo(f"{rows_text(found.done)} in {file}")
    if found.missing:
        show_note(f"{rows_text(found.missing)} failed or missing")
    return 0
