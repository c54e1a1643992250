#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the full checks and holds what they report against what is asked of them.

    verify.py [--only TEXT] [--write] [--jobs N]

Every figure is read from the output of the program that did the work; a program that fails, or that
says nothing of a figure, misses it. Prints one table, and leaves it in build/verify/ with the
outputs; with --write the table of docs/guarantees.md is written too. The exit status is 1 when a
figure is missed.
"""

import argparse
import concurrent.futures
import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "verify"
DOCUMENT = ROOT / "docs" / "guarantees.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Figure:
    """Something counted: what, how it is found in the output, and the least it has to be.

    A pattern with a group finds numbers, which are added up; one without is counted. The least is a
    number, or a pattern that is counted. What begins with the same word counts once: a search that
    is repeated says so each time.
    """

    def __init__(self, what, pattern, least, unit=""):
        self.what, self.pattern, self.least, self.unit = what, pattern, least, unit

    def read(self, output):
        if not re.compile(self.pattern).groups:
            return self.count(self.pattern, output)
        found = re.findall(self.pattern, output, re.M)
        return sum(float(text.replace(",", "")) for text in found) if found else None

    def required(self, output):
        return self.count(self.least, output) if isinstance(self.least, str) else float(self.least)

    @staticmethod
    def count(pattern, output):
        return float(len({found.split()[0] for found in re.findall(pattern, output, re.M)}))


class Step:
    """Commands, and the figures that their output has to show. `alone`: wants the machine."""

    def __init__(self, name, commands, figures, environment=None, alone=False):
        self.name, self.commands, self.figures, self.alone = name, commands, figures, alone
        self.environment = dict(os.environ, **(environment or {}))
        self.outputs, self.passed, self.seconds = [], bool(commands), 0.0

    def run(self, command):
        began = time.monotonic()
        try:
            done = subprocess.run(command, cwd=ROOT, env=self.environment, text=True,
                                  errors="replace", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            status, output = done.returncode, done.stdout
        except OSError as error:
            status, output = 127, str(error)
        self.outputs.append(f"$ {' '.join(map(str, command))}\n{output}")
        self.passed = self.passed and status == 0
        took = time.monotonic() - began
        self.seconds += took
        (LOGS / f"{self.name}.log").write_text(self.output)
        print(f"verify: {self.name}: {pathlib.Path(command[0]).name} "
              f"{'ended well' if status == 0 else f'FAILED with {status}'}, {took:.0f} s", flush=True)

    @property
    def output(self):
        return "\n".join(self.outputs)

    def rows(self):
        """(what, required, achieved, unit, met) of each figure."""
        for figure in self.figures:
            least, value = figure.required(self.output), figure.read(self.output)
            met = self.passed and value is not None and value >= least
            yield figure.what, least, value, figure.unit, met


def stress(preset, share):
    """The stress binary of a preset, which goes on until it has counted enough."""
    program = ROOT / "build" / preset / "stress" / "forebay-stress"
    where = "" if share == 1 else f", {preset}"
    asked = {"hand-overs": 1e9, "protected reads": 1e9, "retirements": 1e7, "park/unpark pairs": 1e7}
    figures = [Figure(f"{what}, checked{where}", rf"^checked:.*?(\d+) {what}", least / share)
               for what, least in asked.items()]
    figures.append(Figure(f"stress runs without a stale read or a lost wake{where}",
                          r"^checked: .*stale reads, lost wakes, lost or doubled bytes: 0$", 1))
    return Step(f"stress-{preset}", [[program, "--goal", "full", "--seconds", "20", "--quiet"]],
                figures, alone=True)


CORE_MODELS = ["spsc_queue", "event_count", "epoch", "stream_ends"]


def models(name, programs, bound, iterations, figures):
    """Random schedules of every test, and complete searches within the bound."""
    folder = ROOT / "build" / "model" / "tests" / "model"
    commands = [[folder / f"{program}_model", *words] for program in programs for words in (
        ["--search", "bounded", "--preemptions", str(bound)],
        ["--search", "random", "--iterations", str(iterations)])]
    return Step(f"models-{name}", commands, [
        *figures,
        Figure(f"tests of the {name} models searched completely within {bound} preemptions",
               rf"^\S+ +within [{bound}-9] .* ok$", r"^\S+ +random "),
    ])


def fuzz(name, count, words):
    command = [sys.executable, "tests/fuzz/run.py", "--build-dir", "build/fuzz", "--jobs", "1",
               "--runs", str(count), name]
    return Step(f"fuzz-{name}", [command],
                [Figure(f"fuzz executions, {words}", rf"^{name} +([\d,]+) executions", count)])


def steps():
    dev = ROOT / "build" / "dev" / "tests"
    checkout = {"FOREBAY_SOURCE_DIR": str(ROOT), "FOREBAY_PYTHON": sys.executable}
    return [
        # First, since it takes as long on one core as the others do on the other.
        fuzz("framing", 20_000_000, "framing"),
        models("core", CORE_MODELS, 3, 1_800_000,
               [Figure("Relacy schedules", r"^\w+: (\d+) schedules, all passed", 100e6)]),
        models("other", ["credit_gate", "epoch_seat", "role_token", "warm_cache"], 2, 300_000, []),
        fuzz("arrow", 2_000_000, "Arrow with scatter decode"),
        fuzz("stream", 2_000_000, "sequences of stream operations"),
        fuzz("receive", 200_000, "sockets with placement"),
        fuzz("spark_init", 100_000, "Spark's init message and channel"),
        Step("deterministic", [[dev / "deterministic" / "forebay-deterministic", "--long"]],
             [Figure("seeds of the deterministic scheduler", r"^deterministic: (\d+) seeds, ", 1e6),
              Figure("whole sessions of the same", r"^deterministic: .*seeds, (\d+) sessions", 1e5)]),
        Step("faults", [[dev / "faults" / "faults_socket"], [dev / "faults" / "faults_arrow"]],
             [Figure("truncations of golden streams, framing",
                     r"^faults: (\d+) prefixes followed by the framing", 800_000),
              Figure("truncations of golden streams, Arrow",
                     r"^faults: (\d+) prefixes read through Arrow", 20_000),
              Figure("senders killed", r"^faults: (\d+) senders (?:of Arrow streams )?killed", 1000),
              Figure("receivers killed", r"^faults: (\d+) receivers killed", 1000),
              Figure("system calls failed", r"^faults: (\d+) system calls failed", 1),
              Figure("allocations failed", r"^faults: (\d+) allocations ", 1)],
             checkout | {"FOREBAY_FAULTS": "full"}),
        stress("release", 1),
        stress("asan", 10),
        stress("tsan", 10),
        Step("coverage", [[sys.executable, "packaging/coverage.py"]],
             [Figure("lines of queue, wait, epochs, stream, framing that tests reach",
                     r"^coverage: ([\d.]+) % of the lines", 100.0, "%"),
              Figure("branches of the same", r"^coverage: ([\d.]+) % of the branches", 95.0, "%")],
             alone=True),
    ]


def number(value, unit):
    if value is None:
        return "not reported"
    return f"{value:.1f} %" if unit == "%" else f"{value:,.0f}"


def table(rows):
    lines = ["| | required | achieved | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {what} | {number(least, unit)} | {number(value, unit)} | "
              f"{'' if met else 'missed'} |" for what, least, value, unit, met in rows]
    return "\n".join(lines)


def machine():
    """The machine, the compiler, the commit and the day, in words."""
    cpu = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    of = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                                         check=False).stdout.strip()
    changed = ", with changes" if of("git", "status", "--porcelain", "-uno") else ""
    return (f"{len(cpu)} CPUs, {cpu[0] if cpu else platform.machine()}; Linux {platform.release()}; "
            f"gcc {of('g++', '-dumpfullversion')}; commit {of('git', 'rev-parse', '--short', 'HEAD')}"
            f"{changed}; {datetime.date.today().isoformat()}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--only", default="", help="steps whose name contains this")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("--write", action="store_true", help="write the table of guarantees.md")
    options = arguments.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    chosen = [step for step in steps() if options.only in step.name]
    beside = [(step, command) for step in chosen if not step.alone for command in step.commands]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda pair: pair[0].run(pair[1]), beside))
    for step in chosen:
        for command in step.commands if step.alone else []:
            step.run(command)
    rows = [row for step in chosen for row in step.rows()]
    minutes = (time.monotonic() - began) / 60
    text = f"{table(rows)}\n\n{machine()}; {minutes:.0f} minutes.\n"
    (LOGS / "table.md").write_text(text)
    print(f"\n{text}")
    if options.write:
        before, rest = DOCUMENT.read_text().split(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}")
    return 0 if rows and all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
