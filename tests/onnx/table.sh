#!/bin/sh
# table.sh RESULTS: docs/onnx.md's table, op by op, from what tests/onnx/test_backend.c wrote to results/onnx.txt.
# Made anew with: sh tests/onnx/table.sh build/results/onnx.txt > docs/onnx.md
LC_ALL=C
export LC_ALL
cat <<'TEXT'
# ONNX

`atl_onnx_load` ([onnx.h](../include/atled/onnx.h)) makes nodes of a model file: IR version 3 and newer, opset 6 to 25,
each op by the rules of its version. Initializers become variables under their names. Convolutions and what stands
between them run with the channels last; transposes are at the edges only. Whatever is not supported is said at once,
for the whole model, with the name of the node.

- *Types*: float16, bfloat16 and double become float32; whole numbers int32, and what is beyond it its limits; truth
  values float32 0 and 1.
- *Shapes* are computed in 64 bits while the model is read, with the batch left open if the file leaves it open. Sizes
  that depend on the value of an input need that value (`.known`).
- *Recurrent* nets are unrolled, so the length of their sequences must be known. `If` is read where its condition is
  constant.
- *Quantized* values are whole numbers in float32; a gradient passes straight through the rounding.

## ONNX's own tests

Debian's package `libonnx-testdata`: 1072 models, each with an input and what comes out, at ONNX's own tolerance (1e-3
relative, 1e-7 absolute). None of them is wrong here and none crashes; what does not pass is refused with the reason
below. *Gradients* counts pairs of an output and an input whose gradient agrees with central differences in double. Made
by `tests/onnx/table.sh` from the results of the tests.

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
