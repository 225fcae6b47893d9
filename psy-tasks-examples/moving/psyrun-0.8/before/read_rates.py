"""Print the highest rate, as written for psyrun 0.8."""

from psyrun.store import PickleStore

result = PickleStore().load("psy-work/spikes/result.pkl")
print(max(result["rate"]))
