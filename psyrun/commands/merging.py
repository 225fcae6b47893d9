"""Own `psy merge`."""

from pathlib import Path

import click

from psyrun import rows
from psyrun.commands.messages import show_note, show_warning
from psyrun.exceptions import WorkdirError
from psyrun.files import remove_abandoned
from psyrun.merge import check_target, save
from psyrun.salvage import Found, classes_known, find_rows
from psyrun.store import Store, store_for

_ATTEMPTS = 3


def merge_folder(folder: Path, file: Path) -> int:
    """Merge the rows of a folder that are done into a file."""
    store = store_for(file)
    check_target(store, file)
    remove_abandoned(file)
    found = _merge(folder, store, file)
    for note in found.notes:
        show_warning(note)
    click.echo(f"{rows.text(found.done)} in {file}")
    if found.missing:
        show_note(f"{rows.text(found.missing)} failed or missing")
    return 0


def _merge(folder: Path, store: Store, file: Path) -> Found:
    """Find rows and write them; once more where a job that just ended moved its rows."""
    for attempt in range(_ATTEMPTS):
        try:
            with classes_known(folder):
                found = find_rows(folder, store)
                save(store, file, found.columns)
        except FileNotFoundError as err:
            if attempt == _ATTEMPTS - 1:
                raise WorkdirError(f"{err.filename} went away while it was merged") from err
        else:
            return found
    raise AssertionError("unreachable")
