#!/bin/sh
# embed.sh FILE...: each file as a C string of its name: explorer.css is explorer_css.
for file; do
    printf 'static const char %s[] =\n' "$(basename "$file" | tr . _)"
    sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' "$file"
    echo ';'
done
