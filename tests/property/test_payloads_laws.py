"""What the pickler makes of results by its templates is what pickle makes of them."""

import pickle
import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from psyrun.payloads import Pickler

TYPES = st.one_of(
    arrays.scalar_dtypes(),
    arrays.array_dtypes(max_size=3),
    st.sampled_from([np.dtype(">f8"), np.dtype("?"), np.dtype("g")]),
)
ARRAYS = arrays.arrays(TYPES, arrays.array_shapes(min_dims=0, max_dims=2, max_side=4))
VALUES = st.one_of(
    st.integers(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.booleans(),
    st.text(max_size=4),
    st.none(),
    st.just(np.array([None, "x", 2**70], dtype=object)),
    ARRAYS,
    ARRAYS.map(np.asfortranarray),
    ARRAYS.map(lambda array: array.reshape(-1)[::2]),
    ARRAYS.map(lambda array: array.reshape(-1)[:1].sum() if array.dtype.kind in "iuf" else 0),
)
RESULTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def same(one, other):
    """Compare values bit by bit, and their types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        kinds = (one.dtype, one.shape) == (other.dtype, other.shape)
        if one.dtype.hasobject:
            return kinds and pickle.dumps(one) == pickle.dumps(other)
        return kinds and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return struct.pack(">d", one) == struct.pack(">d", other)
    return one == other


def alike(result, data):
    """Change the numbers of a result, and nothing else."""
    new = {}
    for name, value in result.items():
        if type(value) is int:
            new[name] = data.draw(st.integers(-(2**70), 2**70))
        elif type(value) is float:
            new[name] = data.draw(st.floats())
        elif type(value) is np.ndarray and not value.dtype.hasobject:
            new[name] = value.copy()
            new[name][...] = np.roll(value, 1)
        else:
            new[name] = value
    return new


@settings(deadline=None)
@given(st.lists(RESULTS, max_size=4), st.data())
def test_results_come_back_as_they_were(results, data):
    pickler = Pickler()
    for first in results:
        for result in (first, alike(first, data), alike(first, data)):
            found = pickle.loads(pickler.dumps(result))
            expected = pickle.loads(pickle.dumps(result, 5))
            assert list(found) == list(expected)
            for name, value in expected.items():
                assert same(found[name], value), (value, found[name])
                if isinstance(value, np.ndarray):
                    assert found[name].flags.writeable
                    assert found[name].flags.f_contiguous == value.flags.f_contiguous
