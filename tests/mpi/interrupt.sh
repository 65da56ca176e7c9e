#!/bin/sh
# interrupt.sh LAUNCH ATLED DATA SCRATCH: Ctrl-C on the launcher saves, also in the middle of a long step, though the
# launcher kills the ranks soon after.
. "$(dirname "$0")/arguments.sh"

# interrupt BATCH: in the second step.
interrupt() {
    batch=$1
    rm -f "$scratch"/*.npz
    set -- "$launch" 2 "$atled" train -m cifar10 -d "$data" -b "$1" --steps 1000 --micro-batches 2 \
        --checkpoint "$scratch/c.npz" -o "$scratch/w.npz"
    "$@" >"$scratch/log" 2>&1 &
    job=$!
    await_step
    kill -INT "$job"
    wait $job
    for file in c w; do
        [ -s "$scratch/$file.npz" ] || { echo "batch $batch: nothing is saved"; cat "$scratch/log"; exit 1; }
    done
    "$@" --resume "$scratch/c.npz" --stop-after 3 >"$scratch/log" 2>&1
    grep -q "stopped after [1-9]" "$scratch/log" || { cat "$scratch/log"; exit 1; }
}

interrupt 4096
interrupt 8
echo "saved in the middle of a step"
