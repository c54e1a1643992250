# SPDX-License-Identifier: Apache-2.0
"""Plants faults in the library, one at a time, and sees whether a test catches them.

    run.py --build-dir build/dev [--only TEXT]... [--jobs N] [--list]

The faults stand in *.toml beside this file: exact text of a source, and what stands there instead.
For each, one translation unit is compiled with the change and linked in front of the objects of a
unit test program that was built before, where its functions stand for those of all others; that
holds because that build does not inline. Then the tests run that should catch it. It is caught when
they fail, crash, or do not come to an end.

The exit status is 1 when fewer than nine in ten are caught, when fewer than 100 are planted, and
when a text is not found exactly once: a fault that is not planted proves nothing.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATE_MIN, COUNT_MIN = 0.90, 100
SECONDS_MAX = 120  # for one run of tests; a single test that hangs ends after TEST_SECONDS_MAX
TEST_SECONDS_MAX = 20


class Fault:
    def __init__(self, group, what, old, new):
        self.file, self.unit = group["file"], group["unit"]
        self.program, self.tests = group["program"], group["tests"]
        self.what, self.old, self.new = what, old, new

    def planted(self):
        """The text of the file with the fault in it, or None when its place is not found."""
        text = (ROOT / self.file).read_text()
        return text.replace(self.old, self.new) if text.count(self.old) == 1 else None


def read_faults():
    return [Fault(group, *fault)
            for path in sorted(pathlib.Path(__file__).parent.glob("*.toml"))
            for group in tomllib.loads(path.read_text())["group"]
            for fault in group["faults"]]


class Build:
    """How the unit test programs of a build folder are compiled and linked."""

    def __init__(self, folder):
        self.folder = folder.resolve()
        self.compiles = {}
        for entry in json.loads((self.folder / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"])
            if path.is_relative_to(ROOT):
                self.compiles.setdefault(str(path.relative_to(ROOT)), entry["command"])
        self.links = {}

    def compile(self, unit, source, output, include):
        """The command that compiles `source` in place of `unit`, with `include` first."""
        words = shlex.split(self.compiles[unit])
        kept, skip = [], False
        for word in words[1:]:
            if skip or word in ("-g", "-Werror") or word.startswith(("-W", "-ffile-prefix-map")):
                skip = False
                continue
            if word in ("-o", "-c"):
                skip = True
                continue
            kept.append(word)
        folder = (ROOT / unit).parent
        return [words[0], "-w", f"-I{include}/include", f"-I{include}/tests", *kept,
                f"-I{folder}", "-o", output, "-c", source]

    def link(self, program, unit, extra, output):
        """The command that links `program` with the object `extra` in front, and not `unit`'s."""
        if program not in self.links:
            out = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", program],
                                 capture_output=True, text=True, check=True).stdout
            self.links[program] = out.splitlines()[-1]
        line = re.search(r"&& (.*) && :$", self.links[program]).group(1)
        words = shlex.split(line)
        name = pathlib.Path(unit).name + ".o"
        words = [word for word in words if not (word.endswith(f"/{name}") and "tests/" in word)]
        words[words.index("-o") + 1] = str(output)
        return [words[0], "-Wl,--strip-debug", str(extra), *words[1:]]


def run(command, seconds, **options):
    """The exit status, or None after the time limit; the output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True, **options)
    try:
        out, _ = process.communicate(timeout=seconds)
        return process.returncode, out
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return None, process.communicate()[0]


def catcher(status, output):
    """What caught the fault, in words; None when every test passed."""
    if status == 0:
        return None
    running = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
    failed = re.findall(r"^\[  FAILED  \] ([^\s,]+)", output, re.M)
    test = failed[0] if failed else running[-1] if running else "start"
    if status is None or "a test hangs: " in output:
        return f"{test} (hangs)"
    return test if failed else f"{test} (ends the program)"


def attempt(build, fault):
    """("caught" | "survived" | "broken", what caught it or why it is not planted)."""
    planted = fault.planted()
    if planted is None:
        return "broken", "its text is not found exactly once"
    with tempfile.TemporaryDirectory(prefix="forebay-mutant-") as name:
        scratch = pathlib.Path(name)
        for path in {fault.file, fault.unit}:
            copy = scratch / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(planted if path == fault.file else (ROOT / path).read_text())
        unit_object, program = scratch / "unit.o", scratch / fault.program
        command = build.compile(fault.unit, scratch / fault.unit, unit_object, scratch)
        status, output = run(command, 300, cwd=build.folder)
        if status != 0:
            return "broken", "it does not compile:\n" + output
        status, output = run(build.link(fault.program, fault.unit, unit_object, program), 300,
                             cwd=build.folder)
        if status != 0:
            return "broken", "it does not link:\n" + output
        environment = dict(os.environ, GTEST_FAIL_FAST="1", GTEST_COLOR="no",
                           FOREBAY_TEST_SECONDS_MAX=str(TEST_SECONDS_MAX),
                           FOREBAY_SOURCE_DIR=str(ROOT), FOREBAY_PYTHON=sys.executable)
        status, output = run([program, f"--gtest_filter={fault.tests}"], SECONDS_MAX, cwd=scratch,
                             env=environment)
        caught = catcher(status, output)
        return ("caught", caught) if caught else ("survived", "")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "dev")
    arguments.add_argument("--only", action="append", default=[],
                           help="faults whose file or words contain this; may be said again")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("--list", action="store_true", help="check the texts, plant nothing")
    options = arguments.parse_args()
    everything = read_faults()
    faults = [fault for fault in everything
              if not options.only
              or any(text in f"{fault.file} {fault.what}" for text in options.only)]
    if options.list:
        misplaced = [fault for fault in faults if fault.planted() is None]
        for fault in misplaced:
            print(f"{fault.file}: {fault.what}: its text is not found exactly once")
        print(f"{len(faults)} faults, {len(misplaced)} without a place")
        return 1 if misplaced else 0

    build = Build(options.build_dir)
    began = time.monotonic()
    counts = {"caught": 0, "survived": 0, "broken": 0}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for fault, (outcome, words) in zip(faults, pool.map(lambda f: attempt(build, f), faults)):
            counts[outcome] += 1
            mark = words if outcome == "caught" else f"{outcome.upper()} {words}"
            print(f"{pathlib.Path(fault.file).name:24} {fault.what:64} {mark}", flush=True)
    planted = counts["caught"] + counts["survived"]
    rate = counts["caught"] / planted if planted else 0.0
    print(f"{planted} faults planted, {counts['caught']} caught, {100 * rate:.1f} %, "
          f"{counts['broken']} could not be planted, {time.monotonic() - began:.0f} s")
    enough = len(faults) < len(everything) or planted >= COUNT_MIN
    return 0 if enough and rate >= RATE_MIN and not counts["broken"] else 1


if __name__ == "__main__":
    sys.exit(main())
