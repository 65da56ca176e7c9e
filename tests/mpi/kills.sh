#!/bin/sh
# kills.sh LAUNCH ATLED DATA SCRATCH TIMES: by hand. Kills a random rank of a training at a random moment, so often, and
# goes on from the last checkpoint with another number of ranks.  The others must end within 30 seconds, the checkpoint
# must be whole, and the end must have the bits of a training that nobody disturbed.
launch=$1 atled=$2 data=$3/cifar10 scratch=$4 times=$5
rm -rf "$scratch"
mkdir -p "$scratch"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS

# train RANKS NAME STEPS OPTION...
train() {
    ranks=$1 name=$2 steps=$3
    shift 3
    "$launch" "$ranks" "$atled" train -m cifar10 -d "$data" -q -b 8 --flip --steps 100000 --stop-after "$steps" \
        --save-every 2 --checkpoint "$scratch/$name.npz" -o "$scratch/$name.weights.npz" "$@"
}

steps=$((10 * times)) killed=0
train 1 undisturbed $steps >"$scratch/undisturbed.log" 2>&1
while [ $killed -lt "$times" ]; do
    resume=''
    [ ! -e "$scratch/disturbed.npz" ] || resume="--resume $scratch/disturbed.npz"
    ranks=$(awk -v n="$killed" -v p="$$" 'BEGIN { srand(n * 31 + p); print 2 + int(rand() * 3) }')
    # shellcheck disable=SC2086
    train "$ranks" disturbed $steps $resume >"$scratch/$killed.log" 2>&1 &
    job=$!
    sleep "$(awk -v n="$killed" -v p="$$" 'BEGIN { srand(n * 7919 + p); printf "%.3f", 2 + rand() * 6 }')"
    pids=$(pgrep -f "$atled train .*$scratch/disturbed.npz" | xargs -r ps -o pid=,comm= -p | awk '$2 == "atled"')
    rank=$(echo "$pids" | awk -v n="$killed" -v p="$$" '
        BEGIN { srand(n * 17 + p) }
        { pid[NR] = $1 }
        END { print pid[1 + int(rand() * NR)] }')
    [ -n "$rank" ] && kill -9 "$rank" 2>/dev/null || { wait $job; break; }
    began=$(date +%s)
    wait $job
    [ $(($(date +%s) - began)) -le 30 ] || { echo "kill $killed: the others took more than 30 seconds to end"; exit 1; }
    killed=$((killed + 1))
done
train 2 disturbed $steps ${resume:+--resume "$scratch/disturbed.npz"} >"$scratch/last.log" 2>&1
grep -q "all .* steps are done\|stopped after" "$scratch/last.log" || { cat "$scratch/last.log"; exit 1; }
cmp "$scratch/undisturbed.npz" "$scratch/disturbed.npz" || exit 1
echo "$killed kills: the others ended within 30 seconds, and the end has the same bits"
