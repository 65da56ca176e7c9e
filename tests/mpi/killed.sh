#!/bin/sh
# killed.sh LAUNCH ATLED DATA SCRATCH: when a rank of a training is killed, the launcher's message and what rank 0 has
# printed name it.
. "$(dirname "$0")/arguments.sh"

# Rank 1 writes its process into a file.
# shellcheck disable=SC2016
"$launch" 3 sh -c 'file=$1 && shift
    [ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || echo $$ >"$file"
    exec "$@"' sh "$scratch/process" "$atled" train -m cifar10 -d "$data" -b 8 --steps 100000 \
    -o "$scratch/w.npz" >"$scratch/log" 2>&1 &
job=$!
await_step
process=$(cat "$scratch/process")
kill -9 "$process"
wait $job
# Open MPI's launcher knows the rank.  MPICH's tells the process, and rank 0 at the start whose it is.
grep -q "rank 1 with PID" "$scratch/log" && exit 0
grep -q "PID $process RUNNING AT" "$scratch/log" && grep -q "rank 1 is process $process on" "$scratch/log" && exit 0
echo "rank 1, process $process, was killed, but is not named:"
cat "$scratch/log"
exit 1
