#!/bin/sh
# derivatives.sh BUILD [--check PAGE]: the table op x order from what the battery reported, as a page; or whether PAGE is that.
# Made anew with: tests/derivatives.sh build > docs/derivatives.md
LC_ALL=C
export LC_ALL
build=$1
if ! ls "$build"/derivatives/*.1 >/dev/null 2>&1; then
    echo "the battery has not run in this build"
    exit 77
fi

page() {
    cat <<'TEXT'
# Every op, any order

Made by `tests/derivatives.sh` from the battery's results; the tests fail where it is out of date.

Each op's samples are differentiated once, twice and three times with respect to every float input, by everything that came out of
the time before. The result, in double, agrees with central differences to 1e-6, and the float program agrees with that.

- *yes*: so it is.
- *zero*: so it is, and the derivative is zero everywhere the samples look: the op is constant, linear, or piecewise so.
- –: nothing to differentiate: an input or a result is int32, or the op is there to stop gradients.

| op | first | second | third |
|---|---|---|---|
TEXT
    for report in "$build"/derivatives/*.1; do
        base=${report%1}
        op=$(basename "$report" .1)
        row="| $op | $(cat "${base}1") | $(cat "${base}2") | $(cat "${base}3") |"
        case "$op $row" in
        input*none*none*none* | variable*none*none*none* | constant*none*none*none*) ;;
        *) printf '%s\n' "$row" | sed 's/none/–/g' ;;
        esac
    done
}

if [ "${2:-}" != --check ]; then
    page
    exit 0
fi
if page | grep wrong; then
    exit 1
fi
if ! page | diff -u "$3" - | head -n 40 | grep .; then
    exit 0
fi
echo "$3 is out of date: tests/derivatives.sh build > docs/derivatives.md"
exit 1
