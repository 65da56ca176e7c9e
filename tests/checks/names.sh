#!/bin/sh
# names.sh SOURCE: the files and the functions that the pages name exist.  What a page only gives as a pattern is
# written with capitals (tests/FOLDER/test_FILE.c); bench/run makes bench/results.md and .json.
cd "$1" || exit 1
bad=0

grep -ohE '`(src|tools|tests|bench|include|examples|packaging|docs|debian)/[A-Za-z0-9_./-]+`' README.md docs/*.md |
    tr -d '`' | grep -vE 'NAME|FILE|FOLDER|^bench/results[.]' | sort -u >"${TMPDIR:-/tmp}/atled_names.$$"
while read -r file; do
    [ -e "$file" ] && continue
    printf 'a page names %s, which does not exist: %s\n' "$file" "$(grep -lF "$file" README.md docs/*.md)"
    bad=1
done <"${TMPDIR:-/tmp}/atled_names.$$"

# Every word that begins like a function of ours stands in the code.
find include src tools examples tests bench -name '*.[ch]' -o -name '*.hpp' -o -name '*.cpp' -o -name '*.def' |
    xargs grep -ohE '\b(atl|ATL)_[A-Za-z0-9_]+' | sort -u >"${TMPDIR:-/tmp}/atled_code.$$"
grep -ohE '\b(atl|ATL)_[A-Za-z0-9_]+' README.md docs/*.md | sort -u |
    comm -23 - "${TMPDIR:-/tmp}/atled_code.$$" >"${TMPDIR:-/tmp}/atled_names.$$"
while read -r name; do
    printf 'a page names %s, which is not in the code: %s\n' "$name" "$(grep -lwF "$name" README.md docs/*.md)"
    bad=1
done <"${TMPDIR:-/tmp}/atled_names.$$"

rm -f "${TMPDIR:-/tmp}/atled_names.$$" "${TMPDIR:-/tmp}/atled_code.$$"
exit $bad
