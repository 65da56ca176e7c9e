#!/usr/bin/env python3
"""decisions.py [CASE...]: whether the compiler decides right, for every case of build/bench/atled_bench, or for these.

Each forced choice, a pass disabled, the algorithms chosen by measured times, or so many images at a time, runs beside
the default in turn, in a process of its own, if its plan is another one. Prints the median of the default's
milliseconds, and the time of each choice relative to it: the median of $ROUNDS (7) rounds, each the least of $RUNS (7)
runs. "again" is the default once more: how far it is from 1 is chance. A choice is marked, and makes the exit status 1,
if both this ratio and that of the least times of all rounds are more than 5 % below 1. BUILD (build); OMP_NUM_THREADS=1
BENCH_CLOCK=processor on a machine that does other work."""
import json
import os
import statistics
import subprocess
import sys

BENCH = os.path.join(os.environ.get("BUILD", "build"), "bench", "atled_bench")
ROUNDS, RUNS = int(os.environ.get("ROUNDS", "7")), os.environ.get("RUNS", "7")
# Passes that decide by costs, or that might be no gain for some network.
CHOICES = ("winograd", "attention", "micro_batch", "compress", "fuse", "concat_elimination", "epilogue", "relu_grad",
           "fold_scale", "post_op", "timing", "images=2", "images=4", "images=32")
FASTER = 1 / 1.05


def run(choice, *words):
    environment = dict(os.environ, BENCH_CHOICE="" if choice == "again" else choice)
    return subprocess.run([BENCH, *words], check=True, capture_output=True, text=True, env=environment).stdout


def cases():
    usage = subprocess.run([BENCH], capture_output=True, text=True).stderr
    return usage.split("handover, ")[1].split()  # the names of the networks follow those of other measurements


def judge(case):
    """Whether a choice is faster."""
    usual = run("", "plan_" + case)
    ways = ["", "again", *(c for c in CHOICES if run(c, "plan_" + case) != usual)]
    rounds = [[json.loads(run(way, case, RUNS))["min"] for way in ways] for _ in range(ROUNDS)]
    ratio = {way: statistics.median(times[i] / times[0] for times in rounds) for i, way in enumerate(ways) if way}
    least = dict(zip(ways, map(min, zip(*rounds))))
    faster = [way for way in ratio if way != "again" and max(ratio[way], least[way] / least[""]) < FASTER]
    texts = [("" if way in ("again", "timing") or "=" in way else "without ") + f"{way} {r:.3f}" +
             (" FASTER" if way in faster else "") for way, r in ratio.items()]
    print(f"{case}: {statistics.median(times[0] for times in rounds):.4g} ms, " + ", ".join(texts), flush=True)
    return bool(faster)


if __name__ == "__main__":
    sys.exit(any([judge(case.strip(",")) for case in sys.argv[1:] or cases()]))
