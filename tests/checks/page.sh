#!/usr/bin/env bash
# page.sh PAGE SOURCE BUILD SCRATCH COMPILER...: compiles and runs the C code of a page of the documentation.
#
# Each block between ```c and ``` becomes a program of its own:
#   with main()                       as it stands
#   below <!-- tested in: CODE -->    CODE, with the block in place of the line @@
#   below <!-- in file: FILE -->      is part of that file of SOURCE, as it stands; so that is where it is compiled
#   below <!-- not tested: WHY -->    left alone
#   otherwise                         declarations: compiled only
# A program must return 0, or 77 if it lacks data.  It runs in SCRATCH; ATLED_SOURCE is the project's folder.
set -u
page=$1 source=$(realpath "$2") build=$(realpath "$3") scratch=$4
compiler=("${@:5}")
export PKG_CONFIG_PATH=$(realpath "$build/meson-uninstalled")
grep -qF 'cc program.c $(pkg-config --cflags --libs atled)' "$source/README.md" ||
    { echo "README.md tells another way to compile a program than the one that is tested here"; exit 1; }
mkdir -p "$scratch"
name=$(basename "$page")
rm -f "$scratch/$name".*

# Writes SCRATCH/PAGE.N.c for the block that begins in line N.
awk -v to="$scratch/$name" '
    function finish_note() { frame = note; sub(/^[ \n]*<!-- */, "", frame); sub(/ *-->[ \n]*$/, "", frame) }
    function write_program(    file, n, i, line, found) {
        if (frame ~ /^not tested:/) return
        if (frame ~ /^in file:/) {
            sub(/^in file: */, "", frame)
            file = sprintf("%s.%05d.part", to, start)
            printf "%s\n%s", frame, code > file
            close(file)
            return
        }
        file = sprintf("%s.%05d.c", to, start)
        print "#define _GNU_SOURCE 1" > file
        if (frame ~ /^tested in:/) {
            sub(/^tested in:/, "", frame)
            n = split(frame, line, "\n")
            for (i = 1; i <= n; i++)
                if (line[i] ~ /^[ \t]*@@[ \t]*$/ && !found) { printf "%s", code > file; found = 1 }
                else print line[i] > file
            if (!found) print "#error a frame (tested in:) has no line @@" > file
        } else if (code ~ /(^|[^A-Za-z_0-9])main\(/) printf "%s", code > file
        else printf "#include <atled/atled.h>\n%s\nint main(void) { return 0; }\n", code > file
        close(file)
    }
    in_code && /^```/ { write_program(); in_code = 0; frame = ""; next }
    in_code { code = code $0 "\n"; next }
    in_note { note = note $0 "\n"; if (/-->/) { in_note = 0; finish_note() } next }
    /^<!--/ { note = $0 "\n"; if (/-->/) finish_note(); else in_note = 1; next }
    /^```c$/ { in_code = 1; start = NR; code = ""; next }
    /^```/ { in_other = !in_other }
    { frame = "" }' "$page"

tested=0 failed=0 missing=0
for part in "$scratch/$name".*.part; do
    [ -f "$part" ] || continue
    tested=$((tested + 1)) line=$((10#$(sed -E 's/.*\.([0-9]+)\.part$/\1/' <<<"$part")))
    file=$source/$(head -n 1 "$part") block=$(tail -n +2 "$part")
    if [[ $(cat "$file") != *"$block"* ]]; then
        printf '%s:%s: is not in %s as it stands here\n' "$page" "$line" "$file"
        failed=$((failed + 1))
    fi
done
for program in "$scratch/$name".*.c; do
    [ -f "$program" ] || continue
    tested=$((tested + 1)) line=$((10#$(sed -E 's/.*\.([0-9]+)\.c$/\1/' <<<"$program"))) binary=${program%.c}
    # The second half is what README.md tells, word for word.
    if ! said=$("${compiler[@]}" -std=gnu11 -Wall -Wno-unused -o "$binary" "-Wl,-rpath,$build" \
        "$program" $(pkg-config --cflags --libs atled) 2>&1); then
        printf '%s:%s: does not compile\n%s\n' "$page" "$line" "$said"
        failed=$((failed + 1))
        continue
    fi
    said=$(cd "$scratch" && ATLED_SOURCE=$source timeout 300 "$(realpath "$binary")" 2>&1 </dev/null)
    case $? in
    0) ;;
    77) missing=$((missing + 1)) ;;
    *)
        printf '%s:%s: fails\n%s\n' "$page" "$line" "$said"
        failed=$((failed + 1))
        ;;
    esac
done
echo "$tested pieces of code, $failed failed, $missing without their data"
[ "$failed" -eq 0 ] || exit 1
[ "$missing" -eq 0 ] || [ "$missing" -ne "$tested" ] || exit 77
