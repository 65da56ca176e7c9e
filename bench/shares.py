#!/usr/bin/env python3
"""shares.py fool|train ATLED: how much of the time of the tool is not spent where it should be, as it measures that itself; a line
of JSON for each network.

fool: the share outside the program's run, of all steps from noise to a fooling picture; on the model that ships, and on SqueezeNet
if its weights are there.  train: the share spent waiting for data, in one epoch of the CIFAR-10 network with all augmentation, if
the data is there.  Both look in $ATLED_DATA, else in ../shared/data."""
import csv
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
                print(f"shares.py: passed over: no {weights}", file=sys.stderr)
                continue
            command += ["-w", weights]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = [(float(s), float(p)) for s, p in re.findall(r"\(([\d.]+) s, ([\d.]+) % of it in the network\)", text)]
        if found:
            tell(f"fool_share_{model}", sum(s * (100 - p) for s, p in found) / sum(s for s, _ in found))


def train(atled, folder):
    data, log = os.path.join(DATA, "cifar10"), os.path.join(folder, "log.csv")
    if not os.path.isdir(data):
        print(f"shares.py: passed over: no {data}", file=sys.stderr)
        return
    subprocess.run([atled, "train", "-q", "-m", "cifar10", "-d", data, "--flip", "--brightness", "63", "--contrast", "0.2",
                    "--batch", "128", "--epochs", "1", "--log", log, "-o", os.path.join(folder, "w.npz")],
                   check=True, capture_output=True)
    last = list(csv.DictReader(open(log)))[-1]
    tell("train_data", 100 * float(last["waited"]) / float(last["seconds"]))


with tempfile.TemporaryDirectory() as scratch:
    {"fool": fool, "train": train}[sys.argv[1]](sys.argv[2], scratch)
