#!/usr/bin/env python3
"""compare.py OLD NEW [CASE...]: the time of each case before and after a change, from two build folders in turn.

Prints a Markdown table: for each case the lowest time of either build, and the median of the pairs' ratios.  The exit
status is 1 if a case takes more than 1.03 of its time before.  A case that the older build does not know is left out.
ROUNDS (7) pairs of RUNS (9) runs each; half of them begin with the newer build.  THREADS (2), ATLED_ISA; BENCH_CLOCK
(wall): `processor`, with THREADS=1, for a machine that does other work."""
import json
import os
import statistics
import subprocess
import sys

CASES = ("vgg16_1 squeezenet_1 mobilenet_v2_1 resnet18_1 densenet121_1 vit_tiny_1 cifar10_128 resnet20_128 mlp_1 "
         "cifar10_train resnet20_train mlp_adam mlp_sgd").split()
ROUNDS, RUNS = int(os.environ.get("ROUNDS", "7")), os.environ.get("RUNS", "9")
MOST = 1.03


def time_of(build, case):
    """The lowest time of some runs of a case, in milliseconds, or None."""
    done = subprocess.run([os.path.join(build, "bench", "atled_bench"), case, RUNS], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": os.environ.get("THREADS", "2")})
    if done.returncode:
        return None
    return json.loads(done.stdout.splitlines()[-1])["min"]


def compare(builds, case):
    """The times of both builds, a list each; None if one of them does not know the case."""
    times = [[], []]
    for turn in range(ROUNDS):
        for which in (turn % 2, 1 - turn % 2):
            time = time_of(builds[which], case)
            if time is None:
                return None
            times[which].append(time)
    return times


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    slower = []
    print("| case | before, ms | after, ms | after / before |\n|---|---|---|---|")
    for case in sys.argv[3:] or CASES:
        times = compare(sys.argv[1:3], case)
        if times is None:
            print(f"| {case} | – | | |", flush=True)
            continue
        ratio = statistics.median(after / before for before, after in zip(*times))
        print(f"| {case} | {min(times[0]):.4g} | {min(times[1]):.4g} | {ratio:.2f} |", flush=True)
        if ratio > MOST:
            slower.append(case)
    if slower:
        print("slower than before:", ", ".join(slower))
    return bool(slower)


if __name__ == "__main__":
    sys.exit(main())
