#!/usr/bin/env python3
"""derivatives.py BUILD [--check PAGE]: the table op x order from what the battery reported, as a page; or whether PAGE is that.

Made anew with: tests/derivatives.py build > docs/derivatives.md
"""
import glob
import os
import sys

INTRODUCTION = """# Every op, any order

Made by `tests/derivatives.py` from the battery's results; the tests fail where it is out of date.

Each op's samples are differentiated once, twice and three times with respect to every float input, by everything that came out of
the time before. The result, in double, agrees with central differences to 1e-6, and the float program agrees with that.

- *yes*: so it is.
- *zero*: so it is, and the derivative is zero everywhere the samples look: the op is constant, linear, or piecewise so.
- –: nothing to differentiate: an input or a result is int32, or the op is there to stop gradients.

| op | first | second | third |
|---|---|---|---|
"""


def page_of(build):
    """The page's text; None without reports."""
    reports = sorted(glob.glob(os.path.join(build, "derivatives", "*.1")))
    rows = []
    for path in reports:
        cells = []
        for order in "123":
            with open(path[:-1] + order, encoding="utf-8") as report:
                cells.append(report.read().strip().replace("none", "–"))
        if cells != ["–"] * 3 or not os.path.basename(path)[:-2] in ("input", "variable", "constant"):
            rows.append(f"| {os.path.basename(path)[:-2]} | {' | '.join(cells)} |\n")
    return INTRODUCTION + "".join(rows) if rows else None


def main():
    page = page_of(sys.argv[1])
    if page is None:
        print("the battery has not run in this build")
        return 77
    if len(sys.argv) < 4:
        sys.stdout.write(page)
        return 0
    with open(sys.argv[3], encoding="utf-8") as file:
        written = file.read()
    if "wrong" in page:
        print("\n".join(line for line in page.splitlines() if "wrong" in line))
    if written != page:
        print(f"{sys.argv[3]} is out of date: tests/derivatives.py build > docs/derivatives.md")
    return 1 if written != page or "wrong" in page else 0


if __name__ == "__main__":
    sys.exit(main())
