#!/bin/sh
# same_bits.sh PROGRAM: the same bits for the same number of threads: in two runs of a process (PROGRAM checks it), and
# in two processes, for every setting of OpenMP.
for threads in 1 2 3; do
    OMP_NUM_THREADS=2 "$1" $threads >"$2.$threads.first" && OMP_NUM_THREADS=1 "$1" $threads >"$2.$threads.second" || {
        cat "$2.$threads."*
        exit 1
    }
    cmp "$2.$threads.first" "$2.$threads.second" || exit 1
    echo "$threads threads:"
    cat "$2.$threads.first"
done
