#!/bin/sh
# site.sh SOURCE FOLDER OPS_PAGE VERSION: what the site is made of is complete: every public function tells what it
# does, shapes, errors and ownership, and one that does not is refused; every op has a formula.  With doxygen, the site
# is made, and each of its links and pictures leads to a file, and to a place in it, that is there; search has an index
# that needs no server, and knows the ops.
source=$1 to=$2
rm -rf "$to"
mkdir -p "$to"
"$source/docs/site/prepare.sh" "$source" "$(realpath "$to")/in" "$3" "$4" || exit 1

# refuses DECLARATION COMPLAINT: a header with it ends the making of the site.
refuses() {
    printf '/* About the header. */\n\n%b\n' "$1" >"$to/bad.h"
    awk -f "$source/docs/site/header.awk" "$to/bad.h" >"$to/read" 2>"$to/said" && { echo "this passes: $1"; exit 1; }
    grep -q "$2" "$to/said" || { echo "of '$1' it says:"; cat "$to/said"; exit 1; }
}
refuses 'ATL_API int atl_new(void);' 'atl_new has no comment'
refuses 'ATL_MPI_API bool atl_new(void);' 'atl_new has no comment'
refuses '/* Words. */\nATL_API atl_node *atl_new(atl_node *x);' 'atl_new says nothing about shapes'
refuses '/* Words. */\nATL_API const atl_tensor *atl_new(int i);' 'atl_new says nothing about shapes'
refuses '/* Words. */\nATL_API struct thing atl_new(int i);' 'atl_new returns a type'
# owned FUNCTION HEADER WORDS: what the reference says of what a function returns.
owned() {
    grep -B 3 "[ *]$1(" "$to/in/atled/$2" | grep -q "$3" || { echo "of what $1 returns it does not say '$3'"; exit 1; }
}
owned atl_floats tensor.h 'Do not free'
owned atl_graph_of graph.h 'Do not free'
owned atl_shape_text tensor.h 'stays the caller'
owned atl_tensor_copy tensor.h 'frees what is returned, by atl_tensor_free()'
owned atl_npz_open files.h 'by atl_npz_close()'
owned atl_mpi_ranks mpi.h 'as told above'
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
