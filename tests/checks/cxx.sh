#!/bin/sh
# cxx.sh SOURCE BUILD SCRATCH: a C++17 program that uses lists, feeds and options compiles with each C++ compiler at hand, and runs.
source=$1 build=$2 scratch=$3 status=0 tried=0
mkdir -p "$scratch"
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    tried=1
    # Options by name are C++20, and taken by both as C++17, too.
    quiet=-Wno-missing-field-initializers
    [ "$compiler" = clang++ ] && quiet="$quiet -Wno-c++20-designator -Wno-c99-designator"
    "$compiler" -std=c++17 -Wall -Wextra -Werror $quiet -I "$source/include" "$source/tests/checks/cxx_program.cpp" \
        -o "$scratch/$compiler" -L "$build" -latled && LD_LIBRARY_PATH=$build "$scratch/$compiler" || status=1
done
[ $tried = 1 ] || { echo "skipped: neither g++ nor clang++ is installed"; exit 77; }
exit $status
