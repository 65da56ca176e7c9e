#!/usr/bin/env python3
"""frameworks.py CASE RUNS: the same step in PyTorch, random weights, two threads; one line of JSON for each way that runs.

Ways: the default layout (NCHW) and channels_last; torch.compile is left out, since it needs a compiler and minutes.  A framework
that is not installed is passed over."""
import json
import os
import resource
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")


def report(case, who, times, unit="ms", **more):
    print(json.dumps({"case": case, "who": who, "unit": unit, "median": statistics.median(times), "min": min(times),
                      "runs": len(times), **more}), flush=True)


def measure(step, runs):
    step()
    start = time.perf_counter()
    step()
    once = time.perf_counter() - start
    steps = 1 if once > 1e-3 else int(2e-2 / once) + 1
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        times.append((time.perf_counter() - start) / steps * 1e3)
    return times


def pytorch(case, runs):
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

    def vgg16():
        layers, last = [], 3
        for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(depth):
                layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU(inplace=True)]
                last = width
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 4096),
                             nn.ReLU(inplace=True), nn.Linear(4096, 1000))

    class Fire(nn.Module):
        def __init__(self, last, squeeze, expand):
            super().__init__()
            self.squeeze = nn.Conv2d(last, squeeze, 1)
            self.narrow = nn.Conv2d(squeeze, expand, 1)
            self.wide = nn.Conv2d(squeeze, expand, 3, padding=1)

        def forward(self, x):
            x = torch.relu_(self.squeeze(x))
            return torch.cat((torch.relu_(self.narrow(x)), torch.relu_(self.wide(x))), 1)

    def squeezenet():
        return nn.Sequential(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), Fire(64, 16, 64),
                             Fire(128, 16, 64), nn.MaxPool2d(3, 2), Fire(128, 32, 128), Fire(256, 32, 128),
                             nn.MaxPool2d(3, 2), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256),
                             Fire(512, 64, 256), nn.Conv2d(512, 1000, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
                             nn.Flatten())

    def cifar10():
        return nn.Sequential(nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
                             nn.LocalResponseNorm(9, 0.001, 0.75, 1.0), nn.Conv2d(64, 64, 5, padding=2),
                             nn.ReLU(inplace=True), nn.LocalResponseNorm(9, 0.001, 0.75, 1.0), nn.MaxPool2d(3, 2, 1),
                             nn.Flatten(), nn.Linear(2304, 384), nn.ReLU(inplace=True), nn.Linear(384, 192),
                             nn.ReLU(inplace=True), nn.Linear(192, 10))

    class Block(nn.Module):
        def __init__(self, last, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(last, width, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.more = width - last

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
            if self.more:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
            return torch.relu_(y + x)

    def resnet20():
        layers, last = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)], 16
        for width in (16, 32, 64):
            for _ in range(3):
                layers.append(Block(last, width, 2 if width != last else 1))
                last = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def mlp():
        return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def step_of(net, size, by_weights, layout):
        net = net.eval()
        x = torch.rand(size) * 255
        if layout:
            net, x = net.to(memory_format=layout), x.to(memory_format=layout)
        labels = torch.zeros(size[0], dtype=torch.long)
        wanted = list(net.parameters()) if by_weights else [x]
        for p in net.parameters():
            p.requires_grad_(by_weights)
        x.requires_grad_(not by_weights)

        def step():
            y = net(x)
            loss = nn.functional.cross_entropy(y, labels) if len(size) == 4 else ((y - 1) ** 2).mean()
            return torch.autograd.grad(loss, wanted)

        return step

    cases = {"vgg16_1": (vgg16, (1, 3, 224, 224), False), "vgg16_8": (vgg16, (8, 3, 224, 224), False),
             "squeezenet_1": (squeezenet, (1, 3, 224, 224), False), "cifar10_128": (cifar10, (128, 3, 24, 24), True),
             "resnet20_128": (resnet20, (128, 3, 32, 32), False), "mlp_1": (mlp, (1, 8), True),
             "memory": (vgg16, (1, 3, 224, 224), False)}
    if case not in cases:
        return
    build, size, by_weights = cases[case]
    layouts = [None] if len(size) == 2 or case == "memory" else [None, torch.channels_last]
    torch.nn.init.kaiming_uniform_ = lambda t, *a, **k: t.data.uniform_(-0.05, 0.05)  # quick
    for layout in layouts:
        times = measure(step_of(build(), size, by_weights, layout), 1 if case == "memory" else runs)
        if case == "memory":
            report(case, "pytorch", [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6], "MB")
        else:
            report(case, "pytorch channels_last" if layout else "pytorch", times, version=torch.__version__)


def main():
    case, runs = sys.argv[1], int(sys.argv[2])
    try:
        pytorch(case, runs)
    except ImportError as missing:
        print(f"frameworks.py: passed over: {missing}", file=sys.stderr)


main()
