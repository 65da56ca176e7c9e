"""The networks of the cases, written once for all frameworks: `f` has the layers (see frameworks.py)."""


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


def mlp_digits(f, x):
    return f.dense(f.relu(f.dense(x, "hidden", 256)), "out", 10)


def mlp_small(f, x):
    return f.dense(f.tanh(f.dense(x, "hidden", 16)), "out", 1)


# the network, its input as [n, height, width, channels], the outputs, the optimizer: as in cases.c
CASES = {
    "vgg16_1": (vgg16, (1, 224, 224, 3), "by image", None),
    "vgg16_8": (vgg16, (8, 224, 224, 3), "by image", None),
    "squeezenet_1": (squeezenet, (1, 224, 224, 3), "by image", None),
    "cifar10_128": (cifar10, (128, 24, 24, 3), "by weights", None),
    "resnet20_128": (resnet20, (128, 32, 32, 3), "by image", None),
    "mlp_1": (mlp_small, (1, 8), "by weights", None),
    "cifar10_train": (cifar10, (128, 24, 24, 3), "training", "sgd decay"),
    "resnet20_train": (resnet20, (128, 32, 32, 3), "training", "momentum"),
    "mlp_adam": (mlp_digits, (64, 784), "training", "adam"),
    "mlp_sgd": (mlp_small, (1, 8), "training", "sgd"),
    "memory": (vgg16, (1, 224, 224, 3), "by image", None),
}
RATE = 1e-7  # so small that the weights do not change


def decay_of(optimizer, name, rank):
    """Weight decay: of the dense layers, or of all weights; never of biases or normalisation layers."""
    if optimizer == "sgd decay" and rank == 2:
        return 0.004
    return 1e-4 if optimizer == "momentum" and rank >= 2 else 0
