"""Own the labelled arrays that xarray gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import ResultsError
from psyrun.results.axes import layout_of
from psyrun.results.cells import STATUS, Grid, grid_of, spread
from psyrun.results.columns import label_array
from psyrun.results.extras import need
from psyrun.rows import RowState

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from psyrun.columns import Columns
    from psyrun.pspace import ParameterSpace
    from psyrun.results.base import Results

__all__ = ["to_xarray"]

Dims = Mapping[str, str | Sequence[str]]


def to_xarray(results: Results, *, dims: Dims, stacked: bool) -> xr.Dataset:
    """Make labelled arrays; see `Results.to_xarray`."""
    need("xarray", "to_xarray")
    space = results.selected_space
    count = results.size if space is None else space.size
    draft = _Draft(results, dims)
    if stacked or space is None or not space.keys():
        dim = draft.dimension("row")
        grid = Grid((count,), np.arange(count))
        if space is not None:
            draft.add_stacked_labels(dim, space)
        draft.fill(grid, [dim])
    else:
        layout = layout_of(space)
        names = [draft.add_axis(axis.labels) for axis in layout.axes]
        grid = grid_of(layout, count)
        if len(grid.shape) > len(names):
            names.append(draft.dimension("occurrence"))
        draft.fill(grid, names)
    return draft.dataset()


@dataclass
class _Draft:
    """A dataset in the making: names that are taken, coordinates and variables.

    Parameters
    ----------
    results : Results
        Where the values come from.
    dims : mapping
        The names that the user gave.
    """

    results: Results
    dims: Dims
    coords: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    variables: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    index: Any = None

    def __post_init__(self) -> None:
        space = self.results.space
        self._shown = set(self.results) & set(space.keys() if space is not None else ())
        self._taken = set(space.keys() if space is not None else ())
        self._unused = set(self.dims)

    def dimension(self, name: str, *, own: bool = False) -> str:
        """Name a dimension: as the user says, or by a name that nothing has.

        Parameters
        ----------
        name : str
            Its name by default.
        own : bool
            Whether a parameter of that name is its coordinate.
        """
        if name in self.dims:
            self._unused.discard(name)
            given = self.dims[name]
            if not isinstance(given, str):
                raise ResultsError(
                    f"dims: the dimension {name!r} needs one name, not {given!r}"
                )
            if given in self._taken and given != name:
                raise ResultsError(
                    f"dims: {name!r} cannot be named {given!r}: that name is taken"
                )
            self._taken.add(given)
            return given
        return name if own else self._free(name)

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def add_axis(self, labels: Columns) -> str:
        """Add the coordinates of an axis, and return the name of its dimension."""
        arrays = {name: label_array(values) for name, values in labels.items()}
        (first, *others) = arrays
        if others:
            dim = self.dimension("_".join(arrays))
        elif _is_index(arrays[first]):
            dim = self.dimension(first, own=True)
        else:
            dim = self.dimension(f"{first}_index")
        for name, array in arrays.items():
            if name in self._shown:
                self._add_labels(name, dim, array)
        return dim

    def _add_labels(self, name: str, dim: str, array: NDArray[Any]) -> None:
        dims = (dim, *self._inner_dims(name, array.shape[1:]))
        self.coords[name] = (dims, array, self._attributes(name))

    def add_stacked_labels(self, dim: str, space: ParameterSpace) -> None:
        """Add a MultiIndex of the parameters; those that cannot be in it as coordinates."""
        pandas, xarray = need("pandas", "to_xarray"), need("xarray", "to_xarray")
        labels = {n: label_array(v) for n, v in space.build().items() if n in self._shown}
        levels = {name: _level(array) for name, array in labels.items() if _is_index(array)}
        for name, array in labels.items():
            if name not in levels:
                self._add_labels(name, dim, array)
        if levels:
            index = pandas.MultiIndex.from_arrays(list(levels.values()), names=list(levels))
            self.index = xarray.Coordinates.from_pandas_multiindex(index, dim)

    def fill(self, grid: Grid, dims: Sequence[str]) -> None:
        """Add the results and the status of each cell."""
        results = self.results
        space = results.selected_space
        cells = grid.cells
        if space is None or results.is_part:
            states = np.full(len(cells), RowState.DONE)
            done = cells
        else:
            states = np.frombuffer(results.about.states, dtype=np.uint8)
            done = cells[results.rows]
        status = self._free("status")
        names = [name for name in results if name not in results.parameters]
        renamed = {name: self._result_name(name) for name in names}
        for name in names:
            array = spread(results.columns[name], done, grid)
            inner = array.shape[len(grid.shape) :]
            own = self._inner_dims(renamed[name], inner, taken=dims)
            self.variables[renamed[name]] = ((*dims, *own), array, self._attributes(name))
        self.variables[status] = (tuple(dims), grid.status(states), {"values": STATUS})

    def _result_name(self, name: str) -> str:
        if name not in self._taken:
            self._taken.add(name)
            return name
        return self._free(f"{name}_result")

    def _inner_dims(
        self, name: str, shape: Sequence[int], taken: Sequence[str] = ()
    ) -> list[str]:
        """Name the dimensions of an array's own."""
        given = self.dims.get(name)
        if given is None or (not shape and name not in self._unused):
            return [f"{name}_dim_{axis}" for axis in range(len(shape))]
        self._unused.discard(name)
        names = [given] if isinstance(given, str) else list(given)
        if len(names) != len(shape):
            raise ResultsError(
                f"dims: {name!r} has {len(shape)} dimensions of its own, not "
                f"{len(names)} ({', '.join(map(repr, names))})"
            )
        if clash := ({*names} & {*taken, *self._taken}) or len({*names}) < len(names):
            what = ", ".join(map(repr, sorted(clash))) if isinstance(clash, set) else given
            raise ResultsError(f"dims: {name!r} cannot have {what}: that name is taken")
        return names

    def _attributes(self, name: str) -> dict[str, str]:
        unit = self.results.units.get(name)
        return {"units": unit} if unit else {}

    def dataset(self) -> xr.Dataset:
        """Make the dataset.

        Raises
        ------
        ResultsError
            If `dims` names what is not there, or arrays of different sizes do not fit.
        """
        import xarray

        known = {str(dim) for dims, *_ in self.variables.values() for dim in dims}
        if self._unused:
            wrong = ", ".join(map(repr, sorted(self._unused)))
            raise ResultsError(
                f"dims: there is no dimension or array result {wrong}; dimensions are "
                f"{', '.join(map(repr, sorted(known))) or 'none'}"
            )
        try:
            found = xarray.Dataset(self.variables, attrs={"task": self.results.name})
            return found.assign_coords(self.coords).assign_coords(self.index or {})
        except ValueError as err:
            raise ResultsError(f"the results make no labelled arrays: {err}") from err


def _is_index(array: NDArray[Any]) -> bool:
    """Whether labels can be looked up: plain ones, one for each position."""
    if array.ndim > 1:
        return False
    if array.dtype != object:
        return True
    return all(isinstance(v, str | bytes | int | float | type(None)) for v in array)


def _level(array: NDArray[Any]) -> NDArray[Any]:
    """Make labels fit for a MultiIndex, which has no None beside numbers."""
    if array.dtype != object or not all(isinstance(v, float | int | None) for v in array):
        return array
    return np.array([np.nan if v is None else v for v in array], dtype=float)
