"""Print how long customers wait in a queue with one server, on average."""

import argparse
import random


def mean_wait(arrivals, seed, customers=2000):
    """Follow the waiting times from customer to customer (Lindley's recursion)."""
    rng = random.Random(seed)
    wait = total = 0.0
    for _ in range(customers):
        total += wait
        wait = max(0.0, wait + rng.expovariate(1.0) - rng.expovariate(arrivals))
    return total / customers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--arrivals", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    print(mean_wait(arguments.arrivals, arguments.seed))
