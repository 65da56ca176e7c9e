#!/bin/sh
# install.sh SOURCE BUILD SCRATCH COMPILER...: installs to a folder, then builds and runs a user's program with pkg-config alone.
set -eu
source=$1 build=$2 scratch=$3
shift 3
rm -rf "$scratch"
mkdir -p "$scratch"
DESTDIR=$scratch/root meson install -C "$build" --no-rebuild --quiet >/dev/null

pc=$(find "$scratch/root" -name atled.pc)
[ -n "$pc" ] || { echo "no atled.pc was installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$scratch/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
libdir=$scratch/root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir atled)

"$@" -std=c11 -Wall -Wextra -Werror "$source/tests/checks/user_program.c" -o "$scratch/user_program" \
    $(pkg-config --cflags --libs atled)
LD_LIBRARY_PATH=$libdir "$scratch/user_program"

# The same from the build's own pkg-config file, without an installation.
uninstalled=$build/meson-uninstalled
"$@" -std=c11 -Wall -Wextra -Werror "$source/tests/checks/user_program.c" -o "$scratch/uninstalled_program" \
    $(PKG_CONFIG_SYSROOT_DIR='' PKG_CONFIG_PATH=$uninstalled pkg-config --cflags --libs atled)
LD_LIBRARY_PATH=$build "$scratch/uninstalled_program"

# The tool finds its library by itself, and its networks, wherever it was installed.
tool=$(find "$scratch/root" -path '*/bin/atled')
env -u LD_LIBRARY_PATH "$tool" fool --target cat -q -o "$scratch/cat.png" >/dev/null

# A program linked today must not be started with a library that breaks it tomorrow.
readelf -d "$scratch/user_program" | grep -q 'libatled\.so\.0' || { echo "the soname is missing"; exit 1; }
