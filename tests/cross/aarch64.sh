#!/usr/bin/env bash
# aarch64.sh [TEST...]: builds for 64-bit ARM in build-aarch64 and runs these tests (names of `meson test`, or --suite
# NAME) under qemu; without names: the kernels, the ops, the battery of all ops, and the gradients. Then it fools a
# network.
#
# Debian 12, packages: gcc-aarch64-linux-gnu qemu-user meson ninja-build pkg-config. The libraries for ARM are unpacked
# below build-aarch64/, and nothing is installed. Meson builds what the tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=$PWD/build-aarch64
sysroot=$folder/sysroot
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static)
libraries=(libc6-dev libgcc-12-dev libgomp1 libdnnl-dev uthash-dev libzip-dev zlib1g-dev libpng-dev libjpeg-dev
    libjansson-dev nettle-dev libcriterion-dev)

# apt-get for ARM, with lists, a cache and a database of packages of its own
apt_for_arm() {
    local state=$folder/apt
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main" >"$state/sources.list"
    cat >"$state/apt.conf" <<CONF
APT { Architecture "arm64"; Architectures { "arm64"; }; };
Dir { State "$state"; State::Lists "$state/lists"; State::Status "$state/status"; Cache "$state";
Cache::Archives "$state/archives";
      Etc::SourceList "$state/sources.list"; Etc::SourceParts "/dev/null"; };
CONF
    APT_CONFIG=$state/apt.conf apt-get -q -y "$@"
}

make_sysroot() {
    apt_for_arm update
    apt_for_arm --no-install-recommends --download-only install "${libraries[@]}"
    mkdir -p "$sysroot.new"
    local package
    for package in "$folder"/apt/archives/*.deb; do
        dpkg -x "$package" "$sysroot.new"
    done
    # Links such as libm.so -> /lib/aarch64-linux-gnu/libm.so.6 have to stay in this folder.
    local link
    find "$sysroot.new" -type l -lname '/*' | while read -r link; do
        ln -snf "$sysroot$(readlink "$link")" "$link"
    done
    mv "$sysroot.new" "$sysroot"
}

# All programs are linked to it: what they start is run by qemu, too.
build_exec_by_qemu() {
    aarch64-linux-gnu-gcc --sysroot="$sysroot" -shared -fPIC -O2 -DQEMU="\"$qemu\"" -DSYSROOT="\"$sysroot\"" \
        tests/cross/exec_by_qemu.c -o "$sysroot/exec_by_qemu.so"
}

[ -d "$sysroot" ] || make_sysroot
build_exec_by_qemu
if [ ! -f "$folder/build/build.ninja" ]; then
    printf "[constants]\nsysroot = '%s'\n" "$sysroot" >"$folder/sysroot.ini"
    meson setup "$folder/build" --cross-file "$folder/sysroot.ini" --cross-file tests/cross/aarch64.ini \
        -Dtests=enabled -Ddrawing=disabled
fi
ninja -C "$folder/build" tools/atled
tests=("$@")
[ "$#" -gt 0 ] || tests=(--suite kernels --suite ops --suite battery --suite autodiff)
# An emulated processor is some twenty times slower.
ATLED_RANDOM_NETS=${ATLED_RANDOM_NETS:-20} meson test -C "$folder/build" -t 30 "${tests[@]}" || failed=1
"$qemu" -L "$sysroot" "$folder/build/tools/atled" --version
ATLED_MODELS=$PWD/models "$qemu" -L "$sysroot" "$folder/build/tools/atled" fool --target all -o "$folder/fooled.png"
exit "${failed:-0}"
