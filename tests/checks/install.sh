#!/bin/sh
# install.sh SOURCE BUILD SCRATCH COMPILER...: installs to a folder, then builds and runs a user's program with
# pkg-config alone, and with CMake if that is installed.  Manual pages and completions are where programs look for them.
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

# An outside project that uses CMake.
if command -v cmake >/dev/null; then
    mkdir -p "$scratch/cmake"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.18)' 'project(outside C)' \
        'foreach(version 0.2 1.0 0.1.99)' 'find_package(atled ${version} QUIET)' \
        'if(atled_FOUND)' 'message(FATAL_ERROR "${version} was found")' 'endif()' 'endforeach()' \
        'find_package(atled REQUIRED)' 'find_package(atled 0.1 REQUIRED)' \
        "add_executable(outside \"$source/tests/checks/user_program.c\")" \
        'target_link_libraries(outside atled::atled)' \
        >"$scratch/cmake/CMakeLists.txt"
    cmake -S "$scratch/cmake" -B "$scratch/cmake/build" -DCMAKE_PREFIX_PATH="$scratch/root$(
        PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=prefix atled)" >"$scratch/cmake/log" 2>&1 &&
        cmake --build "$scratch/cmake/build" >>"$scratch/cmake/log" 2>&1 || { cat "$scratch/cmake/log"; exit 1; }
    "$scratch/cmake/build/outside"
else
    echo "cmake is not installed: find_package(atled) was not tried"
fi

for file in man/man1/atled.1 man/man1/atled-fool.1 bash-completion/completions/atled zsh/site-functions/_atled \
    fish/vendor_completions.d/atled.fish; do
    [ -n "$(find "$scratch/root" -path "*/share/$file" -size +0)" ] ||
        { echo "share/$file is missing or empty"; exit 1; }
done

# The tool finds its library by itself, and its networks, wherever it was installed.
tool=$(find "$scratch/root" -path '*/bin/atled')
env -u LD_LIBRARY_PATH "$tool" fool --target cat -q -o "$scratch/cat.png" >/dev/null

# A program linked today must not be started with a library that breaks it tomorrow.
readelf -d "$scratch/user_program" | grep -q 'libatled\.so\.0' || { echo "the soname is missing"; exit 1; }
