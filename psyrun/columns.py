"""Turn rows into columns and join columns; know nothing of where they come from.

A row is a mapping from names to values. Columns hold the same values the other way round: a
list for each name, all of one length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NAN", "Columns", "concat", "from_rows"]

Columns: TypeAlias = dict[str, list[Any]]

NAN = float("nan")
"""What stands where a row lacks a name."""


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Turn rows into columns.

    Parameters
    ----------
    rows : iterable of mapping
        Rows; where one lacks a name that another has, NaN stands in.

    Returns
    -------
    dict of str to list
        A list for each name, names in the order of their first appearance.

    Examples
    --------
    >>> from_rows([{"a": 1}, {"a": 2, "b": 3}])
    {'a': [1, 2], 'b': [nan, 3]}
    """
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return {}
    first = rows[0]
    if set(map(len, rows)) == {len(first)}:
        try:
            return {name: [row[name] for row in rows] for name in first}
        except KeyError:
            pass
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, NAN) for row in rows] for name in names}


def concat(blocks: Iterable[tuple[int, Columns]]) -> Columns:
    """Join blocks of columns, one after the other.

    Parameters
    ----------
    blocks : iterable of (int, dict of str to list)
        The number of rows of each block and its columns; where a block lacks a column, NaN
        stands in.

    Returns
    -------
    dict of str to list
        New lists; names in the order of their first appearance.

    Examples
    --------
    >>> concat([(2, {"a": [1, 2]}), (1, {"b": [3]})])
    {'a': [1, 2, nan], 'b': [nan, nan, 3]}
    """
    joined: Columns = {}
    total = 0
    for size, columns in blocks:
        for name in columns:
            if name not in joined:
                joined[name] = [NAN] * total
        for name, column in joined.items():
            column.extend(columns[name] if name in columns else [NAN] * size)
        total += size
    return joined
