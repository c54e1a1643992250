#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unit tests of the coverage preset and says what they reach of the core.

    coverage.py [--build-dir build/coverage] [--no-run]

Looks at queue, wait, epochs, stream and framing. Counts the branches of lines with a condition in
them: not those that only an exception takes, and not what the compiler adds to plain calls. Prints each file with the lines
that no test reaches, and the two sums; leaves a page for each file in the build folder.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES = [
    "include/forebay/spsc_queue.h", "include/forebay/event_count.h", "include/forebay/deadline.h",
    "include/forebay/epoch.h", "include/forebay/detail/epoch_node.h",
    "include/forebay/framing.h", "include/forebay/stream.h",
    "include/forebay/shared_bytes.h", "include/forebay/detail/account.h",
    "include/forebay/detail/block.h", "include/forebay/detail/borrowed.h",
    "include/forebay/detail/gather_memory.h", "include/forebay/detail/reclaimer.h",
    "include/forebay/detail/stream_*.h",
    "lib/core/framing.cpp", "lib/core/futex.cpp", "lib/core/shared_bytes.cpp",
    "lib/core/stream_*.cpp",
]
CONDITION = re.compile(r"\b(if|while|for|switch)\b|\?|&&|\|\|")
PROGRAMS = ["unit/unit_core", "unit/unit_socket", "protocol/protocol_tests"]


def run(folder):
    for counters in folder.rglob("*.gcda"):
        counters.unlink()
    environment = dict(os.environ, FOREBAY_SOURCE_DIR=str(ROOT), FOREBAY_PYTHON=sys.executable)
    passed = True
    for name in PROGRAMS:
        done = subprocess.run([folder / "tests" / name, "--gtest_brief=1"], cwd=ROOT,
                              env=environment, check=False)
        passed = passed and done.returncode == 0
    return passed


def report(folder):
    """gcovr's account of the files, and its pages."""
    pages = folder / "coverage"
    pages.mkdir(exist_ok=True)
    objects = [folder / "lib", folder / "tests" / "unit", folder / "tests" / "protocol"]
    files = sorted({path for pattern in FILES for path in ROOT.glob(pattern)})
    filters = [word for path in files for word in ("--filter", str(path) + "$")]
    subprocess.run(["gcovr", "-r", ROOT, "--object-directory", folder, *filters,
                    "--exclude-throw-branches", "--exclude-unreachable-branches", "--json",
                    pages / "lines.json", "--html-details", pages / "index.html", *objects],
                   check=True)
    return json.loads((pages / "lines.json").read_text())["files"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "coverage")
    arguments.add_argument("--no-run", action="store_true", help="take the counts that are there")
    options = arguments.parse_args()
    folder = options.build_dir.resolve()
    passed = options.no_run or run(folder)
    lines_all = lines_hit = branches_all = branches_hit = 0
    for file in report(folder):
        lines = [line for line in file["lines"] if not line["gcovr/noncode"]]
        source = (ROOT / file["file"]).read_text().split("\n")
        lines = [line if CONDITION.search(source[line["line_number"] - 1]) else
                 line | {"branches": []} for line in lines]
        branches = [branch for line in lines for branch in line["branches"]]
        missed = [line["line_number"] for line in lines if line["count"] == 0]
        half = [line["line_number"] for line in lines
                if any(branch["count"] == 0 for branch in line["branches"])]
        taken = sum(branch["count"] != 0 for branch in branches)
        lines_all, lines_hit = lines_all + len(lines), lines_hit + len(lines) - len(missed)
        branches_all, branches_hit = branches_all + len(branches), branches_hit + taken
        print(f"{file['file']:50} {len(lines) - len(missed):5}/{len(lines):<5}"
              f"{taken:5}/{len(branches):<5}"
              + (f" lines {', '.join(map(str, missed))}" if missed else "")
              + (f" branches at {', '.join(map(str, half))}" if half else ""))
    if not lines_all:
        print("coverage: nothing was counted")
        return 1
    print(f"coverage: {100 * lines_hit / lines_all:.2f} % of the lines ({lines_all})")
    print(f"coverage: {100 * branches_hit / max(1, branches_all):.2f} % of the branches "
          f"({branches_all})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
