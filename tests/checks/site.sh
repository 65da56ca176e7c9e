#!/bin/sh
# site.sh SOURCE FOLDER OPS_PAGE VERSION: what the site is made of is complete: every public function tells what it
# does, shapes, errors and ownership; every op has a formula.  With doxygen, the site is made, and each of its links and
# pictures leads to a file, and to a place in it, that is there; search has an index that needs no server, and knows the
# ops.
source=$1 to=$2
rm -rf "$to"
mkdir -p "$to"
"$source/docs/site/prepare.sh" "$source" "$(realpath "$to")/in" "$3" "$4" || exit 1
command -v doxygen >/dev/null || { echo "every public function and op is told; the site itself: no doxygen"; exit 77; }
"$source/docs/site/make.sh" "$1" "$to" "$3" "$4" || exit 1
cd "$to/html" || exit 1
[ -s search/all_0.js ] && [ -s search/search.js ] || { echo "there is no index for the search"; exit 1; }
grep -q "'softmax'.*op_softmax.html" search/all_*.js || { echo "the search does not find an op by its name"; exit 1; }
for page in index md_tutorial md_how_to md_from_pytorch md_from_tensorflow md_ops op_softmax layers_8h examples; do
    [ -s "$page.html" ] || { echo "the page $page.html is missing"; exit 1; }
done
# Doxygen reads no picture whose text goes on in the next line, and leaves its own commands in the page.
if grep -l '@verbatim' ./*.html; then
    echo "these pages hold Markdown that Doxygen does not understand"
    exit 1
fi
# What is there: "FILE" and "FILE#PLACE".
for file in *.html; do
    echo "$file"
    grep -oE '(id|name)="[^"]+"' "$file" | sed -E "s,^(id|name)=\"(.*)\"\$,$file#\\2,"
done >../places
find . -type f | sed 's,^\./,,' >>../places
sort -u -o ../places ../places
# What is linked to, from each file.
for file in *.html; do
    grep -oE '(href|src)="[^"]*"' "$file" | sed -E 's,^(href|src)="(.*)"$,\2,' |
        grep -vE '^(https?:|mailto:|javascript:|data:)|^$|^#$|^#nested-classes$' | # the last: Doxygen forgets it
        sed -E "s,^#,$file#,; s,%20, ,g; s,&amp;,\\&,g; s,^\\./,,"
done | sort -u >../links
comm -23 ../links ../places >../broken
if [ -s ../broken ]; then
    echo "links to nothing:"
    head -n 30 ../broken
    exit 1
fi
echo "$(wc -l <../links) links, $(ls ./*.html | wc -l) pages"
