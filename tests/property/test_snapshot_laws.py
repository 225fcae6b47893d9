"""Whatever a space is made of comes back; whatever happens to its files is noticed."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from psyrun import snapshot
from psyrun.exceptions import WorkdirError
from psyrun.pspace import Param, ParameterSpace
from tests.property.examples import examples

SCALARS = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.binary(max_size=4)
    | st.none()
)
VALUES = SCALARS | st.tuples(SCALARS, SCALARS) | st.dictionaries(st.text(max_size=2), SCALARS)
ALIKE = st.sampled_from([st.booleans(), st.integers(), st.floats(), SCALARS, VALUES])


@st.composite
def columns(draw: st.DrawFn, names: str) -> ParameterSpace:
    rows = draw(st.integers(1, 4))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return Param(
        **{
            name: draw(
                draw(ALIKE).flatmap(lambda v: st.lists(st.just(v), min_size=1, max_size=1))
            )
            * rows
            if draw(st.booleans())
            else draw(st.lists(draw(ALIKE), min_size=rows, max_size=rows))
            for name in chosen
        }
    )


@st.composite
def spaces(draw: st.DrawFn) -> ParameterSpace:
    space = draw(columns("abc"))
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(["*", "+", "-", "[]", "where"])):
            case "*" if not {*space.keys()} & {*"xyz"} and space.size < 50:
                space = space * draw(columns("xyz"))
            case "+":
                space = space + draw(columns("abcd"))
            case "-":
                space = space - space[: draw(st.integers(0, 2))]
            case "[]":
                step = draw(st.sampled_from([1, 2, -1]))
                space = space[draw(st.integers(0, 2)) :: step]
            case "where":
                kept = draw(st.lists(st.booleans(), min_size=1))
                calls = iter(range(10**6))
                space = space.where(
                    lambda calls=calls, kept=kept, **_: kept[next(calls) % len(kept)]
                )
    return space


def written(space: ParameterSpace, folder: Path) -> Path:
    encoded = snapshot.encode(space)
    encoded.write(folder / encoded.digest())
    return folder / encoded.digest()


def shown(space: ParameterSpace) -> str:
    return repr(space.build())


@given(spaces())
def test_values_and_types_come_back(space):
    with TemporaryDirectory() as folder:
        encoded = snapshot.encode(space)
        back = snapshot.load(written(space, Path(folder)))
        assert back.size == space.size
        assert shown(back) == shown(space)
        assert back == space
        assert snapshot.encode(back).digest() == encoded.digest()


@given(spaces(), spaces())
def test_equal_digests_mean_equal_spaces(one, other):
    if snapshot.encode(one).digest() == snapshot.encode(other).digest():
        assert one == other
        assert shown(one) == shown(other)


FILES = Param(a=[1, 2, 3], b=["x", None, (1,)], c="const") * Param(
    n=range(4), f=[0.5] * 4, g=np.ones((4, 2), "f4")
)
DAMAGED = (FILES + Param(a=[7])).where(lambda n: n != 2)


def try_to_read(folder: Path) -> ParameterSpace | None:
    """Read a snapshot and all of its values; None where it says that it is damaged."""
    try:
        space = snapshot.load(folder)
        space.build()
    except WorkdirError:
        return None
    return space


@settings(max_examples=examples(100))
@given(st.data())
def test_a_flipped_bit_is_noticed_or_harmless_except_within_a_number(data):
    with TemporaryDirectory() as folder:
        root = written(DAMAGED, Path(folder))
        path = data.draw(st.sampled_from(sorted(root.iterdir())))
        raw = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        back = try_to_read(root)
        if back is not None and path.suffix != ".npy":
            assert shown(back) == shown(DAMAGED)


@settings(max_examples=examples(50))
@given(st.data())
def test_a_file_cut_short_is_noticed(data):
    with TemporaryDirectory() as folder:
        root = written(DAMAGED, Path(folder))
        path = data.draw(st.sampled_from(sorted(root.iterdir())))
        raw = path.read_bytes()
        kept = data.draw(st.integers(0, len(raw) - 1))
        path.write_bytes(raw[:kept])
        back = try_to_read(root)
        assert back is None or shown(back) == shown(DAMAGED)
