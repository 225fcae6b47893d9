"""The tutorial's task: follow an outbreak of an illness, day by day."""

from psyrun import Param

pspace = Param(rate=[i / 20 for i in range(1, 21)]) * Param(days=[2, 5, 10])


def execute(rate, days):
    healthy, sick = 0.999, 0.001
    peak = sick
    length = 0
    while sick > 1e-6:
        infected = rate * healthy * sick
        healed = sick / days if days > 0 else sick
        healthy = healthy - infected
        sick = sick + infected - healed
        peak = max(peak, sick)
        length = length + 1
    return {"peak": peak, "spared": healthy, "length": length}
