#!/bin/sh
# cxx.sh SOURCE BUILD SCRATCH: C++17 programs compile with each C++ compiler at hand, and run: one with the
# C headers, and those with the handles of atled.hpp.
source=$1 build=$2 scratch=$3 status=0 tried=0
mkdir -p "$scratch"
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    tried=1
    # Options by name are C++20, and taken by both as C++17, too.
    quiet=-Wno-missing-field-initializers
    [ "$compiler" = clang++ ] && quiet="$quiet -Wno-c++20-designator -Wno-c99-designator"
    for program in tests/checks/cxx_program tests/checks/cxx_handles examples/first_gradient; do
        made=$scratch/$compiler-$(basename "$program")
        "$compiler" -std=c++17 -Wall -Wextra -Werror $quiet -I "$source/include" "$source/$program.cpp" \
            -o "$made" -L "$build" -latled &&
            LD_LIBRARY_PATH=$build "$made" || status=1
    done
done
[ $tried = 1 ] || { echo "skipped: neither g++ nor clang++ is installed"; exit 77; }
exit $status
