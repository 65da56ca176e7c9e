#!/bin/sh
# same_bits.sh LAUNCH ATLED DATA SCRATCH: training with 1, 2, 3 and 4 ranks, with as many parts in one process, and with
# another number of ranks after a checkpoint gives the same bits.
. "$(dirname "$0")/arguments.sh"

# train RANKS NAME OPTION...: stops by itself, which is code 1
train() {
    ranks=$1 name=$2
    shift 2
    if [ "$ranks" = 0 ]; then run=''; else run="$launch $ranks"; fi
    $run "$atled" train -m cifar10 -d "$data" -q -b 24 --flip --brightness 9 --average 0.9 --steps 9 \
        --checkpoint "$scratch/$name.npz" -o "$scratch/$name.weights.npz" "$@" >"$scratch/$name.log" 2>&1
    code=$?
    [ $code = 1 ] || { echo "$name ends with $code:"; cat "$scratch/$name.log"; exit 1; }
    grep -q "stopped after" "$scratch/$name.log" || { cat "$scratch/$name.log"; exit 1; }
}
same() {
    cmp "$scratch/$1.npz" "$scratch/$2.npz" && cmp "$scratch/$1.weights.npz" "$scratch/$2.weights.npz" || exit 1
}

train 0 alone --micro-batches 4 --stop-after 4
for ranks in 1 2 3 4; do
    train $ranks "ranks$ranks" --stop-after 4
    same alone "ranks$ranks"
done
train 2 half --stop-after 2
train 4 whole --stop-after 4 --resume "$scratch/half.npz"
same alone whole

# So has batch norm with the statistics of all parts, with 1, 3 and 4 ranks.
sync='-m resnet20 --sync-batch-norm --stop-after 2'
# shellcheck disable=SC2086
for ranks in 0 1 3 4; do
    train $ranks "sync$ranks" $sync --micro-batches 4
    same sync0 "sync$ranks"
done
# shellcheck disable=SC2086
train 0 apart -m resnet20 --stop-after 2 --micro-batches 4
cmp -s "$scratch/sync0.npz" "$scratch/apart.npz" && { echo "--sync-batch-norm changes nothing"; exit 1; }

# A rank with another option is named, and so is one with other data.
"$launch" 1 "$atled" train -m cifar10 -d "$data" -q -b 24 --steps 2 --stop-after 1 --rate 0.1 \
    -o "$scratch/w.npz" : -n 1 "$atled" train -m cifar10 -d "$data" -q -b 24 --steps 2 --stop-after 1 --rate 0.2 \
    -o "$scratch/w.npz" >"$scratch/other.log" 2>&1
code=$?
if [ $code != 2 ] || ! grep -q "rank 1 on .*--rate 0.2.*but rank 0 has .*--rate 0.1" "$scratch/other.log"; then
    echo "a rank with another option ends with $code:"
    cat "$scratch/other.log"
    exit 1
fi
# refused WHAT OPTION...: the ranks, in the folders 0 and 1, do not train together, because that differs.
refused() {
    what=$1
    shift
    "$launch" 2 sh -c 'cd "$1/${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" && shift && exec "$@"' sh "$scratch" \
        ./atled train "$@" -q -b 24 --steps 2 --stop-after 1 -o "$scratch/w.npz" \
        >"$scratch/other.log" 2>&1
    code=$?
    if [ $code != 2 ] || ! grep -q "rank 1 on .*$what: .*but rank 0 has" "$scratch/other.log"; then
        echo "a rank with another $what ends with $code:"
        cat "$scratch/other.log"
        exit 1
    fi
}
for rank in 0 1; do
    mkdir "$scratch/$rank" && ln -s "$data"/*.bin "$scratch/$rank" &&
        ln -s "$(realpath "$atled")" "$scratch/$rank/atled" || exit 1
done
# Another last image.
last=$(printf '%s\n' "$data"/data_batch_*.bin | tail -n 1)
rm "$scratch/1/${last##*/}"
head -c -1 "$last" >"$scratch/1/${last##*/}" && printf 'x' >>"$scratch/1/${last##*/}" || exit 1
refused "training data" -m cifar10 -d .
# The same numbers in another file: its producer has another name.
models=$(dirname "$0")/../../models
"$atled" export -m cifar10 -w "$models/cifar10.npz" -o "$scratch/0/net.onnx" >"$scratch/export.log" 2>&1 || exit 1
LC_ALL=C sed 's/atled/Atled/' "$scratch/0/net.onnx" >"$scratch/1/net.onnx"
refused network -m net.onnx -d "$data"
# The same command but for a byte at its end.
rm "$scratch/1/atled"
cp "$atled" "$scratch/1/atled" && echo >>"$scratch/1/atled" || exit 1
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$(realpath "$atled")")/..
export LD_LIBRARY_PATH
refused build -m cifar10 -d "$data"
echo "1, 2, 3 and 4 ranks, one process, and 2 ranks followed by 4: the same bits"
