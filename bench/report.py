#!/usr/bin/env python3
"""report.py LINES LOAD ROUNDS RUNS WITHOUT_SHARED_CACHE: medians over the rounds, and their ratios.

Writes results.md and results.json beside this file. WITHOUT_SHARED_CACHE is a number of measurements: see bench/run."""
import json
import os
import statistics
import sys

TARGETS = {  # relative to the lower bound; to the fastest framework, with AVX2 and with AVX-512; absolute
    "vgg16_1": (1.12, (0.60, 0.45), None), "vgg16_8": (1.10, (0.60, 0.36), None),
    "squeezenet_1": (1.20, (0.45, 0.33), None), "cifar10_128": (1.20, (0.40, 0.30), None),
    "resnet20_128": (1.25, (0.60, 0.40), None), "mlp_1": (None, 0.02, 0.002),
    "cifar10_train": (1.20, (0.42, 0.30), None), "resnet20_train": (1.25, (0.60, 0.53), None),
    "mlp_adam": (None, 0.40, None), "mlp_sgd": (None, None, 0.003), "compile": (None, None, 100),
    **{f"{network}_{n}": (None, aim, None) for n in (1, 8) for network, aim in (
        ("mobilenet_v2", 0.30), ("mobilenet_v3_small", 0.30), ("efficientnet_lite0", 0.30), ("efficientnet_b0", 0.50),
        ("resnet18", 0.50), ("densenet121", 0.50), ("vit_tiny", 0.50))},
    "fool_share_cifar10": (None, None, 5), "fool_share_squeezenet": (None, None, 5),
    "train_data_cifar10": (None, None, 5),
    "train_data_mlp": (None, None, 5)}
MEMORY = (None, 0.6, None)  # of the rows memory_...
TINY = ("mlp_1", "mlp_sgd")  # they contain no primitives, and a lower bound of copies is meaningless


def aim_of(target):
    """Of the instruction set of this run."""
    return target[os.environ.get("ATLED_ISA") != "avx2"] if isinstance(target, tuple) else target


def ratio_of(rounds, a, b):
    """The median of the rounds' ratios: other load disturbs both measurements of a round."""
    both = [r[a] / r[b] for r in rounds if a in r and b in r and r[b] > 0]
    return statistics.median(both) if both else None


def text(value, target, digits="%.2f"):
    if value is None:
        return "–"
    return digits % value + ("" if target is None else f" (<= {target:g})" + ("" if value <= target else " **no**"))


def main():
    path, load, rounds, runs, without_shared_cache = sys.argv[1:6]
    lines = [json.loads(line) for line in open(path)]
    cases, result = {}, []
    for line in lines:  # case -> rounds of {who: median}; ours comes first in a round
        case = cases.setdefault(line["case"], [])
        if line["who"] == "atled":
            case.append({})
        case[-1][line["who"]] = line["median"]
    table = ["| case | atled | lower bound | fastest framework | atled / lower bound | atled / framework |",
             "|---|---|---|---|---|---|"]
    for name, case in cases.items():
        unit = next(line["unit"] for line in lines if line["case"] == name)
        who = sorted({w for r in case for w in r})
        medians = {w: statistics.median(r[w] for r in case if w in r) for w in who}
        frameworks = [w for w in who if w not in ("atled", "lower_bound")]
        fastest = min(frameworks, key=medians.get) if frameworks else None
        bound, framework = ratio_of(case, "atled", "lower_bound"), ratio_of(case, "atled", fastest)
        targets = TARGETS.get(name, MEMORY if name.startswith("memory_") else (None, None, None))
        result.append({"case": name, "unit": unit, "median": medians, "fastest_framework": fastest,
                       "against_lower_bound": bound, "against_framework": framework})
        number = lambda w: "–" if w not in medians else f"{medians[w]:.4g} {unit}"
        ours = text(medians["atled"], targets[2], "%.4g") + f" {unit}"
        if name in TINY:
            bound = None
            medians.pop("lower_bound", None)
        theirs = number(fastest) + (" " + fastest if fastest else "")
        table.append(f"| {name} | {ours} | {number('lower_bound')} | {theirs} | "
                     f"{text(bound, targets[0])} | {text(framework, aim_of(targets[1]), '%.3f')} |")
    head = (f"Instruction set: {os.environ.get('ATLED_ISA') or 'the best of the processor'}. "
            f"Medians of {rounds} rounds of {runs} runs, {os.environ.get('OMP_NUM_THREADS', '?')} threads, "
            f"{os.cpu_count()} processors, load {load} at the start"
            f"{'' if load == 'unknown' or float(load) < 0.5 else ': **a busy machine; read the ratios only**'}. "
            + ("" if without_shared_cache == "0" else
               f"**{without_shared_cache} measurements were taken while the processors shared no cache** "
               "(see bench/run). ") +
            "Ratios are medians of the rounds' ratios. Targets are in brackets.")
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "results.md"), "w") as file:
        file.write("# Results of bench/run\n\n" + head + "\n\n" + "\n".join(table) + "\n")
    with open(os.path.join(here, "results.json"), "w") as file:
        json.dump({"load": load, "rounds": int(rounds), "runs": int(runs), "cases": result}, file, indent=1)
        file.write("\n")


main()
