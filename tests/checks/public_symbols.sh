#!/bin/sh
# public_symbols.sh LIBRARY HEADERS: the library shows atl_ names only, and every function that the headers promise.
library=$1 headers=$2 status=0
shown=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | LC_ALL=C sort -u)

foreign=$(printf '%s\n' "$shown" | grep -v '^atl_')
if [ -n "$foreign" ]; then
    echo "not atl_ names, but shown:" $foreign
    status=1
fi

for name in $(cat "$headers"/*.h | grep '^ATL_API' | grep -o 'atl_[a-z0-9_]*(' | tr -d '(' | LC_ALL=C sort -u); do
    if ! printf '%s\n' "$shown" | grep -qx "$name"; then
        echo "declared, but not in the library: $name"
        status=1
    fi
done
exit $status
