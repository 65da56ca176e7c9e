#!/bin/sh
# kills.sh LAUNCH ATLED DATA SCRATCH TIMES: kills or stops a random rank of a training at a random moment, so often, and
# goes on from the last checkpoint with another number of ranks.  The others must end within 30 seconds, the checkpoint
# must be whole, and each end must have the bits of a training that nobody disturbed.
times=$5
. "$(dirname "$0")/arguments.sh"
seed=${SEED:-$$}
echo "SEED=$seed"

# random N LEAST BELOW: the N-th number, the same for the same seed
random() {
    awk -v n="$1" -v s="$seed" -v a="$2" -v b="$3" 'BEGIN { srand(n * 7919 + s); rand(); print a + rand() * (b - a) }'
}

# train RANKS NAME STEPS OPTION...
train() {
    ranks=$1 name=$2 steps=$3
    shift 3
    "$launch" "$ranks" "$atled" train -m cifar10 -d "$data" -q -b 8 --flip --steps 100000 --stop-after "$steps" \
        --save-every 2 --checkpoint "$scratch/$name.npz" -o "$scratch/$name.weights.npz" "$@"
}

fail() {
    echo "kill $killed: $1"
    cat "$log"
    exit 1
}

# The ranks, without their launcher.
ranks_of() {
    pgrep -f "$atled train .*$scratch/disturbed.npz" | xargs -r ps -o pid=,comm= -p | awk '$2 == "atled" { print $1 }'
}

steps=24 killed=0 stopped=0 named=0 resumed=0 finished=0
before=$(date +%s.%N)
train 1 undisturbed $steps >"$scratch/undisturbed.log" 2>&1
# The latest moment, in seconds: with several ranks it takes longer, and on a busy machine as many times as long.
latest=$(date +%s.%N | awk -v before="$before" '{ print 2 * ($1 - before) }')

# The training has come to its end: a new one begins.
finish() {
    grep -q "stopped after" "$1" || { cat "$1"; exit 1; }
    cmp "$scratch/undisturbed.npz" "$scratch/disturbed.npz" || exit 1
    rm "$scratch/disturbed.npz"
    finished=$((finished + 1))
}

turn=0
while [ $killed -lt "$times" ]; do
    resume='' turn=$((turn + 1)) log=$scratch/turn.log
    [ ! -e "$scratch/disturbed.npz" ] || resume="--resume $scratch/disturbed.npz"
    ranks=$(random $((5 * turn)) 2 5 | cut -d. -f1)
    # shellcheck disable=SC2086
    ATLED_RANK_PATIENCE=5 train "$ranks" disturbed $steps $resume >"$log" 2>&1 &
    job=$!
    sleep "$(random $((5 * turn + 1)) 0.3 "$latest")"
    rank=$(ranks_of | awk -v r="$(random $((5 * turn + 2)) 0 1)" '
        { pid[NR] = $1 }
        END { print pid[1 + int(r * NR)] }')
    signal=$(random $((5 * turn + 3)) 0 2 | awk '{ print $1 < 1 ? "KILL" : "STOP" }')
    [ -n "$rank" ] && kill "-$signal" "$rank" 2>/dev/null || rank=''
    began=$(date +%s) limit=''
    if [ -n "$rank" ]; then
        (sleep 60; ranks_of | xargs -r kill -9) 2>/dev/null &
        limit=$!
    fi
    wait $job
    [ -z "$limit" ] || kill $limit
    [ -z "$rank" ] || [ $(($(date +%s) - began)) -le 30 ] || fail "the others took more than 30 seconds to end"
    if grep -q "stopped after" "$log"; then # it had ended by itself, or nearly so
        finish "$log"
        continue
    fi
    [ -n "$rank" ] || fail "nobody was killed"
    killed=$((killed + 1))
    [ $signal = KILL ] || stopped=$((stopped + 1))
    [ -z "$resume" ] || resumed=$((resumed + 1))
    grep -q "has not answered" "$log" && named=$((named + 1))
done
if [ -e "$scratch/disturbed.npz" ]; then
    train 2 disturbed $steps --resume "$scratch/disturbed.npz" >"$scratch/last.log" 2>&1
    finish "$scratch/last.log"
fi
echo "$killed kills, $stopped of them by SIGSTOP, of which $named were named; $resumed of a training that was resumed:"
echo "the others ended within 30 seconds, and $finished trainings ended with the bits of one that nobody disturbed"
