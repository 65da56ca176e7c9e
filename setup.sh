#!/usr/bin/env bash
# ./setup.sh demo | test | coverage | bench | help: installs what is missing, builds, and runs. See `./setup.sh help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Debian 12's names. Elsewhere they are printed, for the user to find.
tools=(gcc libc6-dev meson ninja-build pkg-config)
libraries=(libdnnl-dev uthash-dev libzip-dev zlib1g-dev libpng-dev libjpeg-dev libcairo2-dev libgraphviz-dev
    libjansson-dev nettle-dev)
for_tests=(libcriterion-dev)
# Without them a few tests are skipped.
for_some_tests=(g++ clang-format graphviz fonts-dejavu-core libonnx-testdata libopenmpi-dev openmpi-bin)
for_page_tests=(chromium tidy doxygen)

help() {
    cat <<'TEXT'
usage: ./setup.sh COMMAND
  demo    build, then draw pictures that fool the network that ships with atled (needs no data, no network)
  test    build, and run every test, plainly and under the address and undefined-behaviour sanitizers; the tests of
          computing also for each lower instruction set (ATLED_ISA), and with clang, where it is installed; and
          programs run by several threads at once under the thread sanitizer. docs/testing.md tells what runs where
  coverage [TEST...]
          build for gcov, run the tests (or those named), and print which share of the lines and branches of src
          and tools they run; ATLED_ISA=avx2 counts as on a processor without AVX-512
  bench   build the benchmarks and run them, as docs/performance.md tells:
          `PYTHON="PYTHON..." ./setup.sh bench [--quick] [CASE...]`
  help    this text
Each installs what is missing with apt (sudo is used where needed); on other systems it names the packages and stops.
Environment: JOBS=N processes at once (all processors); CI=1 makes warnings errors; ATLED_DATA=DIR the shared data;
ATLED_SEED=N the tests' seed; SANITIZERS=no leaves the sanitizers out of `test`; PACKAGES=installed: do not look.
TEXT
}

# With the minutes and seconds since the start.
say() { printf '\n== %s (%d:%02d)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)) >&2; }
fail() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

# ---- packages -------------------------------------------------------------------------------------------------------

# missing PACKAGE...: those that are not installed
missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || printf '%s\n' "$package"
    done
}

# As root, without questions, waiting while another program holds the package database.
apt() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

# The lists have a lock of their own, for which apt-get does not wait.
update_lists() {
    local try
    for try in 1 2 3 4 5 6; do
        apt update && return
        say "the package lists could not be read (try $try); again in 10 s"
        sleep 10
    done
    return 1
}

# The packages' names elsewhere, in the order Debian, Fedora, Arch, Alpine, macOS (Homebrew). "-": comes with another
# one; "!": there is no package.
names_elsewhere='
gcc gcc gcc build-base gcc
libc6-dev glibc-devel - musl-dev -
meson meson meson meson meson
ninja-build ninja-build ninja samurai ninja
pkg-config pkgconf-pkg-config pkgconf pkgconf pkgconf
libdnnl-dev onednn-devel onednn one-dnn-dev onednn
uthash-dev uthash-devel uthash uthash-dev uthash
libzip-dev libzip-devel libzip libzip-dev libzip
zlib1g-dev zlib-devel zlib zlib-dev zlib
libpng-dev libpng-devel libpng libpng-dev libpng
libjpeg-dev libjpeg-turbo-devel libjpeg-turbo libjpeg-turbo-dev jpeg-turbo
libcairo2-dev cairo-devel cairo cairo-dev cairo
libgraphviz-dev graphviz-devel graphviz graphviz-dev graphviz
libjansson-dev jansson-devel jansson jansson-dev jansson
nettle-dev nettle-devel nettle nettle-dev nettle
libcriterion-dev ! criterion ! criterion
'

# command_on SYSTEM COLUMN COMMAND PACKAGE...: what installs there what Debian calls so, and what has to be built
command_on() {
    awk -v line="$1 $3" -v column="$2" -v wanted=" ${*:4} " '
        !index(wanted, " " $1 " ") || $column == "-" { next }
        $column == "!" { lacking = lacking " " $1; next }
        { line = line " " $column }
        END {
            print "  " line
            if (lacking) print "           (no package of what Debian calls" lacking ")"
        }
    ' <<<"$names_elsewhere"
}

# how_to_install PACKAGE...: the command of each system
how_to_install() {
    command_on 'Fedora: ' 2 'dnf install' "$@"
    command_on 'Arch:   ' 3 'pacman -S' "$@"
    command_on 'Alpine: ' 4 'apk add' "$@"
    echo '           (one-dnn-dev is in "testing" of Alpine edge only)'
    command_on 'macOS:  ' 5 'brew install bash libomp' "$@"
}

# need PACKAGE...: installed, or the end
need() {
    [ "${PACKAGES:-}" != installed ] || return 0
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "please install these packages:
$(how_to_install "$@")
Then tell me that they are there: PACKAGES=installed ./setup.sh ..."
    local wanted
    mapfile -t wanted < <(missing "$@")
    [ "${#wanted[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "please install, as root: apt-get install ${wanted[*]}"
    say "installing ${wanted[*]}"
    install "${wanted[@]}" || fail "these packages could not be installed: ${wanted[*]}"
}

# The package lists may be missing, or too old to be true.
install() {
    apt install --no-install-recommends "$@" || { update_lists && apt install --no-install-recommends "$@"; }
}

# like PACKAGE...: installed, if that can be done
like() {
    [ "${PACKAGES:-}" != installed ] || return 0
    local wanted
    mapfile -t wanted < <(missing "$@")
    [ "${#wanted[@]}" = 0 ] || install "${wanted[@]}" || say "going on without ${wanted[*]}"
}

# ---- building --------------------------------------------------------------------------------------------------------

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}

# build FOLDER OPTION...: configured (again: files may have been added), and built; only $TARGETS of it if that is set
build() {
    local folder=$1 options=("${@:2}") log
    [ -f "$folder/build.ninja" ] && options+=(--reconfigure)
    say "building in $folder"
    mkdir -p "$folder"
    log=$folder/setup.log
    meson setup "$folder" "${options[@]}" </dev/null >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "meson could not configure $folder"
    }
    ninja -C "$folder" -j "$jobs" ${TARGETS:-} >"$log" 2>&1 </dev/null || {
        grep -A 20 -m 3 -E '^FAILED|error:' "$log" >&2 || tail -n 40 "$log" >&2
        fail "building failed; all of it is in $log"
    }
}

werror=()
[ -z "${CI:-}" ] || werror=(-Dwerror=true)

# ---- the commands ----------------------------------------------------------------------------------------------------

# run_tests FOLDER MESON-OPTION...: what fails is counted by summary.sh
run_tests() {
    local folder=$1
    rm -rf "$folder/results" "$folder/scratch" "$folder/derivatives" "$folder/meson-logs/testlog.json"
    mkdir -p "$folder/results"
    say "testing in $folder"
    # Half as many again as processors: some tests wait for files, for a browser or for other processes.
    meson test -C "$folder" --no-rebuild --num-processes $((jobs + (jobs + 1) / 2)) "${@:2}" \
        </dev/null >"$folder/test.log" 2>&1 || true
    cp "$folder/meson-logs/testlog.txt" "$folder/results/" || true
}

# The suites that touch computing. The suite of kernels runs each of them for every instruction set, anyway.
computing=(ops battery compiler program models onednn cost)
# What another compiler and its OpenMP may make of the library's arithmetic; the rest, which reads, writes and draws, is
# the same C.
by_clang=("${computing[@]}" kernels lowering graph autodiff train attack explain distributed common)

# test_programs FOLDER SUITE...: what has to be built for these suites
test_programs() {
    local suites
    suites=$(IFS='|'; echo "${*:2}")
    ninja -C "$1" -t targets all | sed -nE "s,^(tests/test_($suites)_[^.:/]*):.*,\\1,p"
}

# run_lower_isas FOLDER: once more for each instruction set below the processor's best; what came out goes to
# FOLDER/isa-NAME. Sets `isas` to those that ran, `lacking` to those that the processor has not.
run_lower_isas() {
    local folder=$1 isa best
    best=$("$folder/tools/atled" --version | sed -n 's/.*processor with //p')
    isas=("$best") lacking=()
    for isa in avx512 avx2 generic; do
        case $best-$isa in
        "$isa-$isa" | generic-*) continue ;;
        avx2-avx512) continue ;;
        esac
        rm -rf "$folder/isa-$isa" "$folder/results.best"
        mv "$folder/results" "$folder/results.best"
        cp "$folder/test.log" "$folder/test.best.log"
        say "once more, as if the processor had no more than $isa"
        ATLED_RANDOM_NETS=200 ATLED_ISA=$isa run_tests "$folder" "${computing[@]/#/--suite=}"
        ATLED_ISA=$isa meson test -C "$folder" --no-rebuild check_same_bits kernels_isa </dev/null 2>&1 |
            grep -E '^ *[0-9]+/[0-9]+ ' >>"$folder/test.log" || true
        cat "$folder/meson-logs/testlog.txt" >>"$folder/results/testlog.txt" || true
        mkdir -p "$folder/isa-$isa"
        mv "$folder/results" "$folder/test.log" "$folder/isa-$isa/"
        mv "$folder/results.best" "$folder/results"
        mv "$folder/test.best.log" "$folder/test.log"
        folders+=("$folder/isa-$isa")
        isas+=("$isa")
    done
    for isa in avx512 avx2; do
        [[ " ${isas[*]} " == *" $isa "* ]] || lacking+=("$isa")
    done
}

has_clang() {
    local empty
    empty=$(mktemp)
    echo 'int main(void) { return 0; }' | clang -fopenmp -x c - -o "$empty" 2>/dev/null
    local found=$?
    rm -f "$empty"
    return $found
}

# LLVM's OpenMP runtime crashes where a dead process of the same number left its file in shared memory.
remove_files_of_dead_runtimes() {
    local file process
    for file in /dev/shm/__KMP_REGISTERED_LIB_*; do
        process=${file#*LIB_}
        process=${process%_*}
        [ ! -O "$file" ] || kill -0 "$process" 2>/dev/null || rm -f "$file"
    done
}

test_() {
    unset ATLED_ISA # all of them have their turn
    need "${tools[@]}" "${libraries[@]}" "${for_tests[@]}"
    like "${for_some_tests[@]}"
    like "${for_page_tests[@]}"
    # It links a program with debugging information in a third of the time of the default one.
    ! command -v ld.gold >/dev/null || export CC_LD=gold
    local folders=(build)
    build build -Dtests=enabled "${werror[@]}"
    run_tests build
    run_lower_isas build
    if has_clang; then
        local programs
        programs=$(test_programs build "${by_clang[@]}")
        TARGETS="tools/atled tests/many_contexts $programs" CC=clang build build-clang -Dtests=enabled
        remove_files_of_dead_runtimes
        ATLED_RANDOM_NETS=100 run_tests build-clang "${by_clang[@]/#/--suite=}"
        folders+=(build-clang)
    fi
    if [ "${SANITIZERS:-yes}" != no ]; then
        # -O2 and full debugging information would take twice the time to compile, and find nothing more.
        local quick=(-Doptimization=1 -Ddebug=true -Dc_args=-g1)
        build build-san -Dtests=enabled -Db_sanitize=address,undefined "${quick[@]}"
        run_tests build-san --no-suite plain_only
        folders+=(build-san)
        unset CC_LD
        TARGETS=tests/many_contexts build build-tsan -Dtests=enabled -Db_sanitize=thread "${quick[@]}"
        run_tests build-tsan many_contexts
        folders+=(build-tsan)
    fi
    local lacks="the processor has no ${lacking[*]}"
    # Its last line: N passed, M failed
    ISAS="instruction sets: ${isas[*]}${lacking:+; $lacks}" tests/summary.sh "${folders[@]}"
}

# Lines and branches run by the tests, as gcov counts them: "SHARE% RUN of LINES  SHARE% TAKEN of BRANCHES  FILE" for
# each source. A source may be compiled several times: a kernel once for each instruction set, a tool for `atled` and
# for a test. A line counts as run if one of the objects has run it; of the branches, which differ, those of the best
# object count.
print_coverage() {
    (cd "$1" && find . -name '*.gcda' -exec gcov --stdout --branch-probabilities --branch-counts {} + 2>/dev/null) |
        awk '
        function end_object() {
            if (file in most && taken * most[file] < best[file] * total) return
            best[file] = taken; most[file] = total
        }
        function percent(part, all) { return all ? 100 * part / all : 100 }
        /^ *-: *0:Source:/ {
            if (counts) end_object()
            file = $0; sub(/.*:Source:/, "", file); sub("^([.][.]/)+", "", file)
            counts = file ~ /^(src|tools)\/.*[.]c$/; total = taken = 0
        }
        !counts { next }
        /^branch/ { total++; taken += ($3 == "taken" && $4 > 0); next }
        /^ *[^ :]+: *[0-9]+:/ {
            split($0, part, ":"); line = part[2] + 0
            if (line == 0 || part[1] ~ /-$/) next
            if (!seen[file, line]++) lines[file]++
            if (part[1] !~ /[#=]/ && !has_run[file, line]++) ran[file]++
        }
        END {
            if (counts) end_object()
            for (file in lines)
                printf "%5.1f%% %5d of %5d  %5.1f%% %5d of %5d  %s\n",
                    percent(ran[file], lines[file]), ran[file], lines[file],
                       percent(best[file], most[file]), best[file], most[file], file
        }
    ' | sort -n
}

# Without names of tests, all of them; build-cov/coverage.txt has every file.
coverage() {
    need "${tools[@]}" "${libraries[@]}" "${for_tests[@]}"
    like "${for_some_tests[@]}"
    like "${for_page_tests[@]}"
    # Atomic counters, which gcc takes for programs with threads, would make loops several times as slow.
    build build-cov -Dtests=enabled -Db_coverage=true -Dbuildtype=debugoptimized -Dc_args=-fprofile-update=single
    find build-cov -name '*.gcda' -delete # counts of earlier runs
    local which=("$@")
    [ "$#" -gt 0 ] || which=(--no-suite checks)
    run_tests build-cov -t 5 "${which[@]}" # counting takes time
    tests/summary.sh build-cov || true
    print_coverage build-cov >build-cov/coverage.txt
    say "lines and branches of src and tools that the tests run, least covered first; all: build-cov/coverage.txt"
    head -n 40 build-cov/coverage.txt
    awk '{ ran += $2; lines += $4; taken += $6; branches += $8 }
         END {
             printf "%.1f %% of %d lines, ", 100 * ran / lines, lines
             printf "%.1f %% of %d branches\n", 100 * taken / branches, branches
         }
    ' build-cov/coverage.txt
}

demo() {
    need "${tools[@]}" "${libraries[@]}"
    build build -Dtests=disabled
    fool_something build/tools/atled
}

# fool_something ATLED: the main job, on what ships with atled. tests/checks/demo.sh runs it, too.
fool_something() {
    mkdir -p out
    "$1" fool --target all -o out/noise.png --sheet out/fooled.png
    say "look at out/fooled.png"
}

bench() {
    need "${tools[@]}" "${libraries[@]}"
    build build -Dtests=disabled
    ninja -C build bench >&2
    bench/run "$@"
}

main() {
    case "${1:-help}" in
    demo) demo ;;
    test) test_ ;;
    coverage) coverage "${@:2}" ;;
    bench) bench "${@:2}" ;;
    help | -h | --help) help ;;
    *)
        help >&2
        exit 2
        ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
    exit # this file may have changed meanwhile
fi
