#!/bin/sh
# format.sh SOURCE: every C file is formatted as clang-format does it.  Versions differ, so only that of Debian 12 is
# used.
formatter=$(command -v clang-format-14 || command -v clang-format)
if ! "${formatter:-false}" --version 2>/dev/null | grep -q 'version 14\.'; then
    echo "clang-format 14 is not installed"
    exit 77
fi
cd "$1" || exit 1
find include src tools examples tests bench \( -name '*.c' -o -name '*.h' \) -print0 |
    xargs -0 "$formatter" --dry-run -Werror
