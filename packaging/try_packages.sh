#!/bin/sh
# try_packages.sh [FOLDER]: makes the Debian packages, asks lintian about them, unpacks them into a fresh root folder,
# and tries what a user does first: `atled fool`, a program with pkg-config, a program with CMake. Needs debhelper,
# devscripts, lintian and a compiler.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-/tmp/atled-packages}
version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' "$source/debian/changelog")
rm -rf "$folder"
mkdir -p "$folder/atled-$version" "$folder/root"
git -C "$source" archive HEAD | tar -x -C "$folder/atled-$version"
tar -C "$folder" --exclude=debian -czf "$folder/atled_$version.orig.tar.gz" "atled-$version"
(cd "$folder/atled-$version" && dpkg-buildpackage -us -uc >"$folder/build.log" 2>&1) || {
    tail -n 30 "$folder/build.log"
    exit 1
}
# The project has no address and no bug at Debian yet.
lintian --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs \
    --fail-on error,warning "$folder"/*.changes
for package in "$folder"/*.deb; do
    dpkg-deb -I "$package" | sed -n 's/^ \(Package\|Installed-Size\): /\1 /p' | tr '\n' ' '
    echo
    dpkg-deb -c "$package" | awk '$1 !~ /^d/ { print "    " $6 }'
    dpkg-deb -x "$package" "$folder/root"
done
library=$(dirname "$(find "$folder/root/usr/lib" -name libatled.so)")
export LD_LIBRARY_PATH="$library" PKG_CONFIG_PATH="$library/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$folder/root"
"$folder/root/usr/bin/atled" --version
(cd "$folder" && "$folder/root/usr/bin/atled" fool --target cat -q -o cat.png && test -s cat.png)
cc -Wall -Werror "$source/tests/checks/user_program.c" -o "$folder/user_program" $(pkg-config --cflags --libs atled)
"$folder/user_program"
if command -v cmake >/dev/null; then
    mkdir -p "$folder/cmake"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.18)' 'project(outside C)' 'find_package(atled 0.1 REQUIRED)' \
        "add_executable(outside \"$source/tests/checks/user_program.c\")" \
        'target_link_libraries(outside atled::atled)' >"$folder/cmake/CMakeLists.txt"
    cmake -S "$folder/cmake" -B "$folder/cmake/build" -DCMAKE_PREFIX_PATH="$folder/root/usr" >"$folder/cmake.log"
    cmake --build "$folder/cmake/build" >>"$folder/cmake.log"
    "$folder/cmake/build/outside"
else
    echo "cmake is not installed: find_package(atled) was not tried"
fi
echo "packages in $folder are good"
