#!/bin/sh
# try_reproducible.sh [FOLDER]: makes the Debian packages twice, of the same commit in two folders with names of
# different length, at another time, with another umask, locale, time zone and number of processes, and compares their
# bytes. Needs what try_packages.sh needs; lists what differs by diffoscope where that is installed.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-/tmp/atled-reproducible}
version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' "$source/debian/changelog")
commit=$(git -C "$source" rev-parse HEAD)
rm -rf "$folder"

# build PLACE JOBS: the packages of that commit, in PLACE. SOURCE_DATE_EPOCH is the changelog's (dpkg-buildpackage sets
# it).
build() {
    mkdir -p "$1/atled-$version"
    git -C "$source" archive "$commit" | tar -x -C "$1/atled-$version"
    (cd "$1/atled-$version" && dpkg-buildpackage -b -us -uc -j"$2" >"$1/build.log" 2>&1) || {
        tail -n 30 "$1/build.log"
        exit 1
    }
}
(umask 022 && LC_ALL=C TZ=UTC build "$folder/first" 2)
(umask 002 && LC_ALL=C.UTF-8 TZ=Asia/Tokyo build "$folder/second/in/a/longer/path" 3)

different=0
for package in "$folder"/first/*.deb; do
    other=$folder/second/in/a/longer/path/$(basename "$package")
    if cmp -s "$package" "$other"; then
        sha256sum "$package" | sed "s,$folder/first/,,"
    else
        different=1
        echo "$(basename "$package") differs"
        if command -v diffoscope >/dev/null; then
            diffoscope "$package" "$other" | head -n 60
        else
            for one in "$package" "$other"; do
                rm -rf "$one.files" && dpkg-deb -R "$one" "$one.files"
            done
            diff -rq "$package.files" "$other.files" || true
        fi
    fi
done
[ "$different" = 0 ] && echo "two builds, the same bytes"
exit "$different"
