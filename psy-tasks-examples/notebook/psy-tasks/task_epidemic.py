"""How high does an epidemic rise, by the rates of infection and recovery?"""

from psyrun import Param

pspace = Param(infection=[0.2, 0.3, 0.4, 0.5]) * Param(recovery=[0.1, 0.15, 0.2])


def execute(infection, recovery):
    healthy, ill = 0.999, 0.001
    peak, peak_day = ill, 0.0
    for step in range(1, 2001):  # 200 days in steps of a tenth
        infected = 0.1 * infection * healthy * ill
        healthy -= infected
        ill += infected - 0.1 * recovery * ill
        if ill > peak:
            peak, peak_day = ill, step / 10
    return {"peak": peak, "peak_day": peak_day, "spared": healthy}
