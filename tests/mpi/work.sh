#!/bin/sh
# work.sh LAUNCH ATLED MODELS SCRATCH STOP_AT_END: atled attack, explain and eval as 1, 2 and 4 ranks write what one
# process writes, also when a rank stops answering.  STOP_AT_END: the library of stop_at_end.c.
launch=$1 atled=$(realpath "$2") scratch=$4 stop_at_end=$5
ATLED_MODELS=$3
OMP_NUM_THREADS=1
export ATLED_MODELS OMP_NUM_THREADS
command -v mpirun >/dev/null || { echo "mpirun is missing: install openmpi-bin or mpich"; exit 77; }
rm -rf "$scratch"
mkdir -p "$scratch/data" && cd "$scratch" || exit 1
failed=0

fail() {
    echo "work.sh: $1"
    failed=1
}

# Both are the same but for times.
same_text() {
    for file in "$1" "$2"; do
        # Some launchers say on standard output, too, that a rank has exited with 1.
        sed 's/[0-9.]* s\b/T s/g; /^seconds /d; /^----/,$d' "$file" >"$file.same"
    done
    diff "$1.same" "$2.same" || fail "$1 and $2 differ"
}

# Ten small pictures, and a data set of them, by class.
"$atled" fool -m cifar10 -t all --iterations 2 -o p.png -q >/dev/null 2>&1
for i in 0 1 2 3 4 5 6 7 8 9; do
    mkdir -p "data/$((i % 5))" && cp "p-$i.png" "data/$((i % 5))/" || exit 1
done

attack() { "$@" attack -m cifar10 p-*.png --eps 3/255 --steps 5 -q -o out; }
explain() { "$@" explain p-*.png --method gradient,occlusion --curves -q -o out; }
eval_() { "$@" eval -m cifar10 -d data -b 2 --confusion; }
fool() {
    mkdir -p out
    "$@" fool -m cifar10 -t all --iterations 40 -q -o out/f.png >out/text
    ended=$?
    sed 's/ ([0-9.]* s.*)//' out/text
    rm out/text
    return $ended
}

for command in attack explain fool eval_; do
    rm -rf out
    "$command" "$atled" >whole.txt 2>whole.err
    code=$?
    [ -d out ] && rm -rf whole && mv out whole
    for ranks in 1 2 4; do
        "$command" "$launch" "$ranks" "$atled" >ranks.txt 2>ranks.err
        found=$?
        [ $found = $code ] || { fail "$command with $ranks ranks exits with $found, not $code"; cat ranks.err; }
        same_text whole.txt ranks.txt
        [ $command = eval_ ] || diff -r whole out || fail "$command with $ranks ranks writes other files"
        rm -rf out
    done
done

# Rank 1 of 3 stops, or is killed, when there are files: the others do its part.
cat >ending.sh <<'END'
#!/bin/sh
signal=$1
shift
[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ] || exec "$@"
rank=$$
(until [ -n "$(ls out 2>/dev/null)" ]; do sleep 0.1; done; kill "-$signal" $rank) &
exec "$@"
END
chmod +x ending.sh
ATLED_RANK_PATIENCE=3
export ATLED_RANK_PATIENCE
"$atled" explain p-*.png --method occlusion --stride 1 -q -o whole-2 >whole.txt
for signal in STOP KILL; do
    GO_ON=''
    [ $signal = STOP ] || GO_ON=yes
    export GO_ON
    rm -rf out
    timeout 100 "$launch" 3 ./ending.sh $signal "$atled" explain p-*.png --method occlusion --stride 1 -q -o out \
        >ranks.txt 2>ranks.err
    sed 's, out/, whole-2/,' ranks.txt >ranks-2.txt
    same_text whole.txt ranks-2.txt
    grep -q '1 of 3 ranks did not answer' ranks.err || { fail "after $signal no rank is lost:"; cat ranks.err; }
    # The rank may have been ended while it wrote: its temporary file has a name that begins with a dot.
    diff -r -x '.*' whole-2 out || fail "without rank 1 ($signal), other files are written"
done
GO_ON=''

# Rank 1 is stopped before MPI's start: the others say that they wait.
cat >late.sh <<'END'
#!/bin/sh
[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ] && kill -STOP $$
exec "$@"
END
chmod +x late.sh
ATLED_RANK_PATIENCE=1 timeout 100 "$launch" 2 ./late.sh "$atled" attack -m cifar10 p-0.png --eps 3/255 -q \
    >ranks.txt 2>ranks.err && fail "without rank 1, it did not fail"
grep -q "rank 0 on .* has waited too long in MPI's start" ranks.err ||
    { fail "rank 0 does not say that it waits:"; cat ranks.err; }

# Rank 1 is stopped in MPI's end: all is done, and the others do not wait for ever.
rm -rf out
attack "$atled" >whole.txt 2>whole.err
rm -rf whole && mv out whole
ATLED_RANK_PATIENCE=1 attack timeout 100 "$launch" 2 env "LD_PRELOAD=$stop_at_end" "$atled" >ranks.txt 2>ranks.err &&
    fail "with rank 1 stopped in MPI's end, it did not fail"
grep -q "rank 0 on .* has waited too long in MPI's end" ranks.err ||
    { fail "rank 0 does not say that it waits in the end:"; cat ranks.err; }
grep -q "rank 1 on .* has waited" ranks.err && fail "rank 1, which was stopped, says that it has waited"
same_text whole.txt ranks.txt
diff -r whole out || fail "with rank 1 stopped in MPI's end, other files are written"

# One rank with another option, or of another build: all end, and say so.
cp "$atled" other_build && echo >>other_build || exit 1
cat >other.sh <<'END'
#!/bin/sh
what=$1
shift
[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ] || exec "$@"
[ "$what" = build ] || exec "$@" --confidence 2
shift
exec ./other_build "$@"
END
chmod +x other.sh
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$atled")/..
export LD_LIBRARY_PATH
for what in confidence build; do
    "$launch" 2 ./other.sh $what "$atled" attack -m cifar10 p-0.png --eps 3/255 -q >ranks.txt 2>ranks.err &&
        fail "with another $what it did not fail"
    grep -q "rank 1 on .*$what" ranks.err || { fail "rank 1, of another $what, is not named:"; cat ranks.err; }
done
exit $failed
