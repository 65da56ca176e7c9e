#!/usr/bin/env python3
"""page.py PAGE SOURCE BUILD SCRATCH COMPILER...: compiles and runs the C code of a page of the documentation.

Each block between ```c and ``` becomes a program of its own:
  with main()                       as it stands
  below <!-- tested in: CODE -->    CODE, with the block in place of the line @@
  below <!-- not tested: WHY -->    left alone
  otherwise                         declarations: compiled only
A program must return 0, or 77 where it lacks data.  It runs in SCRATCH, with ATLED_SOURCE naming the project's folder.
"""
import os
import re
import subprocess
import sys

BLOCK = re.compile(r"(?:<!--\s*(?P<note>(?:(?!-->).)*)-->\s*\n)?^```c\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)


def program_of(note, code):
    """The text of the program, or None if it is not to be tested."""
    note = (note or "").strip()
    if note.startswith("not tested:"):
        return None
    if note.startswith("tested in:"):
        frame = note[len("tested in:"):]
        if not re.search(r"^\s*@@\s*$", frame, re.MULTILINE):
            sys.exit("a frame (tested in:) has no line @@")
        return re.sub(r"^\s*@@\s*$", lambda _: code, frame, count=1, flags=re.MULTILINE)
    if re.search(r"\bmain\(", code):
        return code
    return f"#include <atled/atled.h>\n{code}\nint main(void) {{ return 0; }}\n"


def main():
    page, source, build, scratch, *compiler = sys.argv[1:]
    source, build = os.path.abspath(source), os.path.abspath(build)
    os.makedirs(scratch, exist_ok=True)
    with open(page, encoding="utf-8") as file:
        text = file.read()
    failed = tested = missing = 0
    for number, block in enumerate(BLOCK.finditer(text), 1):
        line = text.count("\n", 0, block.start("code")) + 1
        program = program_of(block["note"], block["code"])
        if program is None:
            continue
        tested += 1
        path = os.path.join(scratch, f"{os.path.basename(page)}.{number}")
        with open(path + ".c", "w", encoding="utf-8") as file:
            file.write("#define _GNU_SOURCE 1\n" + program)
        built = subprocess.run(
            [*compiler, "-std=gnu11", "-Wall", "-Wno-unused", "-I", f"{source}/include", path + ".c", "-o", path,
             "-L", build, f"-Wl,-rpath,{build}", "-latled", "-lm"], capture_output=True, text=True, check=False)
        if built.returncode:
            print(f"{page}:{line}: does not compile\n{built.stderr}")
            failed += 1
            continue
        ran = subprocess.run([path], capture_output=True, text=True, cwd=scratch, check=False, timeout=300,
                             env={**os.environ, "ATLED_SOURCE": source})
        if ran.returncode == 77:
            missing += 1
        elif ran.returncode:
            print(f"{page}:{line}: returns {ran.returncode}\n{ran.stdout}{ran.stderr}")
            failed += 1
    print(f"{tested} programs, {failed} failed, {missing} without their data")
    if not failed and missing and missing == tested:
        return 77
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
