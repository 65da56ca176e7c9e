#!/bin/sh
# kill_while_saving.sh SAVER SCRATCH: kills a program that saves its weights, 200 times at random moments; the file can
# be loaded every time, and is from one save.  At least a tenth must hit a save, or nothing was tested: those leave an
# unfinished file
# behind, which the next run removes: at the end there is at most the last one's.
saver=$1 scratch=$2 times=200 killed=0 hits=0
rm -rf "$scratch"
mkdir -p "$scratch"
file=$scratch/weights.npz

while [ $killed -lt $times ]; do
    "$saver" save "$file" &
    pid=$!
    # Until there is a first file; then 0 to 40 milliseconds, from the seed of the shell's own process.
    while [ ! -e "$file" ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
    sleep "$(awk -v n="$killed" -v p="$$" 'BEGIN { srand(n * 7919 + p); printf "%.4f", rand() * 0.04 }')"
    kill -9 $pid || {
        echo "the program that saves ended by itself"
        exit 1
    }
    wait $pid 2>/dev/null
    killed=$((killed + 1))
    left=$(find "$scratch" -name '.weights.npz.*' | wc -l)
    hits=$((hits + left))
    [ "$left" -le 1 ] || {
        echo "after $killed kills $left unfinished files are left: the next run does not remove them"
        exit 1
    }
    "$saver" check "$file" >"$scratch/first" || {
        echo "after $killed kills the file cannot be loaded"
        exit 1
    }
done
[ "$hits" -ge $((times / 10)) ] || {
    echo "only $hits of $killed kills came while a file was being written"
    exit 1
}
echo "$killed kills: a whole file every time; $hits came while it was written, and the next run removed what they left"
rm -rf "$scratch"
