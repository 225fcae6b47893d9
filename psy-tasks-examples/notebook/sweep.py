"""How high does an epidemic rise, by the rates of infection and recovery? As a script."""

from psyrun import Param, map_pspace, map_pspace_hdd_backed, map_pspace_parallel

space = Param(infection=[0.2, 0.3, 0.4, 0.5]) * Param(recovery=[0.1, 0.15, 0.2])


def epidemic(infection, recovery):
    """Follow the shares of those who can fall ill, and of those who are."""
    healthy, ill = 0.999, 0.001
    peak, peak_day = ill, 0.0
    for step in range(1, 2001):  # 200 days in steps of a tenth
        infected = 0.1 * infection * healthy * ill
        healthy -= infected
        ill += infected - 0.1 * recovery * ill
        if ill > peak:
            peak, peak_day = ill, step / 10
    return {"peak": peak, "peak_day": peak_day, "spared": healthy}


if __name__ == "__main__":
    # a look at a few rows first
    print(map_pspace(epidemic, space[:2])["peak_day"])

    # on all cores, with a bar
    columns = map_pspace_parallel(epidemic, space, progress=True)
    print(f"the highest peak: {max(columns['peak']):.3f}")

    # with each row on disk: started again, the script evaluates what is missing
    columns = map_pspace_hdd_backed(epidemic, space, "epidemic.pkl")
    for infection, recovery, day in zip(
        columns["infection"], columns["recovery"], columns["peak_day"], strict=True
    ):
        print(f"{infection:.1f} {recovery:.2f}  day {day:.0f}")
