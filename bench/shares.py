#!/usr/bin/env python3
"""shares.py ATLED: the share of the time of `atled fool` that is spent outside the program's run, over all iterations
from noise to a fooling image, as the tool itself measures it. Prints a line of JSON for the bundled model, and for
SqueezeNet if its weights are in $ATLED_DATA, or else in ../shared/data."""
import json
import os
import re
import subprocess
import sys
import tempfile

DATA = os.environ.get("ATLED_DATA", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../shared/data"))


def tell(case, percent):
    print(json.dumps({"case": case, "who": "atled", "unit": "%", "median": percent, "min": percent, "runs": 1}))


def fool(atled, folder):
    weights = os.path.join(DATA, "squeezenet/squeezenet_v1_1.npz")
    for model in ("cifar10", "squeezenet"):
        command = [atled, "fool", "-q", "-m", model, "-t", "random", "--count", "5", "--seed", "1", "-o",
                   os.path.join(folder, "fooled.png")]
        if model == "squeezenet":
            if not os.path.exists(weights):
                print(f"shares.py: skipped: no {weights}", file=sys.stderr)
                continue
            command += ["-w", weights]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = [(float(s), float(p)) for s, p in re.findall(r"\(([\d.]+) s, ([\d.]+) % of it in the network\)", text)]
        if found:
            tell(f"fool_share_{model}", sum(s * (100 - p) for s, p in found) / sum(s for s, _ in found))


with tempfile.TemporaryDirectory() as scratch:
    fool(sys.argv[1], scratch)
