"""The networks of the cases, written once for all frameworks: `f` has the layers (see frameworks.py)."""


def random_array(shape, limit):
    import numpy

    x = numpy.random.default_rng(1).random(shape, dtype=numpy.float32)
    x *= 2 * limit
    x -= limit
    return x


class Layers:
    """Weights by name, created on first use; images as [n, h, w, c] unless a framework overrides that."""

    def __init__(self, training):
        self.training, self.weights, self.kept = training, {}, {}

    def weight(self, name, shape, fan_in):
        if name not in self.weights:
            self.weights[name] = self.variable(random_array(shape, (6 / fan_in) ** 0.5))
        return self.weights[name]

    def vector(self, name, width, value, table=None):
        import numpy

        table = self.weights if table is None else table
        if name not in table:
            table[name] = self.variable(numpy.full(width, value, dtype=numpy.float32))
        return table[name]

    def add(self, a, b):
        return a + b


def vgg16(f, x):
    for stage, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for i in range(depth):
            x = f.relu(f.conv(x, f"conv{stage}_{i + 1}", width, 3))
        x = f.pool(x, 2, 2, "VALID")
    x = f.relu(f.dense(f.flatten(x), "fc6", 4096))
    return f.dense(f.relu(f.dense(x, "fc7", 4096)), "fc8", 1000)


def squeezenet(f, x):
    def fire(x, name, squeeze, expand):
        x = f.relu(f.conv(x, name + "/squeeze", squeeze, 1))
        return f.concat(f.relu(f.conv(x, name + "/narrow", expand, 1)), f.relu(f.conv(x, name + "/wide", expand, 3)))

    x = f.relu(f.conv(x, "conv1", 64, 3, stride=2, padding="VALID"))
    for i, sizes in enumerate(("pool", (16, 64), (16, 64), "pool", (32, 128), (32, 128), "pool", (48, 192), (48, 192),
                               (64, 256), (64, 256))):
        x = f.pool(x, 3, 2, "VALID") if sizes == "pool" else fire(x, f"fire{i}", *sizes)
    return f.mean(f.relu(f.conv(x, "conv10", 1000, 1)))


def cifar10(f, x):
    x = f.lrn(f.pool(f.relu(f.conv(x, "conv1", 64, 5)), 3, 2, "SAME"))
    x = f.pool(f.lrn(f.relu(f.conv(x, "conv2", 64, 5))), 3, 2, "SAME")
    x = f.relu(f.dense(f.flatten(x), "local3", 384))
    return f.dense(f.relu(f.dense(x, "local4", 192)), "softmax_linear", 10)


def resnet20(f, x):
    def conv_norm(x, name, width, stride=1):
        return f.norm(f.conv(x, name, width, 3, stride, bias=False), name + "/norm")

    x, last = f.relu(conv_norm(x, "conv1", 16)), 16
    for width in (16, 32, 64):
        for i in range(3):
            y = f.relu(conv_norm(x, f"{width}.{i}.1", width, width // last))
            y = conv_norm(y, f"{width}.{i}.2", width)
            x = f.relu(f.add(y, x if width == last else f.halve(x, width)))
            last = width
    return f.dense(f.mean(x), "linear", 10)


def conv_norm(f, x, name, width, size, stride=1):
    return f.norm(f.conv(x, name, width, size, stride, bias=False), name + "/norm")


def mobilenet_v2(f, x):
    def residual(x, name, last, width, stride, expansion):
        y = x
        if expansion > 1:
            y = f.relu6(conv_norm(f, y, name + "/expand", last * expansion, 1))
        y = f.relu6(f.norm(f.depthwise(y, name + "/depthwise", 3, stride), name + "/depthwise/norm"))
        y = conv_norm(f, y, name + "/project", width, 1)
        return f.add(x, y) if stride == 1 and width == last else y

    x, last = f.relu6(conv_norm(f, x, "first", 32, 3, 2)), 32
    for s, (expansion, width, depth, stride) in enumerate(((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                           (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))):
        for i in range(depth):
            x, last = residual(x, f"block{s}.{i}", last, width, 1 if i else stride, expansion), width
    return f.dense(f.mean(f.relu6(conv_norm(f, x, "last", 1280, 1))), "classes", 1000)


def excited_residual(f, x, name, last, wide, width, size, stride, act, squeezed, inner, outer):
    y = x if wide == last else act(conv_norm(f, x, name + "/expand", wide, 1))
    y = act(f.norm(f.depthwise(y, name + "/depthwise", size, stride), name + "/depthwise/norm"))
    if squeezed:
        s = inner(f.conv(f.means(y), name + "/squeeze", squeezed, 1))
        y = y * outer(f.conv(s, name + "/excite", wide, 1))
    y = conv_norm(f, y, name + "/project", width, 1)
    return f.add(x, y) if stride == 1 and width == last else y


# Of each stage: the expansion, the channels, the blocks, the stride of the first block, the side of the window.
EFFICIENTNET_STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
                       (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))


def efficientnet_b0(f, x):
    x, last = f.swish(conv_norm(f, x, "first", 32, 3, 2)), 32
    for s, (expansion, width, depth, stride, size) in enumerate(EFFICIENTNET_STAGES):
        for i in range(depth):
            x = excited_residual(f, x, f"block{s}.{i}", last, last * expansion, width, size, 1 if i else stride,
                                 f.swish, last // 4, f.swish, f.sigmoid)
            last = width
    return f.dense(f.mean(f.swish(conv_norm(f, x, "last", 1280, 1))), "classes", 1000)


def efficientnet_lite0(f, x):
    """As files made from TensorFlow's have it: see networks.c."""
    def residual(x, name, last, width, size, stride, expansion):
        y = x
        if expansion > 1:
            y = f.relu6(f.conv(y, name + "/expand", last * expansion, 1))
        y = f.pad_as_tensorflow(y, size, stride)
        y = f.relu6(f.depthwise(y, name + "/depthwise", size, stride, "VALID", bias=True))
        y = f.conv(y, name + "/project", width, 1)
        return f.add(x, y) if stride == 1 and width == last else y

    x, last = f.relu6(f.conv(f.pad_as_tensorflow(x, 3, 2), "first", 32, 3, 2, "VALID")), 32
    for s, (expansion, width, depth, stride, size) in enumerate(EFFICIENTNET_STAGES):
        for i in range(depth):
            x, last = residual(x, f"block{s}.{i}", last, width, size, 1 if i else stride, expansion), width
    return f.dense(f.mean(f.relu6(f.conv(x, "last", 1280, 1))), "classes", 1000)


def mobilenet_v3_small(f, x):
    x, last = f.hard_swish(conv_norm(f, x, "first", 16, 3, 2)), 16
    for i, (wide, width, size, stride, squeezed, hard) in enumerate((
            (16, 16, 3, 2, 8, 0), (72, 24, 3, 2, 0, 0), (88, 24, 3, 1, 0, 0), (96, 40, 5, 2, 24, 1),
            (240, 40, 5, 1, 64, 1), (240, 40, 5, 1, 64, 1), (120, 48, 5, 1, 32, 1), (144, 48, 5, 1, 40, 1),
            (288, 96, 5, 2, 72, 1), (576, 96, 5, 1, 144, 1), (576, 96, 5, 1, 144, 1))):
        x = excited_residual(f, x, f"block{i}", last, wide, width, size, stride, f.hard_swish if hard else f.relu,
                             squeezed, f.relu, f.hard_sigmoid)
        last = width
    x = f.mean(f.hard_swish(conv_norm(f, x, "last", 576, 1)))
    return f.dense(f.hard_swish(f.dense(x, "hidden", 1024)), "classes", 1000)


def resnet18(f, x):
    x = f.pool(f.relu(conv_norm(f, x, "first", 64, 7, 2)), 3, 2, "SAME")
    for i in range(8):
        width, stride = 64 << i // 2, 2 if i and i % 2 == 0 else 1
        y = f.relu(conv_norm(f, x, f"block{i}/1", width, 3, stride))
        y = conv_norm(f, y, f"block{i}/2", width, 3)
        if stride > 1:
            x = conv_norm(f, x, f"block{i}/short", width, 1, stride)
        x = f.relu(f.add(y, x))
    return f.dense(f.mean(x), "classes", 1000)


def densenet121(f, x):
    x, width = f.pool(f.relu(conv_norm(f, x, "first", 64, 7, 2)), 3, 2, "SAME"), 64
    for s, depth in enumerate((6, 12, 24, 16)):
        for i in range(depth):
            name = f"layer{s}.{i}"
            y = f.conv(f.relu(f.norm(x, name + "/norm1")), name + "/1", 128, 1, bias=False)
            y = f.conv(f.relu(f.norm(y, name + "/norm2")), name + "/2", 32, 3, bias=False)
            x, width = f.concat(x, y), width + 32
        if s < 3:
            width //= 2
            x = f.conv(f.relu(f.norm(x, f"transition{s}/norm")), f"transition{s}", width, 1, bias=False)
            x = f.mean_pool(x)
    return f.dense(f.mean(f.relu(f.norm(x, "last/norm"))), "classes", 1000)


def vit_tiny(f, x):
    x = f.tokens(x, 16, 192)
    for i in range(12):
        name = f"layer{i}"
        x = f.add(x, f.attention(f.layer_norm(x, name + "/norm1"), name, 3))
        y = f.gelu(f.linear(f.layer_norm(x, name + "/norm2"), name + "/up", 768))
        x = f.add(x, f.linear(y, name + "/down", 192))
    return f.dense(f.layer_norm(x, "norm")[:, 0], "classes", 1000)


def digits(f, x):
    for name, width in (("conv1", 32), ("conv2", 64)):
        x = f.pool(f.relu(f.conv(x, name, width, 5)), 2, 2, "VALID")
    return f.dense(f.relu(f.dense(f.flatten(x), "hidden", 512)), "classes", 10)


def mlp_512(f, x):
    x = f.flatten(x)
    for i in range(3):
        x = f.relu(f.dense(x, f"hidden{i}", 512))
    return f.dense(x, "classes", 10)


def autoencoder(f, x):
    for i in range(3):
        x = f.relu(f.conv(x, f"down{i}", 32 << i, 3, 2))
    for i in (1, 0):
        x = f.relu(f.enlarged(x, f"up{i}", 32 << i))
    return f.enlarged(x, "image", 3)


def mlp_digits(f, x):
    return f.dense(f.relu(f.dense(x, "hidden", 256)), "out", 10)


def mlp_small(f, x):
    return f.dense(f.tanh(f.dense(x, "hidden", 16)), "out", 1)


# the network, its input as [n, height, width, channels], the outputs, the optimizer: as in cases.c
CASES = {
    "vgg16_1": (vgg16, (1, 224, 224, 3), "by image", None),
    "vgg16_8": (vgg16, (8, 224, 224, 3), "by image", None),
    "cifar10_128": (cifar10, (128, 24, 24, 3), "by weights", None),
    **{f"{network.__name__}_{n}": (network, (n, side, side, 3), "by image", None)
       for network, side in ((squeezenet, 224), (resnet20, 32)) for n in (1, 8, 32, 128)},
    **{f"{network.__name__}_{n}": (network, (n, 224, 224, 3), "by image", None)
       for network in (mobilenet_v2, efficientnet_b0, efficientnet_lite0, resnet18, densenet121, vit_tiny)
       for n in (1, 8)},
    "mobilenet_v3_small_1": (mobilenet_v3_small, (1, 224, 224, 3), "by image", None),
    "mlp_1": (mlp_small, (1, 8), "by weights", None),
    "cifar10_train": (cifar10, (128, 24, 24, 3), "training", "sgd decay"),
    "resnet20_train": (resnet20, (128, 32, 32, 3), "training", "momentum"),
    "resnet18_train": (resnet18, (16, 112, 112, 3), "training", "momentum"),
    "mobilenet_v2_train": (mobilenet_v2, (16, 112, 112, 3), "training", "momentum"),
    "densenet121_train": (densenet121, (8, 112, 112, 3), "training", "momentum"),
    "vit_tiny_train": (vit_tiny, (8, 224, 224, 3), "training", "adam"),
    "autoencoder_train": (autoencoder, (32, 64, 64, 3), "training", "momentum"),
    **{f"{network.__name__}_train_{n}": (network, (n, 28, 28, 1), "training", "momentum")
       for network, batches in ((digits, (1, 100)), (mlp_512, (1, 128))) for n in batches},
    "mlp_adam": (mlp_digits, (64, 784), "training", "adam"),
    "mlp_sgd": (mlp_small, (1, 8), "training", "sgd"),
}
# Their layers are written for PyTorch only.
PYTORCH_ONLY = {"mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0", "densenet121",
                "vit_tiny", "digits", "mlp_512", "autoencoder"}
RATE = 1e-7  # so small that the weights do not change


def decay_of(optimizer, name, rank):
    """Weight decay: of the dense layers, or of all weights; never of biases or normalisation layers."""
    if optimizer == "sgd decay" and rank == 2:
        return 0.004
    return 1e-4 if optimizer == "momentum" and rank >= 2 else 0
