#!/bin/sh
# summary.sh SOURCE SCRATCH: tests/summary.sh counts what passes, fails and is skipped, with the words of each test.
source=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch/results"
cat >"$scratch/test.log" <<'END'
1/4 atled:one / one_criterion        OK              0.10s
2/4 atled:mpi / needs_data           SKIP            0.01s   exit status 77
3/4 atled:mpi / says_nothing         SKIP            0.01s   exit status 77
4/4 atled:checks / check_something   FAIL            0.20s   exit status 1
Full log written to testlog.txt
END
cat >"$scratch/results/testlog.txt" <<'END'
==================================== 1/4 ====================================
test:         atled:one / one_criterion
result:       exit status 0
----------------------------------- stdout -----------------------------------
not the reason
==================================== 2/4 ====================================
test:         atled:mpi / needs_data
start time:   14:35:09
duration:     0.01s
result:       exit status 77
command:      data.sh
----------------------------------- stdout -----------------------------------
an earlier line
the cat's data is missing: set ATLED_DATA
==============================================================================

==================================== 3/4 ====================================
test:         atled:mpi / says_nothing
result:       exit status 77
command:      nothing.sh
==============================================================================

==================================== 4/4 ====================================
test:         atled:checks / check_something
result:       exit status 1
command:      something.sh
----------------------------------- stdout -----------------------------------
it is broken
==============================================================================
END
cat >"$scratch/results/one_criterion.tap" <<'END'
TAP version 13
1..3
ok - one::passes  (0.01s)
ok - one::is_skipped  # SKIP no cat
not ok - one::fails  (0.01s)
END
if "$source/tests/summary.sh" "$scratch" >"$scratch/said.txt"; then
    echo "a failure was not told by the exit code"
    exit 1
fi

failed=0
# says LINE: a whole line, but for spaces before it
says() {
    sed 's/^ *//' "$scratch/said.txt" | grep -qxF -- "$1" || { echo "not said: $1"; failed=1; }
}
says "skipped needs_data: the cat's data is missing: set ATLED_DATA"
says "skipped says_nothing: it printed no reason"
says "skipped one::is_skipped: no cat"
says "FAILED  one::fails"
says "FAILED  check_something (FAIL)"
says "it is broken"
says "1 passed, 2 failed, 3 skipped"
[ $failed = 0 ] || cat "$scratch/said.txt"
exit $failed
