#!/bin/sh
# each rate of arrivals with each seed; what has finished is not run again
parallel --joblog jobs.log --resume --results waits \
    python "$(dirname "$0")"/waiting.py --arrivals {1} --seed {2} \
    ::: 0.2 0.5 0.8 ::: 1 2 3 4
