#!/usr/bin/env bash
# demo.sh SOURCE ATLED SCRATCH: what `./setup.sh demo` does when it has built: ten pictures and their sheet.
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
