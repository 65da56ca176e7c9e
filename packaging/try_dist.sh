#!/bin/sh
# try_dist.sh [FOLDER [ARGUMENTS OF MESON TEST...]]: makes the release tarball of HEAD, unpacks it into an empty folder,
# builds it there, where there is no git, and runs its tests: all of them, or those that `--suite checks` and the like
# choose. (`meson dist` without --no-tests does the same with all tests, below its build folder.)
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-/tmp/atled-dist}
[ $# = 0 ] || shift
rm -rf "$folder"
mkdir -p "$folder/empty"
folder=$(realpath "$folder")
cd "$folder"
meson setup "$folder/build" "$source" -Dtests=disabled >"$folder/log" || { cat "$folder/log"; exit 1; }
meson dist -C "$folder/build" --no-tests --formats xztar
(cd "$folder/build/meson-dist" && sha256sum -c ./*.sha256sum)
tar -x -C "$folder/empty" -f "$folder"/build/meson-dist/*.tar.xz
cd "$folder"/empty/*
[ ! -e .git ]
meson setup build -Dtests=enabled >"$folder/log" || { cat "$folder/log"; exit 1; }
ninja -C build >"$folder/log" || { tail -n 40 "$folder/log"; exit 1; }
meson test -C build --no-rebuild --print-errorlogs "$@"
