#!/usr/bin/env bash
# walk.sh SOURCE: the lists of calls in docs/architecture.md ("A walk") are those of the code, and no call climbs: each
# function stands in the file that is named; the file of the caller calls it, and lies no deeper in the table of
# folders.
#
# A line of a list: "- `function`, path/of/file.c", or with ", through `text`": the caller has that text, because it
# calls by a pointer.  A line below another, indented by two more spaces, is called by it.
set -u
export LC_ALL=C
cd "$1" || exit 1
page=docs/architecture.md
status=0

fail() { echo "$page: $1"; status=1; }

# The position of the file's folder in the table: what lies deeper has a smaller number; tools/ is above them all.
rooms=$(sed -n 's,^| `\(src/[a-z_/]*[a-z_]\)/*` |.*,\1,p' "$page")
depth_of() {
    local best=999 length=0 number=0
    while read -r room; do
        number=$((number + 1))
        case $1 in "$room"/*) [ ${#room} -gt $length ] && best=$number length=${#room} ;; esac
    done <<<"$rooms"
    echo $best
}

count=0
declare -A caller
while IFS= read -r line; do
    indent=${line%%-*}
    level=$((${#indent} / 2))
    name=$(sed -n 's/^ *- `\([a-z_0-9]*\)`, .*/\1/p' <<<"$line")
    file=$(sed -n 's/^ *- `[a-z_0-9]*`, \([a-z_0-9/]*\.c\).*/\1/p' <<<"$line")
    through=$(sed -n 's/.*, through `\(.*\)`$/\1/p' <<<"$line")
    count=$((count + 1))
    caller[$level]=$file
    [ -f "$file" ] || { fail "there is no $file"; continue; }
    grep -Eq "^[a-z].*[ *](KERNEL\()?$name\)?\(([^;]*$|.*\{)" "$file" || fail "$file defines no $name"
    [ $level -gt 0 ] || continue
    above=${caller[$((level - 1))]}
    if [ -n "$through" ]; then
        grep -qF -- "$through" "$above" || fail "$above does not have '$through', which is to call $name"
    else
        grep -Eq "[^a-z_]${name%_with}(_with)?\(" "$above" || fail "$above does not call $name"
    fi
    [ "$(depth_of "$file")" -le "$(depth_of "$above")" ] || fail "$above calls $name of $file, which is above it"
done < <(grep -E '^ *- `[a-z_0-9]+`, [a-z_0-9/]+\.c' "$page")
[ $count -ge 40 ] || fail "the walks have only $count calls"
exit $status
