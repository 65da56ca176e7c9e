#!/usr/bin/env python3
"""frameworks.py FRAMEWORK CASE RUNS: the same step in pytorch, tensorflow or jax, random weights, two threads; one line
of JSON for each variant that runs.

pytorch: in the default layout (NCHW) and in channels_last; optimizers of torch.optim, foreach and fused; torch.compile,
which needs a compiler and minutes, only with TORCH_COMPILE=1.  tensorflow: tf.function, and with jit_compile.  jax:
jax.jit.  Compiling and tracing happen before the clock starts.  CASE "memory_NAME": the peak resident memory of a
process that runs the step of the case NAME.  The exit status is 3 if the framework is not installed."""
import importlib
import json
import os
import resource
import statistics
import sys
import time

import networks
from networks import Layers, random_array

THREADS = os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "processor" else time.perf_counter
SECONDS = 8  # a variant with a long step runs less often, but at least twice


def measure(step, runs):
    step()  # compiles
    start = clock()
    step()
    once = clock() - start
    steps = 1 if once > 1e-3 else int(2e-2 / once) + 1
    times = []
    for _ in range(min(runs, max(2, int(SECONDS / once)))):
        start = clock()
        for _ in range(steps):
            step()
        times.append((clock() - start) / steps * 1e3)
    return times


MEMORY = "memory_"


def network_of(case):
    return networks.CASES.get(case.removeprefix(MEMORY))


def report(case, who, step, runs, version):
    memory = case.startswith(MEMORY)
    unit = "MB" if memory else "ms"
    times = measure(step, 1 if memory else runs)
    if memory:
        times = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6]
    print(json.dumps({"case": case, "who": who, "unit": unit, "median": statistics.median(times), "min": min(times),
                      "runs": len(times), "version": version}), flush=True)


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


def pytorch(case, runs):
    import torch
    from torch.nn import functional

    torch.set_num_threads(int(THREADS))
    network, size, want, optimizer = network_of(case)

    class Torch(Layers):
        layout = torch.contiguous_format
        relu, tanh = staticmethod(torch.relu_), staticmethod(torch.tanh)

        def variable(self, x):
            x = torch.from_numpy(x)
            return x.contiguous(memory_format=self.layout) if x.dim() == 4 else x

        def conv(self, x, name, width, size, stride=1, padding="SAME", bias=True):
            last = x.shape[1]
            w = self.weight(name, (width, last, size, size), last * size * size)
            b = self.vector(name + "/biases", width, 0) if bias else None
            return functional.conv2d(x, w, b, stride, size // 2 if padding == "SAME" else 0)

        def dense(self, x, name, width):
            w = self.weight(name, (width, x.shape[1]), x.shape[1])
            return functional.linear(x, w, self.vector(name + "/biases", width, 0))

        def pool(self, x, size, stride, padding):
            return functional.max_pool2d(x, size, stride, size // 2 if padding == "SAME" else 0)

        def lrn(self, x):
            return functional.local_response_norm(x, 9, 0.001, 0.75, 1.0)

        def norm(self, x, name):
            width = x.shape[1]
            mean = self.vector(name + "/mean", width, 0, self.kept)
            variance = self.vector(name + "/variance", width, 1, self.kept)
            return functional.batch_norm(x, mean, variance, self.vector(name + "/scale", width, 1),
                                         self.vector(name + "/shift", width, 0), self.training)

        def concat(self, a, b):
            return torch.cat((a, b), 1)

        def enlarged(self, x, name, width):
            w = self.weight(name, (x.shape[1], width, 4, 4), x.shape[1] * 4)
            return functional.conv_transpose2d(x, w, self.vector(name + "/biases", width, 0), 2, 1)

        relu6, gelu = staticmethod(functional.relu6), staticmethod(functional.gelu)

        def depthwise(self, x, name, size, stride, padding="SAME", bias=False):
            width = x.shape[1]
            w = self.weight(name, (width, 1, size, size), size * size)
            b = self.vector(name + "/biases", width, 0) if bias else None
            return functional.conv2d(x, w, b, stride, size // 2 if padding == "SAME" else 0, groups=width)

        def pad_as_tensorflow(self, x, size, stride):
            """With stride 2, where the side is even, one row and column fewer before the image than behind it."""
            before = (size - stride) // 2
            return functional.pad(x, (before, size - stride - before) * 2)

        swish, sigmoid = staticmethod(functional.silu), staticmethod(torch.sigmoid)
        hard_swish, hard_sigmoid = staticmethod(functional.hardswish), staticmethod(functional.hardsigmoid)

        def means(self, x):
            return x.mean((2, 3), keepdim=True)

        def mean_pool(self, x):
            return functional.avg_pool2d(x, 2)

        def tokens(self, x, size, width):
            w = self.weight("patches", (width, x.shape[1], size, size), x.shape[1] * size * size)
            x = functional.conv2d(x, w, self.vector("patches/biases", width, 0), size).flatten(2).transpose(1, 2)
            token = self.vector("token", width, 0).expand(x.shape[0], 1, width)
            return torch.cat((token, x), 1) + self.weight("places", (1, x.shape[1] + 1, width), 600)

        def linear(self, x, name, width):
            w = self.weight(name, (width, x.shape[-1]), x.shape[-1])
            return functional.linear(x, w, self.vector(name + "/biases", width, 0))

        def layer_norm(self, x, name):
            width = x.shape[-1:]
            return functional.layer_norm(x, width, self.vector(name + "/scale", width, 1),
                                         self.vector(name + "/shift", width, 0), 1e-6)

        def attention(self, x, name, heads):
            n, tokens, width = x.shape
            q, k, v = (self.linear(x, f"{name}/{part}", width).view(n, tokens, heads, -1).transpose(1, 2)
                       for part in ("query", "key", "value"))
            y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width)
            return self.linear(y, name + "/out", width)

        def halve(self, x, width):
            more = (width - x.shape[1]) // 2
            return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, more, more))

        def flatten(self, x):
            return x.flatten(1)

        def mean(self, x):
            return x.mean((2, 3))

    def optimizer_of(f, **how):
        groups = [{"params": [w], "weight_decay": networks.decay_of(optimizer, name, w.dim())}
                  for name, w in f.weights.items()]
        by_decay = {}
        for g in groups:
            by_decay.setdefault(g["weight_decay"], {**g, "params": []})["params"] += g["params"]
        groups = list(by_decay.values())
        if optimizer == "adam":
            return torch.optim.Adam(groups, lr=networks.RATE, **how)
        return torch.optim.SGD(groups, lr=networks.RATE, momentum=0.9 if optimizer == "momentum" else 0, **how)

    def step_of(layout, **how):
        f = Torch(want == "training")
        f.layout = layout
        x = torch.from_numpy(random_array(size, 1))
        if len(size) == 4:
            x = x.permute(0, 3, 1, 2).contiguous(memory_format=layout)
        labels = torch.zeros(size[0], dtype=torch.long)
        with torch.no_grad():
            network(f, x)
        weights = list(f.weights.values())
        for w in weights:
            w.requires_grad_(want != "by image")
        x.requires_grad_(want == "by image")

        def loss():
            y = network(f, x)
            if y.dim() == 4:  # an image
                return ((y - x) ** 2).mean()
            return functional.cross_entropy(y, labels) if y.shape[1] > 1 else ((y - 1) ** 2).mean()

        if os.environ.get("TORCH_COMPILE"):
            loss = torch.compile(loss)
        if want != "training":
            return lambda: torch.autograd.grad(loss(), [x] if want == "by image" else weights)
        by = optimizer_of(f, **how)

        def train():
            by.zero_grad()
            loss().backward()
            by.step()

        return train

    layouts = {"": torch.contiguous_format, " channels_last": torch.channels_last}
    if len(size) == 2:
        del layouts[" channels_last"]
    ways = {" foreach": {"foreach": True}, " fused": {"fused": True}} if want == "training" else {"": {}}
    for layout, tag in layouts.items():
        for way, how in ways.items():
            in_own_process = case.startswith(MEMORY)  # the peak is that of one variant
            if in_own_process and os.fork():
                os.wait()
                continue
            report(case, "pytorch" + layout + way, step_of(tag, **how), runs, torch.__version__)
            if in_own_process:
                os._exit(0)


# ---- TensorFlow ------------------------------------------------------------------------------------------------------


def tensorflow(case, runs):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(THREADS))
    network, size, want, optimizer = network_of(case)

    class Tensorflow(Layers):
        relu, tanh = staticmethod(tf.nn.relu), staticmethod(tf.tanh)

        def variable(self, x):
            return tf.Variable(x)

        def conv(self, x, name, width, size, stride=1, padding="SAME", bias=True):
            last = x.shape[3]
            y = tf.nn.conv2d(x, self.weight(name, (size, size, last, width), last * size * size), stride, padding)
            return tf.nn.bias_add(y, self.vector(name + "/biases", width, 0)) if bias else y

        def dense(self, x, name, width):
            y = x @ self.weight(name, (x.shape[1], width), x.shape[1])
            return tf.nn.bias_add(y, self.vector(name + "/biases", width, 0))

        def pool(self, x, size, stride, padding):
            return tf.nn.max_pool2d(x, size, stride, padding)

        def lrn(self, x):
            return tf.nn.local_response_normalization(x, 4, 1, 0.001 / 9, 0.75)

        def norm(self, x, name):
            width = x.shape[3]
            mean = self.vector(name + "/mean", width, 0, self.kept)
            variance = self.vector(name + "/variance", width, 1, self.kept)
            y, new_mean, new_variance = tf.compat.v1.nn.fused_batch_norm(
                x, self.vector(name + "/scale", width, 1), self.vector(name + "/shift", width, 0), mean, variance, 1e-5,
                is_training=self.training, exponential_avg_factor=0.1)
            if self.training:
                mean.assign(new_mean)
                variance.assign(new_variance)
            return y

        def concat(self, a, b):
            return tf.concat((a, b), 3)

        def halve(self, x, width):
            more = (width - x.shape[3]) // 2
            return tf.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (more, more)))

        def flatten(self, x):
            return tf.reshape(x, (x.shape[0], -1))

        def mean(self, x):
            return tf.reduce_mean(x, (1, 2))

    def step_of(xla):
        f = Tensorflow(want == "training")
        x, labels = tf.constant(random_array(size, 1)), tf.zeros(size[0], tf.int32)
        network(f, x)
        weights = list(f.weights.values())
        decays = [networks.decay_of(optimizer, name, len(w.shape)) for name, w in f.weights.items()]
        zeros = lambda: [tf.Variable(tf.zeros_like(w)) for w in weights]
        m, v = zeros() if optimizer in ("momentum", "adam") else None, zeros() if optimizer == "adam" else None
        powers = tf.Variable(1.0), tf.Variable(1.0)

        def loss():
            y = network(f, x)
            if y.shape[1] == 1:
                return tf.reduce_mean((y - 1) ** 2)
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y))

        def gradients():
            with tf.GradientTape(watch_accessed_variables=want != "by image") as tape:
                if want == "by image":
                    tape.watch(x)
                value = loss()
                if want == "training" and any(decays):
                    value += tf.add_n([d * tf.nn.l2_loss(w) for d, w in zip(decays, weights) if d])
            return tape.gradient(value, x if want == "by image" else weights)

        def train():
            raw, rate = tf.raw_ops, networks.RATE
            for i, (w, g) in enumerate(zip(weights, gradients())):
                if optimizer == "adam":
                    raw.ResourceApplyAdam(var=w.handle, m=m[i].handle, v=v[i].handle, beta1_power=0.9 * powers[0],
                                          beta2_power=0.999 * powers[1], lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-8,
                                          grad=g)
                elif optimizer == "momentum":
                    raw.ResourceApplyMomentum(var=w.handle, accum=m[i].handle, lr=rate, grad=g, momentum=0.9)
                else:
                    raw.ResourceApplyGradientDescent(var=w.handle, alpha=rate, delta=g)
            if optimizer == "adam":
                powers[0].assign(powers[0] * 0.9)
                powers[1].assign(powers[1] * 0.999)

        compiled = tf.function(train if want == "training" else gradients, jit_compile=xla, autograph=False)

        def step():
            result = compiled()
            last = weights[-1] if result is None else result[0] if isinstance(result, list) else result
            last.numpy()  # waits for the result

        return step

    for way in (False,) if case.startswith(MEMORY) else (False, True):
        report(case, "tensorflow xla" if way else "tensorflow", step_of(way), runs, tf.__version__)


# ---- JAX -------------------------------------------------------------------------------------------------------------


def jax(case, runs):
    import jax as framework
    from jax import lax, numpy

    network, size, want, optimizer = network_of(case)

    class Jax(Layers):
        relu, tanh = staticmethod(framework.nn.relu), staticmethod(numpy.tanh)
        variable = staticmethod(numpy.asarray)

        def conv(self, x, name, width, size, stride=1, padding="SAME", bias=True):
            last = x.shape[3]
            y = lax.conv_general_dilated(x, self.weight(name, (size, size, last, width), last * size * size),
                                         (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return y + self.vector(name + "/biases", width, 0) if bias else y

        def dense(self, x, name, width):
            y = x @ self.weight(name, (x.shape[1], width), x.shape[1])
            return y + self.vector(name + "/biases", width, 0)

        def pool(self, x, size, stride, padding):
            return lax.reduce_window(x, -numpy.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), padding)

        def lrn(self, x):
            squares = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 9), (1, 1, 1, 1), "SAME")
            return x * (1 + 0.001 / 9 * squares) ** -0.75

        def norm(self, x, name):
            width = x.shape[3]
            mean = self.vector(name + "/mean", width, 0, self.kept)
            variance = self.vector(name + "/variance", width, 1, self.kept)
            if self.training:
                now = x.mean((0, 1, 2)), x.var((0, 1, 2))
                self.kept[name + "/mean"] = 0.9 * mean + 0.1 * now[0]
                self.kept[name + "/variance"] = 0.9 * variance + 0.1 * now[1]
                mean, variance = now
            factor = self.vector(name + "/scale", width, 1) * lax.rsqrt(variance + 1e-5)
            return x * factor + (self.vector(name + "/shift", width, 0) - mean * factor)

        def concat(self, a, b):
            return numpy.concatenate((a, b), 3)

        def halve(self, x, width):
            more = (width - x.shape[3]) // 2
            return numpy.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (more, more)))

        def flatten(self, x):
            return x.reshape(x.shape[0], -1)

        def mean(self, x):
            return x.mean((1, 2))

    f = Jax(want == "training")
    x = numpy.asarray(random_array(size, 1))
    network(f, x[:1])  # creates the weights

    def loss(weights, kept, x):
        f.weights, f.kept = dict(weights), dict(kept)
        y = network(f, x)
        if y.shape[1] == 1:
            return ((y - 1) ** 2).mean(), f.kept
        value = (framework.nn.logsumexp(y, 1) - y[:, 0]).mean()
        if want == "training":
            for name, w in weights.items():
                decay = networks.decay_of(optimizer, name, w.ndim)
                value += decay / 2 * (w * w).sum() if decay else 0
        return value, f.kept

    def gradients(weights, kept, x):
        return framework.grad(lambda *all: loss(*all)[0], 2 if want == "by image" else 0)(weights, kept, x)

    def train(state, x):
        (weights, kept, m, v, t), rate = state, networks.RATE
        g, kept = framework.grad(loss, has_aux=True)(weights, kept, x)
        each = framework.tree_util.tree_map
        if optimizer == "adam":
            t = t + 1
            m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            by = rate * numpy.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            return each(lambda w, m, v: w - by * m / (numpy.sqrt(v) + 1e-8), weights, m, v), kept, m, v, t
        if optimizer == "momentum":
            m = g = each(lambda m, g: 0.9 * m + g, m, g)
        return each(lambda w, g: w - rate * g, weights, g), kept, m, v, t

    weights, kept = f.weights, f.kept
    if want == "training":
        compiled = framework.jit(train, donate_argnums=0)
        zeros = lambda: framework.tree_util.tree_map(numpy.zeros_like, weights)
        state = [(weights, kept, zeros() if optimizer in ("momentum", "adam") else 0,
                  zeros() if optimizer == "adam" else 0, numpy.float32(0))]

        def step():
            state[0] = framework.block_until_ready(compiled(state[0], x))
    else:
        compiled = framework.jit(gradients)

        def step():
            framework.block_until_ready(compiled(weights, kept, x))

    report(case, "jax", step, runs, framework.__version__)


MODULES = {"pytorch": "torch", "tensorflow": "tensorflow", "jax": "jax"}


def main():
    framework, case, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    try:
        importlib.import_module(MODULES[framework])
    except ImportError:
        sys.exit(3)
    network = network_of(case)[0].__name__ if network_of(case) else None
    if network and (framework == "pytorch" or network not in networks.PYTORCH_ONLY):
        globals()[framework](case, runs)


main()
