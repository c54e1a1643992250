#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unit tests of the coverage preset and says what they reach of the core.

    coverage.py [--build-dir build/coverage] [--no-run]

Looks at queue, wait, epochs, stream and framing, as clang counts them: a line is reached when any
code on it ran; a branch is one outcome, true or false, of one condition in the source, each operand
of && and || and each case of a switch by itself. A template counts once, whichever of its instances
a test ran. What the source does not say is no branch: the way an exception takes out of a call, the
test for null inside a delete, a condition that is a constant. Nothing else is left out.

Prints each file with the lines that no test reaches and the outcomes that never came, and the two
sums; leaves a page for each file in the build folder.
"""

import argparse
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
# Not those that are marked as folded: these are constants.
BRANCH = re.compile(r"Branch \((\d+):(\d+)\): \[True: ([\d.]+\w?), False: ([\d.]+\w?)\]")
PROGRAMS = ["unit/unit_core", "unit/unit_socket", "protocol/protocol_tests"]


def run(folder, counts):
    """Runs the programs; their counters stand in mapped files, which outlive a crash and a fork."""
    for old in counts.glob("*.profraw"):
        old.unlink()
    passed = True
    for name in PROGRAMS:
        files = counts / f"{pathlib.Path(name).name}-%p%c.profraw"
        environment = dict(os.environ, FOREBAY_SOURCE_DIR=str(ROOT), FOREBAY_PYTHON=sys.executable,
                           LLVM_PROFILE_FILE=str(files))
        done = subprocess.run([folder / "tests" / name, "--gtest_brief=1"], cwd=ROOT,
                              env=environment, check=False)
        passed = passed and done.returncode == 0
    return passed


def llvm_cov(command, folder, counts, *options):
    """What it prints. It warns of mismatched data for each inline function that a file includes and
    does not use; the function is counted where it is used.
    """
    first, *others = [folder / "tests" / name for name in PROGRAMS]
    files = sorted({path for pattern in FILES for path in ROOT.glob(pattern)})
    done = subprocess.run(
        ["llvm-cov-14", command, first, *(word for path in others for word in ("-object", path)),
         f"-instr-profile={counts / 'all.profdata'}", *options, *files],
        check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout


def lines_of(lcov):
    """path: {line: how often} of each file."""
    files, counts = {}, {}
    for word, _, rest in (line.partition(":") for line in lcov.split("\n")):
        if word == "SF":
            counts = files.setdefault(pathlib.Path(rest), {})
        elif word == "DA":
            line, count = rest.split(",")[:2]
            counts[int(line)] = max(counts.get(int(line), 0), int(count))
    return files


def branches_of(shown):
    """path: {place: [whether it was true, whether it was false]}, all instances together."""
    files, places = {}, {}
    for line in shown.split("\n"):
        if line.startswith("/") and line.endswith(":"):
            places = files.setdefault(pathlib.Path(line[:-1]), {})
        for number, column, *counts in BRANCH.findall(line):
            outcomes = places.setdefault((int(number), int(column)), [False, False])
            for i, count in enumerate(counts):
                outcomes[i] = outcomes[i] or count != "0"
    return files


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "coverage")
    arguments.add_argument("--no-run", action="store_true", help="take the counts that are there")
    options = arguments.parse_args()
    folder = options.build_dir.resolve()
    counts = folder / "coverage"
    counts.mkdir(exist_ok=True)
    passed = options.no_run or run(folder, counts)
    subprocess.run(["llvm-profdata-14", "merge", "-o", counts / "all.profdata",
                    *sorted(counts.glob("*.profraw"))], check=True)
    lines = lines_of(llvm_cov("export", folder, counts, "-format=lcov"))
    branches = branches_of(llvm_cov("show", folder, counts, "-show-branches=count",
                                    "-show-instantiations=false"))
    llvm_cov("show", folder, counts, "-format=html", f"-output-dir={counts}",
             "-show-branches=count", "-show-instantiations=false")

    lines_all = lines_hit = outcomes_all = outcomes_hit = 0
    for path, of_line in sorted(lines.items()):
        missed = [line for line, count in of_line.items() if count == 0]
        of_place = sorted(branches.get(path, {}).items())
        outcomes = [came for _, both in of_place for came in both]
        taken = sum(outcomes)
        never = [f"{line}:{column} {word}" for (line, column), both in of_place
                 for word, came in zip(("true", "false"), both) if not came]
        lines_all, lines_hit = lines_all + len(of_line), lines_hit + len(of_line) - len(missed)
        outcomes_all, outcomes_hit = outcomes_all + len(outcomes), outcomes_hit + taken
        print(f"{str(path.relative_to(ROOT)):50} {len(of_line) - len(missed):5}/{len(of_line):<5}"
              f"{taken:5}/{len(outcomes):<5}"
              + (f" lines {', '.join(map(str, sorted(missed)))}" if missed else "")
              + (f" never {', '.join(never)}" if never else ""))
    if not lines_all:
        print("coverage: nothing was counted")
        return 1
    print(f"coverage: {100 * lines_hit / lines_all:.2f} % of the lines ({lines_all})")
    print(f"coverage: {100 * outcomes_hit / max(1, outcomes_all):.2f} % of the branches "
          f"({outcomes_all})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
