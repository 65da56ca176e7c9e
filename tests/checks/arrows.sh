#!/usr/bin/env bash
# arrows.sh BUILD PAGE: no object of the library uses a symbol of a room above its own.  The order of the rooms is in
# docs/architecture.md (PAGE), in the table of "The house": a room may use what stands above it there, and itself.
set -u
export LC_ALL=C
build=$1
page=$2
command -v nm >/dev/null || { echo "nm is missing"; exit 77; }

rooms=$(sed -n 's,^| `src/\([a-z_/]*[a-z_]\)/*` |.*,\1,p' "$page")
[ "$(wc -l <<<"$rooms")" -ge 10 ] || { echo "$page has no table of rooms"; exit 1; }

# The sources, as Meson names their objects: src_compiler_passes_fuse.c.o
# Only those that the libraries hold: a build folder may have objects of files that have been moved since.
nm -A -g --format=posix "$build"/libatled_*.a |
    awk '{ sub(/]:$/, "", $1); sub(/.*[/[]/, "", $1); print $1, $3 ~ /^[UwvV]$/ ? "uses" : "has", $2 }' |
    awk -v rooms="$rooms" '
    BEGIN { count = split(rooms, room, "\n"); for (i = 1; i <= count; i++) prefix[i] = prefix_of(room[i]) }
    function prefix_of(room) { gsub("/", "_", room); return "src_" room "_" }
    function room_of(object,   i, best) {
        for (i = 1; i <= count; i++)
            if (index(object, prefix[i]) == 1 && (!best || length(prefix[i]) > length(prefix[best]))) best = i
        return best
    }
    !($1 in at) { at[$1] = room_of($1); if (!at[$1]) { print $1 " is in no room of the table"; bad = 1 } }
    $2 == "has" { home[$3] = $1 }
    $2 == "uses" { use[++uses] = $1 " " $3 }
    END {
        for (u = 1; u <= uses; u++) {
            split(use[u], w, " ")
            if (w[2] in home && at[home[w[2]]] > at[w[1]]) {
                printf "%s uses %s of %s, which is above it\n", w[1], w[2], home[w[2]]
                bad = 1
            }
        }
        exit bad
    }'
