"""Own what goes to and from workers by pickle: the function, and its exceptions."""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["Cargo", "survives_pickling"]


class Cargo(NamedTuple):
    """A function on its way to workers: pickled once, unpickled once in each of them."""

    pickled: bytes
    token: str

    @classmethod
    def pack(cls, fn: Callable[..., Any]) -> Self:
        """Pickle a function."""
        import uuid

        import cloudpickle

        return cls(cloudpickle.dumps(fn), uuid.uuid4().hex)

    @lru_cache(maxsize=1)  # noqa: B019 - one function is kept on purpose
    def unpack(self) -> Callable[..., Any]:
        """Return the function."""
        fn: Callable[..., Any] = pickle.loads(self.pickled)
        return fn


def survives_pickling(error: Exception) -> bool:
    """Tell whether an exception comes out of a pickle as what it went in."""
    import cloudpickle

    try:
        return type(pickle.loads(cloudpickle.dumps(error))) is type(error)
    except Exception:  # noqa: BLE001 - users' classes may raise anything here
        return False
