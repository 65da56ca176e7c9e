#!/bin/sh
# lines.sh SOURCE: lines of code, comments and pages end at 120 columns.  On a page, longer ones are allowed in tables,
# links and blocks of code.  A file of code has at most 450 lines.
cd "$1" || exit 1
export LC_ALL=C.UTF-8
names='\.([ch]|[ch]pp|def|py|js|css|html|sh|awk|ini|md)$|/meson[^/]*$|^bench/run$|^\.ci/run$'
find include src tools examples tests bench packaging docs models .ci ./*.md ./*.sh ./meson* -type f |
    grep -E "$names" | sort | tr '\n' '\0' | xargs -0 perl -CS -ne '
        if ($ARGV ne $file) { $file = $ARGV; $code = 0; $. = 1 }
        chomp;
        $page = $ARGV =~ /\.md$/;
        $code = !$code if $page && /^\s*(```|<!--|-->)/ && !/^\s*<!--.*-->/;
        if ($. == 451 && !$page) { print "$ARGV: more than 450 lines\n"; $bad = 1 }
        next if length($_) <= 120;
        next if $page && ($code || /^\s*\||^    |\]\(|https?:|^<|`[^`]{60,}`/);
        print "$ARGV:$.: ", length($_), " columns\n";
        $bad = 1;
        END { exit $bad }'
