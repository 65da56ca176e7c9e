#!/bin/sh
# make.sh SOURCE FOLDER OPS_PAGE VERSION: makes the site, FOLDER/html/index.html, by Doxygen.  A public function without
# words, an op without a formula and a reference to nothing are errors.
set -eu
here=$(dirname "$0")
command -v doxygen >/dev/null || {
    echo "doxygen is missing: on Debian 'apt install doxygen' (no other package is needed)" >&2
    exit 77
}
mkdir -p "$2"
to=$(realpath "$2")
"$here/prepare.sh" "$1" "$to/in" "$3" "$4"
rm -rf "$to/html"
cd "$to/in" # Doxygen resolves links from the folder in which it runs
doxygen Doxyfile
mkdir -p "$to/html/images"
cp images/* "$to/html/images/" # of pictures that a page shows by HTML
echo "$to/html/index.html"
