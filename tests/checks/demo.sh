#!/usr/bin/env bash
# demo.sh SOURCE ATLED SCRATCH: what `./setup.sh demo` does when it has built: ten pictures and their sheet; and what it
# says on a system without apt.
set -eu
source=$1 atled=$(realpath "$2") scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
. "$source/setup.sh"
cd "$scratch"
ATLED_MODELS=$source/models fool_something "$atled"
for file in out/fooled.png out/noise-{0..9}.png; do
    [ -s "$file" ] || fail "$file was not written"
done

for package in "${tools[@]}" "${libraries[@]}" "${for_tests[@]}"; do
    grep -qE "^$package( [^ ]+){4}\$" <<<"$names_elsewhere" || fail "no names of $package on four other systems"
done
[ "$(how_to_install meson libc6-dev libcriterion-dev | head -n 3)" = '  Fedora:  dnf install glibc-devel meson
           (no package of what Debian calls libcriterion-dev)
  Arch:    pacman -S meson criterion' ] || fail "how_to_install names the wrong packages"
