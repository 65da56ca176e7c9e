#!/usr/bin/env python3
"""busy.py [WEIGHTS]: how long twelve steps of fooling SqueezeNet take on a quiet machine, and beside 1, 2 and 4 busy
processes: with the tool's own way of waiting, with threads that sleep while they wait, and with one thread.

Prints a Markdown table of the medians, in seconds as the tool reports them, of $ROUNDS (15) rounds, in each of which
the three take turns; and the default's time relative to the best of the others, which should be at most 1.15: the exit
status is 1 if it is not.  Each round has busy processes of its own: where the kernel puts them decides how fast a round
is, and it seldom moves them, so rounds beside the same ones are no independent measurements.  Run it with nothing else
on the machine.  WEIGHTS: squeezenet_v1_1.npz, by default squeezenet/squeezenet_v1_1.npz in $ATLED_DATA, or else in
../shared/data.  BUILD (build)."""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("ATLED_DATA", os.path.join(HERE, "../../shared/data"))
TOOL = os.path.join(os.environ.get("BUILD", "build"), "tools", "atled")
ROUNDS = int(os.environ.get("ROUNDS", "15"))
WAYS = {"default": {}, "`OMP_WAIT_POLICY=passive`": {"OMP_WAIT_POLICY": "passive"},
        "one thread": {"OMP_NUM_THREADS": "1"}}
AIM = 1.15
STARTED = 0.1  # seconds until a busy process is at its loop


def seconds_of(way, weights, folder):
    command = [TOOL, "fool", "-m", "squeezenet", "-w", weights, "-t", "random", "--seed", "1", "--steps", "12", "-o",
               os.path.join(folder, "fooled.png")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **WAYS[way]})
    return float(re.search(r"after 12 iterations \(([\d.]+) s", done.stdout + done.stderr)[1])


def round_beside(busy, first, weights, folder):
    """The seconds of each way, beside so many processes that do nothing but count; another way is the first in turn."""
    ways = list(WAYS)[first:] + list(WAYS)[:first]
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        time.sleep(STARTED)
        times = {way: seconds_of(way, weights, folder) for way in ways}
        return [times[way] for way in WAYS]
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(busy, weights, folder):
    rounds = [round_beside(busy, i % len(WAYS), weights, folder) for i in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds)]


def main():
    weights = sys.argv[1] if len(sys.argv) > 1 else os.path.join(DATA, "squeezenet/squeezenet_v1_1.npz")
    worst = 0
    print("| busy processes | " + " | ".join(WAYS) + " | default / best of the others |\n|" + "---|" * (len(WAYS) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for busy in (0, 1, 2, 4):
            times = measure(busy, weights, folder)
            ratio = times[0] / min(times[1:])
            worst = max(worst, ratio)
            print(f"| {busy} | " + " | ".join(f"{t:.2f} s" for t in times) + f" | {ratio:.2f} |", flush=True)
    return worst > AIM


if __name__ == "__main__":
    sys.exit(main())
