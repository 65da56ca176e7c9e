#!/bin/sh
# derivatives.sh BUILD [--check PAGE]: writes the page with the table op x order from the battery's results; or checks
# that PAGE is that.
# Regenerate the page with: tests/derivatives.sh build > docs/derivatives.md
LC_ALL=C
export LC_ALL
build=$1
if ! ls "$build"/derivatives/*.1 >/dev/null 2>&1; then
    echo "the battery has not run in this build"
    exit 77
fi

page() {
    cat <<'TEXT'
# Derivatives of every op

`tests/derivatives.sh` generates this page from the battery's results; a test fails if the page is out of date.

The battery differentiates each op's samples once, twice and three times with respect to every float input. Each order
differentiates all results of the order before. It compares the result, in double, with central differences to 1e-6, and
the float program with the double result.

- *yes*: they agree.
- *zero*: they agree, and the derivative is zero at all samples: the op is constant, linear, or piecewise so.
- –: there is nothing to differentiate: an input or a result is int32, or the op stops gradients.

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
