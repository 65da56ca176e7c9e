#!/usr/bin/env bash
# summary.sh BUILD...: counts what the tests of these build folders really did, after `meson test >BUILD/test.log`.
#
# A Criterion test counts each of its cases, from results/NAME.tap; any other test counts as one.  A sanitizer's report
# (results/NAME.sanitizer.*) is a failure, because Criterion ignores the exit codes of the processes of its cases.
set -u
export LC_ALL=C

# The lines of Meson's log as "name result seconds", in order of name.
tests_of() {
    local results='OK\|FAIL\|ERROR\|SKIP\|TIMEOUT\|EXPECTEDFAIL\|UNEXPECTEDPASS\|INTERRUPT'
    sed -nE 's|^ *[0-9]+/[0-9]+ .*[ /]([^ /]+) +('"$results"') +([0-9.]+)s.*|\1 \2 \3|p' "$1" | sort -u
}

# skip_reason BUILD TEST: the last line that a test has printed before it left with exit code 77.
skip_reason() {
    [ -f "$1/results/testlog.txt" ] || return 0
    awk -v name="$2" '
        function end() { if (skipped && last != "") print last; last = ""; skipped = 0 }
        /^=+ [0-9]+\/[0-9]+ =+$/ { end(); next }
        /^test: / { mine = $NF == name; next }
        !mine { next }
        /^result: / { skipped = /exit status 77$/; next }
        /^(start time|duration|command):|^[-=]+( (stdout|stderr) -+)?$|^[[:space:]]*$/ { next }
        { last = substr($0, 1, 300) }
        END { end() }' "$1/results/testlog.txt" | tail -n 1
}

# Prints the line of each test, and "@ passed skipped" and "! failure" lines for the end.
count() {
    local build=$1 name result seconds tap reason
    tests_of "$build/test.log" | while read -r name result seconds; do
        tap=$build/results/$name.tap
        [ -f "$tap" ] || tap=/dev/null
        reason=
        [ "$result" != SKIP ] || [ "$tap" != /dev/null ] || reason=$(skip_reason "$build" "$name")
        reason=${reason:-it printed no reason} awk -v name="$name" -v result="$result" -v seconds="$seconds" \
            -v criterion="$([ "$tap" = /dev/null ] || echo 1)" '
            function fail(text) { bad[++failed] = text }
            /^(not )?ok([ -]|$)/ {
                not_ok = /^not/; line = $0
                sub(/^(not )?ok *-? */, "", line)
                split(line, word, " ")
                if (match(line, /# *[Ss][Kk][Ii][Pp]/)) {
                    left[++skipped] = word[1] ": " substr(line, RSTART + RLENGTH + 1)
                } else if (not_ok) fail(word[1])
                else passed++
            }
            END {
                if (!criterion && result == "OK") passed = 1
                if (!criterion && result == "SKIP") left[++skipped] = name ": " ENVIRON["reason"]
                if (result != "OK" && result != "SKIP" && !failed) fail(name " (" result ")")
                if (criterion && result == "OK" && passed + skipped == 0) fail(name " (nothing ran)")
                printf "  %-34s %6d passed %4d failed %4d skipped %8.1f s\n", name, passed, failed, skipped, seconds
                for (i = 1; i <= failed; i++) printf "      FAILED  %s\n! %s\n", bad[i], bad[i]
                for (i = 1; i <= skipped; i++) printf "      skipped %s\n", left[i]
                printf "@ %d %d\n", passed, skipped
            }' "$tap"
    done
    # The sanitizers also write warnings, about refused allocations, which do not count.
    grep -HEm1 'ERROR|runtime error|SUMMARY|WARNING: Thread' "$build"/results/*.sanitizer.* 2>/dev/null |
        sed -e 's/^/      FAILED  /p' -e 's/^      FAILED  /! /'
}

# failed_output BUILD: of what each test that failed has printed, Criterion's messages, or else the last lines.
failed_output() {
    [ -f "$1/results/testlog.txt" ] || return 0
    awk -v most=15 '
        function end() {
            if (bad) for (i = 1; i <= told && i <= most; i++) print "    " message[i]
            if (bad && !told) for (i = count > most ? count - most + 1 : 1; i <= count; i++) print "    " line[i]
            count = told = bad = 0
        }
        /^=+ [0-9]+\/[0-9]+ =+$/ { end(); next }
        /^test: / { name = $NF; next }
        /^result: / { bad = !/exit status (0|77)$/; if (bad) printf "\n  %s:%s\n", name, substr($0, 8) }
        /^(start time|duration|result|command):|^[-=]+( (stdout|stderr) -+)?$|^$/ { next }
        /^\[(----|FAIL)\]/ { message[++told] = substr($0, 1, 300) }
        { line[++count] = substr($0, 1, 300) }
        END { end() }' "$1/results/testlog.txt"
}

report= totals=
for build in "$@"; do
    part=$(
        printf '\n%s\n' "$build"
        if [ -s "$build/test.log" ] && [ -n "$(tests_of "$build/test.log")" ]; then
            count "$build"
            grep -q '^Full log written' "$build/test.log" ||
                printf '! %s: the tests were cut short (see %s/test.log)\n' "$build" "$build"
        else
            printf '! %s: no test was run (see %s/test.log)\n' "$build" "$build"
        fi
    )
    report+=$part$'\n'
    totals+=$(awk -v build="$build" '
        /^@/ { passed += $2; skipped += $3 } /^!/ { failed++ }
        END { printf "%-24s %6d passed %4d failed %4d skipped", build, passed, failed, skipped }' <<<"$part")$'\n'
done
grep -v '^[@!]' <<<"${report%$'\n'}"
failed=$(grep -c '^!' <<<"$report")
if [ "$failed" -gt 0 ]; then
    printf '\nFailed:\n'
    sed -n 's/^! /  /p' <<<"$report"
    for build in "$@"; do failed_output "$build"; done
    echo "The output of each test is in BUILD/results/testlog.txt"
fi
read -r passed skipped < <(
    awk '/^@/ { passed += $2; skipped += $3 } END { print passed + 0, skipped + 0 }' <<<"$report"
)
[ "$#" -lt 2 ] || printf '\n%s' "$totals"
[ -z "${ISAS:-}" ] || printf '\n%s\n' "$ISAS"
printf '\n%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
