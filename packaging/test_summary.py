#!/usr/bin/env python3
"""Adds up what ctest reported: test_summary.py preset:build_seconds:label,label ...

Reads what ./dev test left under build/: <preset>.junit.xml, the results, and <preset>.tests.json,
the list of the tests with their labels, which the results of CMake 3.25 do not name.

Prints passed, failed and skipped tests and the time for each preset and label, and closes with one
plain line of totals. A preset without results, and a label named on the command line that ran no
test, count as failures.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from verify import Figure, number

# What the quick tier counts, by preset and label: printed, and held against what it has to be.
FIGURES = {
    ("dev", "stress"): [
        Figure("hand-overs, checked", r"^checked:.*?(\d+) hand-overs", 50e6),
        Figure("protected reads, checked", r"^checked:.*?(\d+) protected reads", 50e6),
        Figure("retirements, checked", r"^checked:.*?(\d+) retirements", 1e6),
        Figure("park/unpark pairs, checked", r"^checked:.*?(\d+) park/unpark pairs", 1e6),
    ],
    ("dev", "faults"): [
        Figure("truncations of golden streams", r"^faults: (\d+) prefixes", 0),
        Figure("senders killed", r"^faults: (\d+) senders (?:of Arrow streams )?killed", 50),
        Figure("receivers killed", r"^faults: (\d+) receivers killed", 50)],
    ("dev", "deterministic"): [
        Figure("seeds of the deterministic scheduler", r"^deterministic: (\d+) seeds, ", 20_000),
        Figure("whole sessions of the same", r"^deterministic: .*seeds, (\d+) sessions", 2_000)],
    ("asan", "deterministic"): [
        Figure("seeds of the deterministic scheduler", r"^deterministic: (\d+) seeds, ", 5_000)],
    ("asan", "stress"): [Figure("hand-overs, checked", r"^checked:.*?(\d+) hand-overs", 5e6)],
    ("tsan", "stress"): [Figure("hand-overs, checked", r"^checked:.*?(\d+) hand-overs", 5e6)],
    ("fuzz", "fuzz"): [Figure("executions of fuzzers", r"^\w+ +([\d,]+) executions", 1)],
    ("model", "model"): [
        Figure("Relacy schedules", r"^\w+: (\d+) schedules, all passed", 5e6)],
}


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def read(preset):
    """The tallies of one preset by label, the names of what failed, and the outputs by label."""
    listed = json.loads(Path(f"build/{preset}.tests.json").read_text(encoding="utf-8"))
    labels = {
        test["name"]: label
        for test in listed["tests"]
        for item in test.get("properties", [])
        if item["name"] == "LABELS"
        for label in item["value"]
    }
    tallies = defaultdict(Tally)
    failed = []
    outputs = defaultdict(str)
    for case in ElementTree.parse(f"build/{preset}.junit.xml").getroot().iter("testcase"):
        tally = tallies[labels.get(case.get("name"), "none")]
        tally.seconds += float(case.get("time") or 0)
        outputs[labels.get(case.get("name"), "none")] += (case.findtext("system-out") or "") + "\n"
        status = case.get("status")
        if status == "run":
            tally.passed += 1
        elif status == "fail":
            tally.failed += 1
            failed.append(case.get("name"))
        else:
            tally.skipped += 1
    return tallies, failed, outputs


def main(runs):
    total = Tally()
    complaints = []
    counted = []
    print(f"\n{'preset':<12}{'label':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}")
    for run in runs:
        preset, build_seconds, wanted = run.split(":")
        print(f"{preset:<12}{'(build)':<14}{'':>25}{float(build_seconds):>10.1f}")
        try:
            tallies, failed, outputs = read(preset)
        except (OSError, ValueError, ElementTree.ParseError):
            complaints.append(f"{preset}: did not build, or its tests did not report")
            continue
        for label, tally in sorted(tallies.items()):
            print(f"{preset:<12}{label:<14}{tally.passed:>8}{tally.failed:>8}"
                  f"{tally.skipped:>9}{tally.seconds:>10.1f}")
            total.passed += tally.passed
            total.failed += tally.failed
            total.skipped += tally.skipped
        for name in failed:
            print(f"failed: {preset}: {name}")
        for label in filter(None, wanted.split(",")):
            for figure in FIGURES.get((preset, label), []):
                least, value = figure.required(outputs[label]), figure.read(outputs[label])
                counted.append(f"{preset}: {figure.what}: {number(value, '')}, "
                               f"at least {number(least, '')}")
                if (value or 0) < least:
                    complaints.append(counted[-1])
            if tallies[label].passed + tallies[label].failed == 0:
                complaints.append(f"{preset}: the label {label} ran no test")
    for line in counted:
        print(f"counted: {line}")
    for complaint in complaints:
        print(f"failed: {complaint}")
    total.failed += len(complaints)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
