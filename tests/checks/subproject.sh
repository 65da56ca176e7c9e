#!/bin/sh
# subproject.sh SOURCE SCRATCH: another Meson project that has atled in subprojects/ builds a program and runs it.
set -eu
source=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch/subprojects/atled"
for part in meson.build meson_options.txt include src models; do
    [ ! -e "$source/$part" ] || cp -R "$source/$part" "$scratch/subprojects/atled/"
done
cp "$source/tests/checks/user_program.c" "$scratch/"
cat >"$scratch/meson.build" <<'END'
project('user', 'c', version: '1.0')
executable('user_program', 'user_program.c', dependencies: dependency('atled', fallback: 'atled'))
END
meson setup "$scratch/build" "$scratch" -Doptimization=0 -Ddebug=false >"$scratch/log" 2>&1 ||
    { tail -n 20 "$scratch/log"; exit 1; }
ninja -C "$scratch/build" -j 2 user_program >"$scratch/log" 2>&1 || { tail -n 40 "$scratch/log"; exit 1; }
"$scratch/build/user_program"
