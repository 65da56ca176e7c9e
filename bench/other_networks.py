#!/usr/bin/env python3
"""other_networks.py export|check|measure FOLDER [NAME...]: networks that nobody tuned atled for, by torchvision.

export: writes FOLDER/NAME.onnx, with random weights and the statistics of a few random images in batch norms; with
EXPORTER=torchscript by the older exporter.  check: the outputs and the gradient by the image of atled against those of
PyTorch, of two images.  measure: milliseconds of processor time, one thread, medians of $ROUNDS (3) rounds in turn of
medians of $RUNS (5) runs, for batches $BATCHES (1 8): atled and onnxruntime forward, atled and the faster of PyTorch's
two layouts with the gradient by the image.  Without NAME: all of them.  BUILD (build).  With ATLED_ISA=avx2 or generic
all of them run as on a processor without more (forward.py).  Prints lines of JSON.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import forward  # sets one thread and processor time, before torch is loaded

RUNS, ROUNDS = int(os.environ.get("RUNS", "5")), forward.ROUNDS
BATCHES = [int(text) for text in os.environ.get("BATCHES", "1 8").split()]
TOOL = os.path.join(os.environ.get("BUILD", "build"), "tools", "atled")


def unet(torch):
    """Two halvings, two transposed convolutions, skips by concatenation."""
    nn = torch.nn

    def block(inputs, width):
        layers = []
        for last in (inputs, width):
            layers += [nn.Conv2d(last, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.ModuleList([block(3, 32), block(32, 64), block(64, 128)])
            self.up = nn.ModuleList([nn.ConvTranspose2d(128, 64, 2, stride=2),
                                     nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)])
            self.merge = nn.ModuleList([block(128, 64), block(64, 32)])
            self.pool, self.last = nn.MaxPool2d(2), nn.Conv2d(32, 5, 1)

        def forward(self, x):
            a = self.down[0](x)
            b = self.down[1](self.pool(a))
            x = self.down[2](self.pool(b))
            x = self.merge[0](torch.cat((self.up[0](x), b), 1))
            return self.last(self.merge[1](torch.cat((self.up[1](x), a), 1)))

    return UNet()


def dilated(torch):
    """A trunk with dilations 1, 2 and 4, and DeepLab's pyramid of dilations 6, 12 and 18 beside a mean."""
    nn = torch.nn

    def conv(inputs, width, size=3, stride=1, dilation=1):
        padding = size // 2 * dilation
        return nn.Sequential(nn.Conv2d(inputs, width, size, stride, padding, dilation, bias=False),
                             nn.BatchNorm2d(width), nn.ReLU(inplace=True))

    class Dilated(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(conv(3, 32, stride=2), conv(32, 64, stride=2), conv(64, 128, stride=2),
                                       conv(128, 128, dilation=2), conv(128, 256, dilation=4))
            self.pyramid = nn.ModuleList([conv(256, 64, 1)] + [conv(256, 64, dilation=d) for d in (6, 12, 18)])
            self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(256, 64, 1))
            self.merge, self.last = conv(320, 64, 1), nn.Conv2d(64, 21, 1)

        def forward(self, x):
            x = self.trunk(x)
            mean = self.mean(x).expand(-1, -1, x.shape[2], x.shape[3])
            x = self.last(self.merge(torch.cat([branch(x) for branch in self.pyramid] + [mean], 1)))
            return nn.functional.interpolate(x, scale_factor=8, mode="bilinear", align_corners=False)

    return Dilated()


def mixer(torch):
    """MLP-Mixer S/16."""
    nn = torch.nn

    def mlp(width, inner):
        return nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    class Block(nn.Module):
        def __init__(self, tokens, width):
            super().__init__()
            self.norm = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.tokens, self.channels = mlp(tokens, 256), mlp(width, 2048)

        def forward(self, x):
            x = x + self.tokens(self.norm[0](x).transpose(1, 2)).transpose(1, 2)
            return x + self.channels(self.norm[1](x))

    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 512, 16, 16)
            self.blocks = nn.Sequential(*[Block(196, 512) for _ in range(8)])
            self.norm, self.head = nn.LayerNorm(512), nn.Linear(512, 1000)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            return self.head(self.norm(self.blocks(x)).mean(1))

    return Mixer()


def conv1d(torch):
    """Residual 1-D convolutions with growing dilation over a signal, as for sound or electrocardiograms."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, width, dilation):
            super().__init__()
            self.body = nn.Sequential(nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
                                      nn.BatchNorm1d(width), nn.ReLU(inplace=True), nn.Conv1d(width, width, 1))

        def forward(self, x):
            return x + self.body(x)

    halves = [nn.Conv1d(1, 64, 15, stride=2, padding=7), nn.BatchNorm1d(64), nn.ReLU(inplace=True), nn.MaxPool1d(4)]
    blocks = [Block(64, 2 ** (i % 6)) for i in range(12)]
    return nn.Sequential(*halves, *blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 10))


OWN = {"unet": (unet, (3, 256, 256)), "dilated": (dilated, (3, 224, 224)), "mixer_s16": (mixer, (3, 224, 224)),
       "conv1d": (conv1d, (1, 16000))}
TORCHVISION = """resnet50 resnext50_32x4d shufflenet_v2_x1_0 mnasnet1_0 regnet_y_400mf googlenet inception_v3
convnext_tiny swin_t efficientnet_v2_s mobilenet_v3_large alexnet vgg11_bn vit_b_16 squeezenet1_0 densenet169
lraspp_mobilenet_v3_large deeplabv3_mobilenet_v3_large""".split()
NAMES = TORCHVISION + list(OWN)


def image_shape(name):
    return OWN[name][1] if name in OWN else (3, 299, 299) if name == "inception_v3" else (3, 224, 224)


def build(name):
    import torch
    import torchvision

    torch.manual_seed(1)
    torch.set_num_threads(1)
    if name in OWN:
        net = OWN[name][0](torch)
    else:
        more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        more |= {"weights_backbone": None} if "mobilenet_v3_large" in name and name != "mobilenet_v3_large" else {}
        net = torchvision.models.get_model(name, weights=None, **more)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the mean of all batches
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
        elif isinstance(module, torch.nn.Dropout):
            module.p = 0
        elif isinstance(getattr(module, "layer_scale", None), torch.nn.Parameter):
            torch.nn.init.constant_(module.layer_scale, 0.5)  # not 1e-6, by which all blocks would vanish
    with torch.no_grad():
        net.train()(torch.randn(8, *image_shape(name)))
    net.eval().requires_grad_(False)
    return net


def scores(net, x):
    y = net(x)
    return y["out"] if isinstance(y, dict) else y


def export(name, path):
    import torch

    net = build(name)

    class Scores(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return scores(self.net, x)

    image = torch.randn(2, *image_shape(name))
    names = {"input_names": ["image"], "output_names": ["scores"]}
    module = Scores().eval()
    if os.environ.get("EXPORTER") == "torchscript":
        sizes = {"image": {0: "batch"}, "scores": {0: "batch"}}
        torch.onnx.export(module, (image,), path, dynamo=False, dynamic_axes=sizes, opset_version=17, **names)
    else:
        sizes = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(module, (image,), path, dynamo=True, dynamic_shapes=sizes, external_data=False,
                          verbose=False, **names)


def distance(a, b):
    import numpy

    return float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b))


def scores_and_gradient(net, image):
    image = image.requires_grad_()
    y = scores(net, image)
    y.sum().backward()
    return y.detach().numpy(), image.grad.numpy()


def check(name, path):
    """Relative distances, in the L2 norm, of scores and image gradients from PyTorch's in double precision: those of
    atled, and those of PyTorch in single precision, which has as many kinks of relus to fall on."""
    import numpy
    import torch

    net, image = build(name), torch.randn(2, *image_shape(name))
    single = scores_and_gradient(net, image.clone())
    double = scores_and_gradient(net.double(), image.double())
    with tempfile.TemporaryDirectory() as folder:
        fed, run, grad = (os.path.join(folder, file) for file in ("image.npy", "run.npz", "grad.npz"))
        numpy.save(fed, image.numpy())
        subprocess.run([TOOL, "run", path, "-i", fed, "-o", run], check=True, capture_output=True, text=True)
        subprocess.run([TOOL, "grad", path, "-i", fed, "-o", grad], check=True, capture_output=True, text=True)
        own = numpy.load(run)["scores"], next(iter(numpy.load(grad).values()))
    (atled, of_image), (pytorch, of_image_too) = ([distance(*pair) for pair in zip(who, double)]
                                                  for who in (own, single))
    return {"case": name, "scores_std": float(double[0].std()), "scores": atled, "scores_pytorch": pytorch,
            "gradient": of_image, "gradient_pytorch": of_image_too}


class PyTorch:
    """The gradient of the sum of the largest scores by the image, in a layout."""

    def __init__(self, name, batch):
        import torch

        self.torch, net = torch, build(name)
        self.image = torch.randn(batch, *image_shape(name))
        layouts = [torch.contiguous_format] + ([torch.channels_last] if self.image.dim() == 4 else [])
        self.ways = [(net.to(memory_format=layout), layout) for layout in layouts]

    def median(self):
        return min(self.median_of(net, layout) for net, layout in self.ways)

    def median_of(self, net, layout):
        net = net.to(memory_format=layout)
        image = self.image.to(memory_format=layout).requires_grad_()
        times = []
        for _ in range(RUNS + 1):
            start = time.process_time()
            self.torch.autograd.grad(scores(net, image).max(1).values.sum(), image)
            times.append(time.process_time() - start)
        return 1e3 * statistics.median(times[1:])


def run_atled(mode, path, batch):
    command = [forward.IMPORTED, mode, path, str(batch), str(RUNS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["median"]


def measure(name, path, batch):
    import torch  # noqa: F401  before onnxruntime, so that both find their own libraries

    rival = PyTorch(name, batch)
    rounds = [(run_atled("forward", path, batch), forward.run_onnxruntime(path, batch),
               run_atled("gradient", path, batch), rival.median()) for _ in range(ROUNDS)]
    forwards, gradients = ([row[i] / row[i + 1] for row in rounds] for i in (0, 2))
    columns = [round(statistics.median(times), 3) for times in zip(*rounds)]
    return {"case": name, "batch": batch, **dict(zip(("forward", "onnxruntime", "gradient", "pytorch"), columns)),
            "forward_ratio": round(statistics.median(forwards), 3),
            "gradient_ratio": round(statistics.median(gradients), 3)}


def work(what, name, path):
    if what == "export":
        export(name, path)
        yield {"case": name, "file": path}
    elif what == "check":
        yield check(name, path)
    else:
        for batch in BATCHES:
            yield measure(name, path, batch)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("export", "check", "measure"):
        sys.exit(__doc__)
    if sys.argv[1] == "measure":
        forward.cap_processor()
    failed = False
    for name in sys.argv[3:] or NAMES:
        try:
            for line in work(sys.argv[1], name, os.path.abspath(os.path.join(sys.argv[2], name + ".onnx"))):
                print(json.dumps(line), flush=True)
        except subprocess.CalledProcessError as error:
            print(json.dumps({"case": name, "error": error.stderr.strip()}), flush=True)
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
