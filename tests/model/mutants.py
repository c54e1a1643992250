#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Negative controls for every memory ordering of the library.

Finds each operation with an ordering stronger than relaxed, and each barrier, in include/forebay. Each
must carry the label of its pair comment, must be executed by a model, and each of its weaker forms
must make a model fail. Writes the table of docs/memory_model.md from what it found.

    mutants.py --build-dir build/model            run all, write the table
    mutants.py --build-dir build/model --check    run all, fail when the table is stale
    mutants.py --list                             the operations and their comments, nothing run
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "memory_model.md"
BEGIN, END = "<!-- orderings: begin -->", "<!-- orderings: end -->"

LABEL = r"\(([A-Z]+\d+)\)"
CALL = re.compile(
    r"(?:\.|->)(load|store|exchange|fetch_\w+|compare_exchange_\w+)\(|P::(light_barrier|heavy_barrier)\(")
ORDER = re.compile(r"\b(?:std::memory_order_)?(relaxed|consume|acquire|release|acq_rel|seq_cst)\b")
# The policy itself, and what is not a template over it.
EXCLUDED = {"atomic.h"}


class Site:
    """One operation: where it stands, its orderings, and what its comment says."""

    def __init__(self, path, first, last, operation, orders):
        self.path, self.first, self.last = path, first, last
        self.operation, self.orders = operation, orders
        self.label = self.comment = None
        self.models = []  # that executed it
        self.place = None  # line.column, as the compiler names it
        self.caught = {}  # weakening -> "model/test"

    @property
    def name(self):
        return f"{self.path.name}:{self.first}"

    @property
    def ordering(self):
        if self.operation.endswith("barrier"):
            return self.operation.replace("_", " ")
        kind = {"load": "load", "store": "store"}.get(self.operation, self.operation)
        return f"{self.orders[0]} {kind}"

    def weakenings(self):
        if self.operation.endswith("barrier"):
            return ["relaxed"]
        strongest = self.orders[0]
        if strongest == "acq_rel":
            return ["acquire", "release"]
        if strongest == "seq_cst":
            return ["acq_rel"] if self.operation not in ("load", "store") else ["relaxed"]
        return ["relaxed"]


def code_and_comment(line):
    """Splits a line at its // comment, if it has one outside of a string."""
    at = line.find("//")
    while at > 0 and line.count('"', 0, at) % 2:
        at = line.find("//", at + 2)
    return (line, "") if at < 0 else (line[:at], line[at + 2:].strip())


def closing(text, at):
    depth = 1
    while depth and at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def without_calls(arguments):
    """Arguments of a call without the arguments of calls among them."""
    kept, depth = [], 0
    for character in arguments:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth <= 0:
            kept.append(character)
    return "".join(kept)


def find_sites(path):
    lines = path.read_text().split("\n")
    split = [code_and_comment(line) for line in lines]
    code = "\n".join(part for part, _ in split)
    sites = []
    for match in CALL.finditer(code):
        end = closing(code, match.end())
        orders = ORDER.findall(without_calls(code[match.end():end]))
        barrier = match.group(2)
        if not barrier and all(order == "relaxed" for order in orders):
            continue
        first = code.count("\n", 0, match.start()) + 1
        last = code.count("\n", 0, end) + 1
        site = Site(path, first, last, barrier or match.group(1), orders)
        site.label, site.comment = comment_of(split, first - 1)
        sites.append(site)
    return sites


def comment_of(split, at):
    """The labelled comment on line `at`, or the nearest one above it in the same statement."""
    if re.match(LABEL, split[at][1]):
        return labelled(split[at][1])
    above = at - 1
    while above >= 0:
        code, comment = split[above]
        if not code.strip() and comment:
            block = []
            while above >= 0 and not split[above][0].strip() and split[above][1]:
                block.insert(0, split[above][1])
                above -= 1
            text = " ".join(block)
            start = re.search(r"(?:^|(?<=[.;:] ))" + LABEL, text)
            return labelled(text[start.start():]) if start else (None, None)
        # A statement may begin above the line with the operation.
        if not code.strip() or code.rstrip()[-1] in ";{}":
            return None, None
        above -= 1
    return None, None


def labelled(text):
    return re.match(LABEL, text).group(1), text


def pairs_and_reason(site):
    """From `(R2) release store, pairs with acquire load (C1): publishes the slot.`"""
    first = re.split(r"(?<=\.) (?=[A-Z])", site.comment)[0]
    head, _, tail = first.partition(": ")
    pairs = [label for label in re.findall(LABEL, head)[1:] if label != site.label]
    if "itself" in head:
        pairs.insert(0, site.label)
    return ", ".join(dict.fromkeys(pairs)), tail.rstrip(".")


def run(command, timeout=600):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def list_sites(program):
    """Whether the model passed, and the columns executed by (base name, line)."""
    status, output = run([program, "--list-sites", "--iterations", "3000", "--search", "random"])
    seen = {}
    for name, line, column in re.findall(r"^site (\S+):(\d+)\.(\d+) ", output, re.M):
        seen.setdefault((name, int(line)), set()).add(int(column))
    return status == 0, seen


def catch(program, site, weakening):
    """The first test that fails under the weakening, or None."""
    spec = f"{site.path.name}:{site.place}:{weakening}"
    for effort in (["--iterations", "2000", "--search", "random"],
                   ["--iterations", "50000", "--search", "random"]):
        status, output = run([program, "--weaken", spec, *effort])
        if status == 0:
            continue
        tests = [row.split()[0] for row in output.splitlines() if " schedules " in row]
        if status == 1:
            return tests[-1]
        if status is not None and status < 0:  # Crashed: in the test after the last one reported.
            return "a crash"
        sys.exit(f"{program.name} --weaken {spec}: exit status {status}\n{output}")
    return None


def table(sites):
    rows = ["| label | file | operation | pairs with | protects | caught by |",
            "| --- | --- | --- | --- | --- | --- |"]
    grouped = {}
    for site in sites:
        grouped.setdefault((site.path.name, site.label), []).append(site)
    for (name, label), group in sorted(grouped.items()):
        pairs, reason = pairs_and_reason(group[0])
        operations = ", ".join(dict.fromkeys(site.ordering for site in group))
        if len(group) > 1:
            operations += f" (at {len(group)} places)"
        caught = {}
        for site in group:
            for weakening, catcher in site.caught.items():
                half = {"acquire": "release dropped: ", "release": "acquire dropped: "}
                key = half.get(weakening, "") if len(site.weakenings()) > 1 else ""
                caught.setdefault(key + f"`{catcher}`", None)
        rows.append(f"| {label} | {name} | {operations} | {pairs} | {reason} | "
                    f"{'; '.join(caught)} |")
    return "\n".join(rows)


def without_catchers(text):
    """A table without its last column: which test is first may depend on the compiler."""
    return [row.rsplit("|", 2)[0].strip() for row in text.strip().splitlines()]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--build-dir", type=pathlib.Path, help="where the models were built")
    arguments.add_argument("--check", action="store_true", help="fail when the table is stale")
    arguments.add_argument("--list", action="store_true", help="print the operations found")
    arguments.add_argument("--only", default="", help="only files whose name contains this")
    arguments.add_argument("--jobs", type=int, default=2)
    options = arguments.parse_args()

    sites = []
    for path in sorted((ROOT / "include" / "forebay").rglob("*.h")):
        if path.name not in EXCLUDED and options.only in path.name:
            sites += find_sites(path)
    if options.list:
        for site in sites:
            print(f"{site.name}: {site.ordering}: {site.comment or 'NO LABEL'}")
        return 0
    if not options.build_dir:
        arguments.error("--build-dir is needed")

    problems = [f"{site.name}: {site.ordering} has no label" for site in sites if not site.label]
    places = {}  # the orderings of each line, from left to right
    for site in sites:
        for line in range(site.first, site.last + 1):
            places.setdefault((site.path.name, line), []).append(site)
    programs = sorted(program for program in options.build_dir.rglob("*_model")
                      if program.is_file())
    if not programs:
        sys.exit(f"no models in {options.build_dir}")

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for program, (passed, seen) in zip(programs, pool.map(list_sites, programs)):
            if not passed:
                problems.append(f"{program.name} fails without any weakening")
            for place, columns in seen.items():
                there = places.get(place, [])
                # All operations of a line are executed, or the compiler's columns cannot be matched.
                for site, column in zip(there, sorted(columns)) if len(there) == len(columns) else []:
                    site.models.append(program)
                    site.place = f"{place[1]}.{column}"

        work = []
        for site in sites:
            if not site.models:
                problems.append(f"{site.name}: {site.ordering} was executed by no model")
                continue
            # The model of the header first.
            site.models.sort(key=lambda p: (p.stem != site.path.stem + "_model", p.stem))
            work += [(site, weakening) for weakening in site.weakenings()]

        def attempt(item):
            site, weakening = item
            for program in site.models:
                test = catch(program, site, weakening)
                if test:
                    return f"{program.stem.removesuffix('_model')}/{test}"
            return None

        for (site, weakening), caught in zip(work, pool.map(attempt, work)):
            print(f"{site.name:32} {site.ordering:24} -> {weakening:8} {caught or 'SURVIVES'}",
                  flush=True)
            if caught:
                site.caught[weakening] = caught
            else:
                problems.append(f"{site.name}: no model notices {site.ordering} as {weakening}")

    print(f"{len(sites)} orderings, {len(work)} mutants, {len(problems)} problems")
    for problem in problems:
        print("problem:", problem)

    text = DOCUMENT.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"{DOCUMENT} has no markers for the table")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    new = table([site for site in sites if site.label])
    if options.check:
        if without_catchers(old) != without_catchers(new):
            problems.append("stale table")
            print(f"problem: the table of {DOCUMENT.name} is stale; run mutants.py without --check")
    elif not options.only:
        DOCUMENT.write_text(f"{before}{BEGIN}\n{new}\n{END}{after}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
