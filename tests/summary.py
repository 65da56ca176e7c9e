#!/usr/bin/env python3
"""summary.py BUILD...: counts what the tests of these build folders really did, after `meson test`.

A Criterion test counts each of its cases, from results/NAME.tap; any other test counts as one.  A report left by a sanitizer
(results/NAME.sanitizer.*) is a failure, since Criterion runs each case in a process whose exit is not looked at.
"""
import glob
import json
import os
import re
import sys


def cases_of(path):
    """passed, [failed names], [skipped with reasons] of one TAP file"""
    passed, failed, skipped = 0, [], []
    with open(path, encoding="utf-8", errors="replace") as tap:
        for line in tap:
            found = re.match(r"(not )?ok\b\s*-?\s*(\S*)(.*)", line)
            if not found:
                continue
            directive = re.search(r"#\s*SKIP\s*(.*)", found[3], re.IGNORECASE)
            if directive:
                skipped.append(f"{found[2]}: {directive[1].strip()}")
            elif found[1]:
                failed.append(found[2])
            else:
                passed += 1
    return passed, failed, skipped


def count(build, test):
    """The same for one test of Meson's log, whatever it is."""
    name, result = test["name"].split(" / ")[-1], test["result"]
    tap = os.path.join(build, "results", name + ".tap")
    is_criterion = any(argument.startswith("--tap=") for argument in test["command"])
    if not is_criterion:
        if result == "SKIP":
            lines = (test.get("stdout") or "").strip().splitlines()
            return 0, [], [f"{name}: {lines[-1] if lines else 'no reason given'}"]
        return (1, [], []) if result == "OK" else (0, [f"{name} ({result})"], [])
    passed, failed, skipped = cases_of(tap) if os.path.exists(tap) else (0, [], [])
    if result != "OK" and not failed:
        failed.append(f"{name} ({result})")
    if result == "OK" and passed + len(skipped) == 0:
        failed.append(f"{name} (nothing ran)")
    return passed, failed, skipped


def sanitizer_reports(build):
    for path in sorted(glob.glob(os.path.join(build, "results", "*.sanitizer.*"))):
        with open(path, encoding="utf-8", errors="replace") as report:
            faults = [line.strip() for line in report if re.search(r"ERROR|runtime error|SUMMARY|WARNING: Thread", line)]
        if faults:  # there are also warnings, of an allocation that was refused
            yield f"{os.path.relpath(path)}: {faults[0]}"


def main():
    passed, failed, skipped = 0, [], 0
    for build in sys.argv[1:]:
        log = os.path.join(build, "meson-logs", "testlog.json")
        if not os.path.exists(log):
            failed.append(f"{build}: no test was run (see {build}/test.log)")
            continue
        print(f"\n{build}")
        with open(log, encoding="utf-8") as lines:
            tests = [json.loads(line) for line in lines if line.strip()]
        for test in sorted(tests, key=lambda test: test["name"]):
            ok, bad, left = count(build, test)
            name = test["name"].split(" / ")[-1]
            note = "".join(f"\n      FAILED  {text}" for text in bad) + "".join(f"\n      skipped {text}" for text in left)
            print(f"  {name:34} {ok:6} passed {len(bad):4} failed {len(left):4} skipped {test['duration']:8.1f} s{note}")
            passed += ok
            failed += bad
            skipped += len(left)
        for report in sanitizer_reports(build):
            print(f"      FAILED  {report}")
            failed.append(report)
    if failed:
        print("\nFailed:")
        for text in failed:
            print(f"  {text}")
        print("The output of each test is in BUILD/meson-logs/testlog.txt")
    print(f"\n{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
