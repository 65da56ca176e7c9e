#!/bin/sh
# prepare.sh SOURCE FOLDER OPS_PAGE VERSION: writes into FOLDER what Doxygen makes the site of: the pages, with links
# that hold there, the public headers with their comments marked, every op, and the examples.
set -eu
source=$1 to=$2 ops_page=$3 version=$4
rm -rf "$to"
mkdir -p "$to/atled" "$to/images"

# A page's name is that of its file, so that links between pages hold.  Links to files that are no pages lead to the
# listing of an example, or to the reference of a header (there, backquotes would be seen); others become plain words.
# Notes for the tests are dropped.
page() {
    awk '
        /^<!--/ && !/-->/ { in_note = 1 }
        !in_note && !/^<!--.*-->$/ { print }
        in_note && /-->/ { in_note = 0 }' "$1" |
        sed -E \
            -e 's,\]\((\.\./)?docs/([A-Za-z-]+\.md)(#[^)]*)?\),](\2),g' \
            -e 's,\]\((\.\./)?CHANGELOG\.md\),](CHANGELOG.md),g' \
            -e 's,\]\((\.\./)?README\.md\),](README.md),g' \
            -e 's,\]\(([a-z-]+\.md)#[^)]*\),](\1),g' \
            -e 's,\]\((\.\./)?models/README\.md\),](models.md),g' \
            -e 's,\[`([^]`]*)`\](\((\.\./)?(include|examples)/),[\1]\2,g' \
            -e 's,\[([^]]*)\]\((\.\./)?examples/([a-z0-9_]+)\.(c|cpp)\),\\ref example_\3 "\1",g' \
            -e 's,\[([^]]*)\]\((\.\./)?include/atled/([a-z_]+\.hp?p?)\),\\ref atled/\3 "\1",g' \
            -e 's,\[([^]]*)\]\((\.\./)?(examples|include|tests|bench|src|LICENSE|packaging|tools)/?[^)]*\),\1,g' \
            -e 's,\]\((\.\./)?(docs/)?images/,](images/,g' \
            -e 's,src="(\.\./)?(docs/)?images/,src="images/,g' \
            -e 's,\[([^]]*)\]\(#[^)]*\),\1,g' \
            -e 's,@([a-z]),\\@\1,g'
}

cp "$source"/docs/images/* "$to/images/"
cp "$source/docs/site/pictures.css" "$to/"
for file in "$source"/docs/*.md "$source/CHANGELOG.md" "$source/README.md"; do
    page "$file" >"$to/$(basename "$file")"
done
page "$source/models/README.md" >"$to/models.md"

failed=0
frees=$(sed -nE 's/^ATL_API void (atl_[a-z_]+_(free|close))\((atl_[a-z_]+) \*.*/\3 \1/p' "$source"/include/atled/*.h)
for header in "$source"/include/atled/*.h; do
    awk -v ops="$source/docs/site/ops.txt" -v frees="$(echo $frees)" -f "$source/docs/site/header.awk" "$header" \
        >"$to/atled/$(basename "$header")" || failed=1
done
sed -E 's,^( *)// ([^-]),\1/// \2,' "$source/include/atled/atled.hpp" >"$to/atled/atled.hpp"
"$ops_page" "$source/docs/site/ops.txt" "$to" || failed=1
for op in $(sed -n 's/^| \([a-z0-9_]*\) | [^f].*/\1/p' "$source/docs/derivatives.md"); do
    grep -q "^$op " "$source/docs/site/ops.txt" || {
        echo "docs/site/ops.txt has no line for '$op'" >&2
        failed=1
    }
done

{
    printf '# Examples {#examples}\n\nEach is a whole program that uses only the public headers.\n\n'
    for example in "$source"/examples/*.c "$source"/examples/*.cpp; do
        name=$(basename "$example" | sed 's/\..*//')
        printf -- '- \\subpage example_%s\n' "$name"
    done
} >"$to/examples.md"
for example in "$source"/examples/*.c "$source"/examples/*.cpp; do
    file=$(basename "$example") name=$(basename "$example" | sed 's/\..*//')
    cp "$example" "$to/$file.txt"
    printf '# %s {#example_%s}\n\n\\include{lineno} %s\n' "$file" "$name" "$file.txt" >"$to/example_$name.md"
done

sed -e "s,@IN@,$to,g" -e "s,@VERSION@,$version,g" "$source/docs/site/Doxyfile" >"$to/Doxyfile"
exit $failed
