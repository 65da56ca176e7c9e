#!/bin/sh
# table.sh RESULTS: docs/onnx.md's table, op by op, from what tests/onnx/test_backend.c wrote to results/onnx.txt.
# Made anew with: sh tests/onnx/table.sh build/results/onnx.txt > docs/onnx.md
LC_ALL=C
export LC_ALL
cat <<'TEXT'
# ONNX

`atl_onnx_load` ([onnx.h](../include/atled/onnx.h)) turns a model file into nodes: IR version 3 and newer, opset 1 to
28, each op as its version defines it, some only from a later version on. Initializers become variables with their
names. Other nodes are named after the values that they compute, in the scopes that PyTorch's exporters tell: the result
of `/features/features.0/features.0.0/Conv` is in the scope `features/0/0`. (`atl_onnx_value_node` finds a value by the
file's own name.) Convolutions and the ops between them run with the channels last; only the inputs and outputs of such
a part are transposed. If parts of a model are not supported, the report lists all of them, with the names of the nodes.

- *Types*: float16, bfloat16 and double become float32; integers, those of four and two bits too, become int32 and
  saturate; booleans become float32 0 and 1.
- *Shapes* are computed in 64 bits while the model is read; the batch stays unknown if it is symbolic in the file. Sizes
  that depend on the value of an input need that value (`.known`); what is computed from it becomes constant.
- *Recurrent* networks are unrolled, so the length of their sequences must be known. `If`, `Loop` and `Scan` are
  supported if their conditions and counts are constant.
- *Sequences* of values are read within a model if their lengths and places are known; inputs and outputs are tensors.
- *Quantized* values are integers in float32; a gradient passes straight through the rounding.
- *onnxruntime*: of what it saves after optimisation, the level "extended" is read, and not "all", whose layout is its
  own. Models of its quantizer are read in each of its formats: QDQ, QOperator and dynamic.
- *scikit-learn*: multilayer perceptrons, linear models and scalers as skl2onnx writes them (`zipmap` off); trees and
  support vector machines are refused.

## Commands

Every command that takes `--model NAME` takes `--model FILE.onnx`. `--preprocess imagenet|caffe|tf|cifar10|none`, or
`--mean`, `--std`, `--scale` and `--bgr`, say what becomes of pixels 0..255; the shape tells whether the channels are
first; `--input` and `--logits` name the values if they are not the first ones. One line says what was assumed.

    atled eval --model net.onnx --preprocess cifar10 --data CIFAR10
    atled train --model net.onnx --preprocess cifar10 --data CIFAR10 -o trained.safetensors
    atled fool --model efficientnet_lite0.onnx --mean 127 --std 128 --target random --count 20 --seed 1
    atled export --model net.onnx --preprocess cifar10 --weights trained.safetensors -o trained.onnx
    atled export --model resnet20 --weights resnet20.npz -o resnet20_gradient.onnx --gradient
    atled info net.onnx
    atled run net.onnx --input flamingo.jpg --preprocess imagenet -o out.npz
    atled grad net.onnx --of 'logits[:, 130]' --by input --input flamingo.jpg -o map.png --export gradient.onnx
    atled check net.onnx

- A file that fixes its batch, as exporters do unless they are told otherwise, is used with any batch where its ops
  allow that.
- Training moves all float initializers, except single numbers and the running statistics of batch norm, which stay as
  they are.
- `--weights` gives a file other weights, `.npz` or `.safetensors`, by their names. `--names map.json` says what they
  are called there, as in `{"conv1/weights": "features.0.weight"}`; so it does for the networks that atled knows by
  name.
- What is exported takes the raw picture [n, height, width, 3]: the preprocessing is part of the file. `--gradient`
  adds an input `labels`, and as outputs the cross entropy of each picture with its label and the gradient of their sum
  by the picture.

## What is written

`atl_onnx_write` writes opset 17. Ops that ONNX lacks become several of its own, in gradients of any order, too. The
batch stays open. `tests/onnx/test_onnxruntime.c` runs what is written by onnxruntime, where a Python with it is found
(`ATLED_PYTHON`, else `python3`): LeNet, the CIFAR-10 network, ResNet-20 and two networks from files agree to 1e-5,
with gradients by image and weights; EfficientNet-Lite0 agrees to 5e-3, because of its kinks.
`tests/onnx/test_round_trip.c` does the same with each sample of each op and its gradients: of 641 samples, 1229 models
are written; each is read again and computes the same, and onnxruntime agrees to 1e-4 with all but 4, which it does not
define. With `.types_of` inputs and outputs keep the types of the file that was read, such as int64, as they do in
`atled grad --export`; without, they are float32 and int32. Not written: random numbers, assignments, rounding to
bfloat16, integer arithmetic that stops at the limits of int32, third and higher derivatives of products.

## Exports of torch.onnx

torchvision's networks with random weights and the batch norm statistics of random pictures, written by torch.onnx of
PyTorch 2.15 (`dynamo=False` with opset 17, and `dynamo=True`), at one random picture, without Winograd: the relative
distance (2-norm) from PyTorch in double, of the logits and of the gradient of the largest logit by the picture. The
last column is PyTorch's own float32 against its double.

| network | logits: script, dynamo | gradient: script, dynamo | PyTorch's own: logits, gradient |
|---|---|---|---|
| convnext_tiny | 9.0e-7, 9.0e-7 | 6.4e-7, 6.4e-7 | 9.5e-7, 7.2e-7 |
| densenet121 | 2.7e-6, 2.6e-6 | 1.7e-2, 3.6e-4 | 2.5e-6, 6.0e-3 |
| efficientnet_b0 | 2.8e-6, 2.5e-6 | 7.4e-6, 7.1e-6 | 2.4e-6, 5.9e-6 |
| googlenet | 1.0e-5, 1.1e-5 | 1.6e-3, 1.7e-2 | 9.3e-6, 7.1e-3 |
| mobilenet_v2 | 4.8e-6, 5.2e-6 | 4.3e-3, 4.3e-3 | 4.4e-6, 6.9e-3 |
| mobilenet_v3_small | 1.9e-6, 1.6e-6 | 3.6e-6, 3.1e-6 | 8.2e-7, 2.5e-6 |
| resnet18 | 1.4e-6, 1.4e-6 | 1.1e-2, 1.1e-2 | 8.7e-7, 1.4e-3 |
| shufflenet_v2_x1_0 | 4.1e-6, 4.2e-6 | 6.4e-3, 3.2e-3 | 4.1e-6, 8.4e-3 |
| squeezenet1_1 | 1.9e-7, 8.6e-8 | 5.9e-7, 5.9e-7 | 7.6e-8, 3.3e-7 |
| vgg11 | 1.7e-6, 1.7e-6 | 1.6e-6, 1.6e-6 | 8.0e-7, 5.5e-7 |
| vit_b_16 | 1.5e-6, – | 2.1e-6, – | 1.2e-6, 1.7e-6 |

The gradients that are 1e-3 and more from double are those of networks with relu and max pooling: the gradient jumps
where an input of relu passes 0, and where float32 and double fall on two sides of it, a part of the picture gets
another gradient. It is no error of the graph: atled's double reference of the same file is 1.7e-7 (ResNet-18) and
2.9e-7 (ShuffleNet) from PyTorch's double, while its float program is as far from that reference as from PyTorch:
1.1e-2 and 6.4e-3. PyTorch's own float32 shows the same jumps, at other places. Networks whose activations are smooth
(ConvNeXt, EfficientNet, MobileNetV3) have none. `atled check FILE` prints both distances for any file.

Smaller networks and parts of networks, with an open batch, by both exporters (by one where torch.onnx refuses):
VisionTransformer, Swin (both versions), MaxViT, RegNet, MNASNet, ResNeXt, Inception v3, EfficientNetV2, ConvNeXt,
DeepLab, LR-ASPP, AlexNet, a U-Net with transposed convolutions and one with resizing, LSTM, GRU and RNN in both
directions, a detector's head, style transfer, a generator, attention, three-dimensional convolutions, and twenty that
use other ops. At random inputs the logits are at most 6.1e-7 and the gradients at most 4.7e-6 from PyTorch in double,
by the relative 2-norm. The gradients of thirty of them, written as ONNX and run by onnxruntime, are at most 1.6e-6 from
atled's.

These were exported with an open batch and run with 2 to 4 examples by `atled run` and `atled grad`, with Winograd's
method, pictures of 64 or 96 pixels; each column has the values of the two exporters. The gradient is that of the sum of
one logit. The last column compares it with what onnxruntime computes from the file that `atled grad --export` writes.
Where PyTorch's own gradient is 1e-2 from its double, the reason is the kinks of relu, as above; elsewhere onnxruntime
agrees to 1e-5, but for EfficientNet-B0, whose float32 is 1.4e-5 from double in PyTorch, too (–: not measured).

| network | logits | gradient | PyTorch's own | onnxruntime from atled |
|---|---|---|---|---|
| convnext_tiny | 8.7e-7, – | 6.1e-7, – | 9.2e-7, 7.1e-7 | 7.6e-7, – |
| transposed convolution, resizing | 3.0e-8, 3.0e-8 | 2.0e-7, 2.0e-7 | 5.1e-8, 2.4e-7 | 3.4e-7, 3.4e-7 |
| efficientnet_b0 | 5.8e-6, – | 1.5e-5, – | 5.6e-6, 1.4e-5 | 1.6e-5, – |
| transformer encoder | 1.7e-7, 1.3e-7 | 1.4e-7, 1.4e-7 | 1.2e-7, 1.4e-7 | 1.4e-7, 1.5e-7 |
| GRU, 2 layers, both directions | 8.6e-8, 8.6e-8 | 1.7e-7, 1.7e-7 | 8.3e-8, 2.3e-7 | 2.1e-7, 2.1e-7 |
| lraspp_mobilenet_v3_large | 2.3e-6, 4.5e-6 | 7.0e-6, 1.0e-5 | 4.2e-6, 9.2e-6 | 8.4e-6, 7.7e-6 |
| LSTM, 2 layers | 3.6e-8, 3.6e-8 | 1.2e-7, 1.2e-7 | 3.9e-8, 1.8e-7 | 1.7e-7, 1.7e-7 |
| mnasnet0_5 | 6.4e-6, 5.5e-6 | 2.5e-3, 1.3e-2 | 5.0e-6, 1.3e-2 | 1.5e-2, 1.3e-2 |
| mobilenet_v2 | 8.3e-6, 8.4e-6 | 1.4e-2, 1.2e-6 | 9.1e-6, 1.5e-2 | 1.4e-2, 1.3e-6 |
| mobilenet_v3_small | 3.1e-6, 2.8e-6 | 7.0e-6, 5.9e-6 | 1.6e-6, 3.5e-6 | 6.7e-6, 5.5e-6 |
| regnet_y_400mf | 7.1e-6, 7.3e-6 | 6.9e-6, 7.0e-6 | 7.8e-6, 7.4e-6 | 8.2e-6, 8.2e-6 |
| resnet18 | 7.4e-6, 6.9e-6 | 4.7e-6, 4.7e-6 | 1.9e-6, 6.3e-7 | 4.8e-6, 4.7e-6 |
| resnext50_32x4d | 4.0e-5, 4.0e-5 | 8.0e-3, 8.0e-3 | 3.7e-5, 3.8e-2 | 1.1e-2, 1.1e-2 |
| shufflenet_v2_x0_5 | 6.5e-6, – | 7.0e-7, – | 7.6e-6, 6.7e-7 | 6.0e-7, – |
| shufflenet_v2_x1_0 | 7.5e-6, 7.1e-6 | 7.4e-7, 8.0e-7 | 7.8e-6, 7.8e-7 | 8.6e-7, 7.8e-7 |
| squeezenet1_1 | 4.3e-7, 4.3e-7 | 2.3e-6, 2.3e-6 | 3.0e-7, 3.7e-7 | 2.3e-6, 2.3e-6 |
| swin_v2_t | 2.0e-6, – | 4.9e-6, – | 1.7e-6, 4.1e-6 | 5.8e-6, – |
| vgg11 | –, 1.8e-6 | –, 6.9e-6 | 5.4e-7, 5.0e-7 | –, 6.9e-6 |

From opset 23 on, torch.onnx (`dynamo=True`) writes scaled dot-product attention as one op, `Attention`: of
MultiheadAttention, TransformerEncoder, BERT, DistilBERT and CLIP's vision tower the logits are at most 2e-7 and the
gradients at most 3e-7 from PyTorch in double. 35 networks of timm (`dynamo=False`, opset 17, an open batch) are all
read; ViT-tiny, MobileNetV4 and RepViT of timm, written with `dynamo=True`, opset 20 and an open batch, are at most
5.3e-6 from PyTorch in double in their logits and 2.0e-6 in their gradients. A decoder with a cache of keys and values,
an encoder like Whisper's, StyleGAN2's generator (weights that depend on the style, of a fixed batch, or scaled
channels), taggers by LSTM, GRU and RNN, and `EmbeddingBag` in its three modes, written with `dynamo=False`, are at most
3e-7 from PyTorch in double, in values and gradients.

Keras' MobileNetV2 and MobileNetV3Small with random weights and live statistics, as `model.export(format="onnx")` of
Keras 3.15 writes them (by tf2onnx, pictures of 96 pixels, an open batch): the logits are at most 1.0e-6, the gradients
by the picture at most 1.1e-6 from TensorFlow in double; its own float32 is 7.9e-7 and 1.1e-6 from it.

What torch.onnx writes and atled refuses is no valid ONNX (`Round` in opset 9, an LSTM with a projection), or it depends
on the values of the picture: whole detectors (SSDlite, Faster R-CNN, Keypoint R-CNN of torchvision) are refused because
of `NonMaxSuppression`, `NonZero` and `RoiAlign`, with all nodes of theirs in the table; detectors without this last
part are read. What ONNX cannot say is lost in the file: `detach` and autograd functions of one's own (the gradient
of `Round` is 0), and the row that `nn.Embedding(padding_idx=...)` leaves as it is.

## Speed

```sh
meson compile -C build bench
BENCH_CLOCK=processor OMP_NUM_THREADS=1 build/bench/atled_imported speed squeezenet 9 squeezenet_v1_1_fp16.onnx
build/bench/atled_imported load 7
```

An imported network is as fast as one that is built by its functions. Time of the imported one over that of the other,
for the logits and with the gradient by the picture (medians of 9 runs in turn, processor time of one thread, AMD EPYC,
AVX-512):

| network | file | logits | with the gradient |
|---|---|---|---|
| SqueezeNet | the one with float16 weights | 0.998 | 1.000 |
| SqueezeNet | written by `atl_onnx_write` | 1.000 | 0.988 |
| ResNet-18 | written by `atl_onnx_write` | 1.016 | 1.005 |

Weights are read straight into the memory of their variables; threads share a large one. Loading VGG16, 553 MB, takes
1.0 MB beyond the weights. It takes 0.093 s of processor time where reading the file's bytes into memory that is in use
already takes 0.068 s, so 1.4 times as long (least of 9 in turn, one thread, AMD EPYC; EfficientNet-Lite0 takes 0.014
s). That is so while the system has huge pages at hand for new memory. With small pages it takes 0.26 s. On a virtual
machine whose host takes free memory back, what takes most time is the host's providing it again: there the load took
0.43 s, and reading the bytes into new memory 0.36 s. With two threads, on two busy processors, the load took 0.96 s,
one read into memory in use 0.37 s, and one into new memory 2.0 s.

## ONNX's own tests of today

`tests/onnx/node_tests.py FOLDER` writes the node tests of the installed Python package onnx, and
`ATLED_ONNX_DATA=FOLDER build/tests/test_onnx_backend` runs them. Of the 1870 tests of onnx 1.23.2 (opset 28) whose
values are tensors, 1543 pass, 311 are refused with a reason, and 16 differ from their data by more than ONNX's
tolerance: 14 compute in float16 or bfloat16, which become float32 here, and 2 have rounding noise of 2e-7 where an
inverse Fourier transform is 0. Refused are, among others, the ops `LinearAttention`, `FlexAttention`,
`CausalConvWithState`, `NonMaxSuppression`, `RoiAlign`, `DeformConv`, `Unique`, `CumProd` and
`BitCast`, those of texts, pictures' files and optional values, the types of 8 and 4 bits with an exponent, and shifts
of numbers with a sign.

## ONNX's own tests

Debian's package `libonnx-testdata` has 1072 models, each with inputs and expected outputs. The tests use ONNX's own
tolerance (1e-3 relative, 1e-7 absolute). No model gives a wrong result or crashes; an unsupported one is rejected with
the reason below. *Gradients* counts pairs of an output and an input whose gradient agrees with central differences in
double. `tests/onnx/table.sh` makes the table from the results of the tests.

TEXT
awk '$1 == "passed" || $1 == "refused" || $1 == "faulty" { n[$1]++; total++ } $1 == "passed" { g += $4 }
END {
    printf "%d of %d pass, %d are refused, ", n["passed"], total, n["refused"]
    printf "of %d the data disagree with their own model; %d gradients agree.\n\n", n["faulty"], g
}' "$1"
echo '| op | pass | refused | gradients | why |'
echo '|---|---|---|---|---|'
awk '$1 == "passed" || $1 == "refused" || $1 == "faulty" {
    op = $3 == "-" ? "(several ops)" : $3
    seen[op] = 1
    count[op, $1]++
    gradients[op] += $4
    if ($1 != "passed" && why[op] == "") {
        line = $0
        sub(/.*cannot be read: /, "", line)
        sub(/^.[^()]*\([A-Za-z]*\): /, "", line)
        sub(/^[a-z]+ [^ ]* [^ ]* 0 /, "", line)
        gsub(/[|]/, " ", line)
        gsub(/.\/usr[^ ]*model.onnx. /, "it ", line)
        gsub(/; .*/, "", line)
        why[op] = line
    }
}
END {
    for (op in seen)
        printf "| %s | %d | %d | %s | %s |\n", op, count[op, "passed"], count[op, "refused"] + count[op, "faulty"],
               gradients[op] ? gradients[op] : "–", op == "(several ops)" ? "see each" : why[op]
}' "$1" | sort
