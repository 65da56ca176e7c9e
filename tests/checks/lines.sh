#!/bin/sh
# lines.sh SOURCE: lines of code, comments and pages end at 120 columns.  Longer ones are allowed on a page in tables,
# links and blocks of code, and in shell scripts in code.
cd "$1" || exit 1
export LC_ALL=C.UTF-8
find include src tools examples tests bench docs models ./*.md ./*.sh ./meson* -type f \
    \( -name '*.[ch]' -o -name '*.[ch]pp' -o -name '*.py' -o -name '*.sh' -o -name '*.awk' -o -name '*.md' \
    -o -name 'meson*' \) -print0 |
    xargs -0 perl -CS -ne '
        if ($ARGV ne $file) { $file = $ARGV; $code = 0; $. = 1 }
        chomp;
        $page = $ARGV =~ /\.md$/;
        $code = !$code if $page && /^\s*(```|<!--|-->)/ && !/^\s*<!--.*-->/;
        next if length($_) <= 120 || ($ARGV =~ /\.sh$/ && !/^\s*#/) || ($page && ($code || /^\s*\||^    |\]\(|https?:|^<|`[^`]{60,}`/));
        print "$ARGV:$.: ", length($_), " columns\n";
        $bad = 1;
        END { exit $bad }'
