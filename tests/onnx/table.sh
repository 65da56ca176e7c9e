#!/bin/sh
# table.sh RESULTS: docs/onnx.md's table, op by op, from what tests/onnx/test_backend.c wrote to results/onnx.txt.
# Made anew with: sh tests/onnx/table.sh build/results/onnx.txt > docs/onnx.md
LC_ALL=C
export LC_ALL
cat <<'TEXT'
# ONNX

`atl_onnx_load` ([onnx.h](../include/atled/onnx.h)) turns a model file into nodes: IR version 3 and newer, opset 6 to
25, each op as its version defines it. Initializers become variables with their names. Convolutions and the ops between
them run with the channels last; only the inputs and outputs of such a part are transposed. If parts of a model are not
supported, the report lists all of them, with the names of the nodes.

- *Types*: float16, bfloat16 and double become float32; integers become int32 and saturate; booleans become float32 0
  and 1.
- *Shapes* are computed in 64 bits while the model is read; the batch stays unknown if it is symbolic in the file. Sizes
  that depend on the value of an input need that value (`.known`).
- *Recurrent* networks are unrolled, so the length of their sequences must be known. `If` is supported if its condition
  is constant.
- *Quantized* values are integers in float32; a gradient passes straight through the rounding.

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
