"""Results as a mapping, as a table of pandas, and parts of them."""

import numpy as np
import pytest

from psyrun.pspace import Param
from psyrun.results import Results
from psyrun.results.base import About
from psyrun.results.columns import HeldColumn, PickedColumn
from psyrun.store.arraycolumns import ListColumn

SPACE = Param(a=[1, 2, 3, 4])
STATES = bytes([2, 1, 2, 0])


def results(**columns):
    return Results({"a": [1, 3], **columns}, About("t", SPACE, STATES))


def test_columns_are_arrays():
    found = results(y=[0.5, 1.5], t=["x", "yy"], v=[[1, 2], [3, 4]], o=[{}, None])
    assert list(found) == ["a", "y", "t", "v", "o"]
    assert [found[name].dtype.kind for name in found] == ["i", "f", "U", "i", "O"]
    assert found["v"].tolist() == [[1, 2], [3, 4]]


def test_rows_of_unequal_shape_are_filled():
    found = results(y=[[1, 2], [3]])["y"]
    assert found[0].tolist() == [1, 2]
    assert np.isnan(found[1, 1])


def test_columns_that_no_array_holds_are_objects():
    assert results(y=["x", [1, 2]])["y"].tolist() == ["x", [1, 2]]


def test_columns_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        results(y=[1, 2])["y"][0] = 3


def test_an_unknown_column_is_a_key_error():
    with pytest.raises(KeyError):
        results()["z"]


def test_rows_that_are_not_done():
    found = results()
    assert not found.complete
    assert found.missing.build() == {"a": [4]}
    assert found.failed.build() == {"a": [2]}
    assert repr(found) == "<Results of t: 2 of 4 rows done, 1 failed, 1 missing; columns: a>"


def test_a_file_by_itself():
    found = Results({"y": [1, 2]}, About("lone.pkl"))
    assert found.complete
    assert (len(found.missing), found.parameters, found.rows.tolist()) == (0, [], [0, 1])


@pytest.mark.parametrize("positions", [[1, 0], np.array([1, 0]), [-1, 0]])
def test_rows_can_be_selected(positions):
    found = results(y=[5, 6]).select(positions)
    assert found["y"].tolist() == [6, 5]
    assert found.rows.tolist() == [2, 0]
    assert found.missing.build() == {"a": [4]}
    assert found.select([False, True])["a"].tolist() == [1]


@pytest.mark.parametrize("positions", [[2], [True], [0.5]])
def test_rows_that_are_not_there_cannot_be_selected(positions):
    with pytest.raises((IndexError, TypeError)):
        results().select(positions)


def test_picking_reads_no_more_than_is_near():
    reads = []

    class Noting(ListColumn):
        def array(self, start, stop):
            reads.append((start, stop))
            return super().array(start, stop)

    column = HeldColumn(Noting(list(range(1000))))
    picked = PickedColumn(column, np.array([900, 3, 3, 4]))
    assert picked.array(0, 4).tolist() == [900, 3, 3, 4]
    assert picked.array(1, 2).tolist() == [3]
    assert sum(stop - start for start, stop in reads) < 10
    assert list(picked) == [900, 3, 3, 4]
    scattered = np.arange(0, 1000, 5)[::-1]
    assert np.array_equal(PickedColumn(column, scattered).array(0, 200), scattered)
    assert picked.array(0, 0).shape == (0,)


def test_a_table_has_a_row_for_each_done_row():
    pytest.importorskip("pandas")
    frame = results(y=[1.5, 2.5], v=[[1, 2], [3, 4]]).to_pandas()
    assert frame.index.tolist() == [0, 2]
    assert list(frame) == ["a", "y", "v"]
    assert frame["v"][2].tolist() == [3, 4]
    assert (frame["a"].dtype, frame["y"].dtype) == (np.int64, np.float64)


def test_arrays_in_a_table_can_be_expanded():
    pytest.importorskip("pandas")
    frame = results(v=[[1, 2], [3, 4]], w=[np.zeros((1, 2))] * 2).to_pandas(expand=True)
    assert list(frame) == ["a", "v[0]", "v[1]", "w[0,0]", "w[0,1]"]
    assert frame["v[1]"].tolist() == [2, 4]


def test_a_notebook_shows_a_table():
    html = results(y=["<b>", "x"], v=[[1, 2], [3, 4]])._repr_html_()
    assert html.startswith("<table>")
    assert "<td>&lt;b&gt;</td><td>int64 (2,)</td>" in html
    assert "2 of 4 rows done, 1 failed, 1 missing" in html


def test_a_notebook_is_not_flooded():
    many = {f"c{i}": list(range(1000)) for i in range(100)}
    html = Results(many, About("lone"))._repr_html_()
    assert len(html) < 20_000
    assert "the first 10 are shown; 70 more columns: c30, " in html
