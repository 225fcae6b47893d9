"""Arrays hold the very values that they are made of."""

import numpy as np
import pytest

from psyrun.store import H5Store, NpzStore


@pytest.mark.parametrize("store", [NpzStore(), H5Store(), H5Store(layout="table")])
def test_integers_beyond_63_bits_stay_what_they_are_beside_small_ones(tmp_path, store):
    values = [2**63 + 1, 2**64 - 1, 0, 1]
    store.save(tmp_path / "r", {"a": values})
    back = store.load(tmp_path / "r")["a"]
    assert back.dtype == np.uint64
    assert back.tolist() == values


def test_texts_of_any_length_are_held(tmp_path):
    values = ["x" * 300, "\u00e9", ""]
    H5Store().save(tmp_path / "r.h5", {"a": values})
    assert H5Store().load(tmp_path / "r.h5")["a"].tolist() == values
