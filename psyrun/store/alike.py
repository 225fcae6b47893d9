"""Own the question whether arrays are so much alike that to look into one is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["unlike"]

_ALL_ALIKE = "bfcMm"
"""The kinds of types of which any array holds what another of the type and shape does."""


def unlike(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """Leave out arrays of which others tell what they are like.

    Examples
    --------
    >>> len(unlike([np.zeros(2), np.ones(2)])), len(unlike([np.zeros(2), np.zeros(3)]))
    (1, 2)
    """
    dtype, shape = arrays[0].dtype, arrays[0].shape
    alike = dtype.kind in _ALL_ALIKE and all(
        type(each) is np.ndarray and each.dtype == dtype and each.shape == shape
        for each in arrays
    )
    return arrays[:1] if alike else arrays
