#!/usr/bin/env python3
"""attacks.py --atled TOOL [--data DIR] [--pictures 200] [--rounds 3] [--alone] [ROW...]: attacks on ResNet-20 and
CIFAR-10's test pictures, by atled and, if installed, by foolbox and torchattacks; a line for each row and library.

The pictures are the first ones that the network gets right.  Success and the size of the change are those of the
written 8-bit pixels.  CPU seconds are those of one thread, for each picture, and for each gradient and picture; the
least of the rounds, in which the libraries take turns.  atled's loading and compiling, measured with eps 0, are not
counted.  DIR has cifar10/ and resnet20/resnet20.npz; without it $ATLED_DATA."""
import argparse
import json
import os
import resource
import subprocess
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np

# name, options of atled attack, (foolbox's attack, eps in 255ths), torchattacks' attack: as text, evaluated when needed
ROWS = [
    *[(f"fgsm {e}", f"--method fgsm --eps {e}/255", ("fb.attacks.FGSM()", e), f"ta.FGSM(m, eps={e}/255)")
      for e in (8, 2, 1)],
    *[(f"bim {e}", f"--method bim --eps {e}/255",
       ("fb.attacks.LinfBasicIterativeAttack(steps=10, rel_stepsize=0.2)", e),
       f"ta.BIM(m, eps={e}/255, alpha={e}/1275, steps=10)") for e in (8, 2, 1)],
    *[(f"pgd10 {e}", f"--method pgd --restarts 1 --steps 10 --eps {e}/255",
       ("fb.attacks.LinfPGD(steps=10, abs_stepsize=2/255)", e),
       f"ta.PGD(m, eps={e}/255, alpha=2/255, steps=10)") for e in (8, 2, 1)],
    *[(f"pgd {e}", f"--method pgd --restarts 1 --eps {e}/255", ("fb.attacks.LinfPGD()", e), None) for e in (2, 1)],
    *[(f"mi-fgsm {e}", f"--method mi-fgsm --eps {e}/255", None,
       f"ta.MIFGSM(m, eps={e}/255, alpha={e}/2550, steps=10)") for e in (8, 2, 1)],
    *[(f"apgd-{loss} {e}", f"--method apgd-{loss} --steps 10 --eps {e}/255", None,
       f"ta.APGD(m, norm='Linf', eps={e}/255, steps=10, loss='{loss}')") for loss in ("ce", "dlr") for e in (2, 1)],
    ("bim l2 0.5", "--method bim --norm l2 --eps 0.5",
     ("fb.attacks.L2BasicIterativeAttack(steps=10, rel_stepsize=0.2)", 127.5), None),
    ("deepfool", "--method deepfool --norm l2", ("fb.attacks.L2DeepFoolAttack()", None), "ta.DeepFool(m)"),
    ("ddn", "--method ddn --norm l2", ("fb.attacks.DDNAttack(steps=100)", None), None),
    ("fab", "--method fab-t --norm l2 --steps 10", None, "ta.FAB(m, norm='L2', eps=None, steps=10, n_restarts=1)"),
    ("cw", "--method cw --norm l2", ("fb.attacks.L2CarliniWagnerAttack(binary_search_steps=9, steps=100)", None), None),
    ("ead", "--method ead --norm l1", ("fb.attacks.EADAttack(binary_search_steps=9, steps=100)", None), None),
    ("fmn", "--method fmn --norm l2", ("fb.attacks.L2FMNAttack(steps=100)", None), None),
    ("jsma", "--method jsma --norm l0", None, None),
    ("best", "--method best --norm l2", None, None),
    ("best linf", "--method best --norm linf", None, None),
]


def pictures_of(data):
    records = np.fromfile(f"{data}/cifar10/test_batch.bin", np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def torch_network(data):
    """ResNet-20 of the weights' own names, from pixels 0..1."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    w = {k: torch.from_numpy(v.copy()) for k, v in np.load(f"{data}/resnet20/resnet20.npz").items()}

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gradients = 0
            self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
            self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

        def norm(self, x, name):
            return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"],
                                w[name + ".bias"])

        def forward(self, x):
            self.gradients += len(x) if x.requires_grad and torch.is_grad_enabled() else 0
            x = F.relu(self.norm(F.conv2d((x - self.mean) / self.std, w["conv1.weight"], padding=1), "bn1"))
            for stage in (1, 2, 3):
                for block in range(3):
                    name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                    y = F.conv2d(x, w[name + ".conv1.weight"], stride=stride, padding=1)
                    y = F.relu(self.norm(y, name + ".bn1"))
                    y = self.norm(F.conv2d(y, w[name + ".conv2.weight"], padding=1), name + ".bn2")
                    if stride == 2:
                        more = x.shape[1] // 2
                        x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, more, more))
                    x = F.relu(x + y)
            return F.linear(x.mean((2, 3)), w["linear.weight"], w["linear.bias"])

    return Network().eval()


class Libraries:
    """foolbox and torchattacks on the same pictures; empty if they are not installed."""

    def __init__(self, data, count):
        self.names = []
        if not count:
            return
        try:
            import torch
        except ImportError:
            return
        self.torch, self.network = torch, torch_network(data)
        x, y = pictures_of(data)
        x, y = torch.from_numpy(x[:4 * count].copy()).float() / 255, torch.from_numpy(y[:4 * count].copy())
        with torch.no_grad():
            right = torch.cat([self.network(x[i:i + 100]).argmax(1) for i in range(0, len(x), 100)]) == y
        self.x, self.y = x[right][:count], y[right][:count]
        for name in ("foolbox", "torchattacks"):
            try:
                setattr(self, name, __import__(name))
                self.names.append(name)
            except ImportError:
                pass

    def run(self, name, row):
        torch, network, (_, _, fb_text, ta_text) = self.torch, self.network, row
        if not (fb_text if name == "foolbox" else ta_text):
            return None
        start, network.gradients, out = time.process_time(), 0, []
        for i in range(0, len(self.x), 100):
            x, y = self.x[i:i + 100], self.y[i:i + 100]
            if name == "foolbox":
                fb = self.foolbox
                model = fb.PyTorchModel(network, bounds=(0, 1), device="cpu")
                eps = None if fb_text[1] is None else fb_text[1] / 255
                out.append(eval(fb_text[0], {"fb": fb})(model, x, fb.criteria.Misclassification(y), epsilons=eps)[1])
            else:
                out.append(eval(ta_text, {"ta": self.torchattacks, "m": network})(x, y))
        seconds = time.process_time() - start
        after, n = torch.cat(out).detach(), len(self.x)
        stored = (after * 255).round().clamp(0, 255) / 255
        with torch.no_grad():
            won, kept = (self.network(after).argmax(1) != self.y), (self.network(stored).argmax(1) != self.y)
        l2 = (stored - self.x).flatten(1).norm(dim=1)[kept]
        return {"float": 100 * won.float().mean().item(), "success": 100 * kept.float().mean().item(),
                "l2": l2.median().item() if len(l2) else float("nan"), "gradients": network.gradients / n,
                "seconds": seconds / n, "each": seconds / max(network.gradients, 1)}


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_atled(args, options):
    with tempfile.TemporaryDirectory() as folder:
        start = children_seconds()
        command = [args.atled, "attack", "-m", "resnet20", "-w", f"{args.data}/resnet20/resnet20.npz", "-d",
                   f"{args.data}/cifar10", "--right", str(args.pictures), "-n", str(4 * args.pictures), "-q", "-o",
                   folder, "--results-only", *options.split()]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seconds = children_seconds() - start
        if done.returncode > 1:
            raise SystemExit(" ".join(command) + "\n" + done.stderr)
        lines = [json.loads(line) for line in open(f"{folder}/results.jsonl")]
    return seconds, [r for r in lines if "met" in r and not r["already"]]


def attack_by_atled(args, row):
    options = row[1]
    zero = " ".join("0" if before == "--eps" else word for before, word in
                    zip([""] + options.split(), options.split())) + ("" if "--eps" in options else " --eps 0")
    loading, _ = run_atled(args, zero)
    seconds, results = run_atled(args, options)
    met, n = [r for r in results if r["met"]], len(results)
    gradients = sum(r["gradients"] for r in results)
    seconds = max(seconds - loading, 0)
    return {"success": 100 * len(met) / n, "l2": float(np.median([r["l2"] for r in met])) if met else float("nan"),
            "mean": float(np.mean([r["l2"] for r in met])) if met else float("nan"),
            "gradients": gradients / n, "seconds": seconds / n, "each": seconds / max(gradients, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atled", required=True)
    parser.add_argument("--data", default=os.environ.get("ATLED_DATA", "../shared/data"))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="atled only")
    parser.add_argument("rows", nargs="*")
    args = parser.parse_args()
    libraries = Libraries(args.data, 0 if args.alone else args.pictures)
    print(f"{'attack':14} {'by':14} {'success':>8} {'float':>8} {'median l2':>9} {'gradients':>9} {'CPU s':>8} "
          f"{'CPU ms a gradient':>17}")
    for row in ROWS:
        if args.rows and row[0] not in args.rows and row[0].split()[0] not in args.rows:
            continue
        best = {}
        for _ in range(args.rounds):
            for who in ["atled", *libraries.names]:
                result = attack_by_atled(args, row) if who == "atled" else libraries.run(who, row)
                if result and (who not in best or result["each"] < best[who]["each"]):
                    best[who] = result
        for who, r in best.items():
            print(f"{row[0]:14} {who:14} {r['success']:7.1f}% {r.get('float', r['success']):7.1f}% {r['l2']:9.4f} "
                  f"{r['gradients']:9.1f} {r['seconds']:8.3f} {1e3 * r['each']:17.2f}", flush=True)


if __name__ == "__main__":
    main()
