#!/usr/bin/env python3
"""Checks docs/faults.md: every case has a test, and every test that it names is declared."""

import re
import sys
from pathlib import Path

DECLARED = re.compile(
    r"\b(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+)", re.MULTILINE)
CLASS = re.compile(r"^class (\w+)\((?:\w+, )*unittest\.TestCase\):", re.MULTILINE)
METHOD = re.compile(r"^    def (test_\w+)\(", re.MULTILINE)
NAMED = re.compile(r"`(\w+)\.(\w+)`")


def main():
    declared = set()
    for source in Path("tests").rglob("*.cpp"):
        declared.update(DECLARED.findall(source.read_text(encoding="utf-8")))
    for source in Path("tests").rglob("test_*.py"):
        text = source.read_text(encoding="utf-8")
        parts = CLASS.split(text)[1:]
        for name, body in zip(parts[::2], parts[1::2]):
            declared.update((name, method) for method in METHOD.findall(body))
    rows = 0
    complaints = []
    for line in Path("docs/faults.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[-1] in ("tests", "---"):
            continue
        rows += 1
        named = NAMED.findall(cells[-1])
        if not named:
            complaints.append(f"{cells[0]}: names no test")
        complaints += [
            f"{cells[0]}: {suite}.{name} is not declared" for suite, name in named
            if (suite, name) not in declared
        ]
    if rows == 0:
        complaints.append("no table was found")
    for complaint in complaints:
        print(f"docs/faults.md: {complaint}")
    print(f"{rows} rows, {len(declared)} tests declared")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
