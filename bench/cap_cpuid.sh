#!/bin/sh
# cap_cpuid.sh LIBRARY TOOL: under cap_cpuid.so the tool, and what is started by a command, finds a processor of that
# instruction set, and a command that cannot be capped does not run.  Skipped where the kernel cannot do it.
library=$1 tool=$2
grep -qw cpuid_fault /proc/cpuinfo || exit 77
best=$("$tool" --version | sed -n 's/.* of a processor with //p')
failed=0

check() { # CAP_ISA, the instruction set that the tool has to find
    found=$(LD_PRELOAD=$library CAP_ISA=$1 sh -c '"$0" --version' "$tool" | sed -n 's/.* of a processor with //p')
    [ "$found" = "$2" ] || { echo "CAP_ISA=$1: the tool finds $found, not $2" && failed=1; }
}

[ "$best" = generic ] || check avx2 avx2
check sse4 generic
LD_PRELOAD=$library CAP_ISA=avx "$tool" --version >/dev/null 2>&1
status=$?
[ "$status" = 125 ] || { echo "CAP_ISA=avx: status $status, not 125" && failed=1; }
exit "$failed"
