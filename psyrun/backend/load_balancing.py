"""Own the backend whose workers share the rows of a run."""

from psyrun.backend.distribute import DistributeBackend


class LoadBalancingBackend(DistributeBackend):
    """Lets whoever is free take rows that others have not got to.

    Each job starts with a share of its own, as of `DistributeBackend`. A worker that has
    finished its share takes rows of the job with the most left: large blocks first, single
    rows at the end. Rows of a worker that dies are taken over by the others.
    """

    balanced = True
