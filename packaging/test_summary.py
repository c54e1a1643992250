#!/usr/bin/env python3
"""Adds up what ctest reported: test_summary.py preset:result.xml:build_seconds:label,label ...

Prints passed, failed and skipped tests and the time for each preset and label, and closes with one
plain line of totals. A preset without results, and a label named on the command line that ran no
test, count as failures.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def labels_of(case):
    for item in case.iter("property"):
        if item.get("name") == "cmake_labels":
            return item.get("value", "")
    return ""


def read(path):
    """The tallies of one result file by label, and the names of what failed."""
    tallies = defaultdict(Tally)
    failed = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        tally = tallies[labels_of(case) or "none"]
        tally.seconds += float(case.get("time") or 0)
        status = case.get("status")
        if status == "run":
            tally.passed += 1
        elif status == "fail":
            tally.failed += 1
            failed.append(case.get("name"))
        else:
            tally.skipped += 1
    return tallies, failed


def main(runs):
    total = Tally()
    complaints = []
    print(f"\n{'preset':<12}{'label':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}")
    for run in runs:
        preset, path, build_seconds, wanted = run.split(":")
        print(f"{preset:<12}{'(build)':<14}{'':>25}{float(build_seconds):>10.1f}")
        try:
            tallies, failed = read(path)
        except (OSError, ElementTree.ParseError):
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
            if tallies[label].passed + tallies[label].failed == 0:
                complaints.append(f"{preset}: the label {label} ran no test")
    for complaint in complaints:
        print(f"failed: {complaint}")
    total.failed += len(complaints)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
