"""Own how schedulers print ids and lists of indices; pure functions."""

import re


def printed_id(pattern: str, output: str) -> str:
    r"""Find the line that is an id, and return the pattern's first group; empty if none is.

    Examples
    --------
    >>> printed_id(r"(\d+)", "Welcome!\n12\n"), printed_id(r"(\d+)", "no 12")
    ('12', '')
    """
    found = re.search(rf"^\s*{pattern}\s*$", output, re.MULTILINE)
    return found[1] if found else ""


def number_of(name: str, output: str) -> int | None:
    r"""Find a setting that is a number, 0 being no limit; None if it is not told.

    Examples
    --------
    >>> number_of("most", "least 1\n  most = 7\n"), number_of("most", "most 0")
    (7, None)
    """
    found = re.search(rf"^\s*{name}\s*[=:]?\s*(\d+)\s*$", output, re.MULTILINE)
    return (int(found[1]) or None) if found else None


def split_id(jobid: str) -> tuple[str, int | None]:
    """Split the id of one job of an array into the array's id and the index.

    Examples
    --------
    >>> split_id("12_3"), split_id("12")
    (('12', 3), ('12', None))
    """
    array, dash, index = jobid.rpartition("_")
    return (array, int(index)) if dash and index.isdecimal() else (jobid, None)


def parse_indices(text: str | None) -> tuple[tuple[int, int], ...] | None:
    """Read a list of indices; what is cut off at its end is passed over.

    Returns
    -------
    ranges or None
        Half-open ranges; None for no list.

    Examples
    --------
    >>> parse_indices("0,3-5"), parse_indices("1-7:3"), parse_indices("1,2,...")
    (((0, 1), (3, 6)), ((1, 2), (4, 5), (7, 8)), ((1, 2), (2, 3)))
    """
    if text is None:
        return None
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if match:
            first, last, step = (int(n) if n else None for n in match.groups())
            assert first is not None
            if step is None or step == 1:
                found.append((first, (first if last is None else last) + 1))
            elif last is not None:
                found += [(index, index + 1) for index in range(first, last + 1, step)]
    return tuple(found)
