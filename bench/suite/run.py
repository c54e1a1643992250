# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the layers: every program in rounds, then tables of what they say.

`./dev bench` builds the programs and calls this."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import rich.console

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what all benchmarks share

import machine  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402

ROUNDS, ROUNDS_QUICK = 25, 7
SECONDS = 100  # for one program
SECONDS_QUICK_ALL = 100  # for all programs; no round begins later
TABLE_WIDTH = 170
# Google Benchmark runs up to 1.4 times as long as it was asked to, and must find out how often.
OVERRUN = 1.7


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="programs, by a part of their names; all")
    parser.add_argument("--quick", action="store_true",
                        help="two minutes for everything: to see where one stands, not to publish")
    parser.add_argument("--filter", default="", metavar="REGEX",
                        help="only the benchmarks <peer>/<case> that match")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help=f"rounds at most ({ROUNDS}; quick: {ROUNDS_QUICK})")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help=f"no round of a program begins later ({SECONDS})")
    parser.add_argument("--results", type=pathlib.Path, metavar="DIR",
                        help="where the figures go (results in the build folder)")
    parser.add_argument("--publish", action="store_true",
                        help="add a run to bench/results, which is committed")
    parser.add_argument("--tables", action="store_true",
                        help="run nothing; write what is published into the documents and plots")
    return parser.parse_args()


def programs(build_dir, names):
    found = [file for file in sorted((build_dir / "bench").glob("bench_*"))
             if file.is_file() and not file.suffix]
    exact = [file for file in found if layer_of(file) in names]
    return exact or [file for file in found
                     if not names or any(name in file.name for name in names)]


def layer_of(program):
    return program.name.removeprefix("bench_")


def count_of(program, pattern):
    listed = subprocess.run([program, "--benchmark_list_tests=true",
                             f"--benchmark_filter={pattern or '.'}"],
                            capture_output=True, text=True, check=True).stdout
    return len(listed.splitlines())


def run(console, program, options, rounds, seconds, described):
    """Runs one program and returns what is stored of it; None when it failed without results."""
    count = count_of(program, options.filter)
    if count == 0:
        return None
    min_time = min(0.1, max(0.001, seconds / (count * rounds * OVERRUN)))
    neighbours = machine.Neighbours()
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as folder:
        out = pathlib.Path(folder) / "out.json"
        process = subprocess.Popen(
            [program, f"--rounds={rounds}", f"--seconds_max={seconds}", f"--out={out}",
             f"--benchmark_min_time={min_time}", f"--benchmark_filter={options.filter or '.'}"],
            stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if console.is_terminal:
                console.print(f"{layer_of(program)}: {line.strip()}    ", end="\r")
        if process.wait() != 0:
            console.print(f"[red]FAILED[/red] {program.name} ended with {process.returncode}")
        if not out.exists():
            return None
        stored = results.condensed(json.loads(out.read_text()))
    measured_on = {**described, "others_cores": round(neighbours.cores(), 3)}
    console.print(f"{layer_of(program)}: {stored['rounds']} rounds of {count} benchmarks")
    return {"layer": layer_of(program), "machine": measured_on, **stored,
            "failed": process.returncode != 0}


def slug(text):
    return re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-")


def folder_of(base, described):
    """Named by commit, CPU and compiler."""
    compiler = re.sub(r"\([^)]*\)", "", described["compiler"].split(",")[0])
    return base / "_".join(map(slug, (described["commit"], described["cpu"], compiler)))


def store(folder, stored, keep):
    """Beside the runs that are there, or in their place."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while keep and (folder / f"{stored['layer']}-{number}.json").exists():
        number += 1
    file = folder / f"{stored['layer']}-{number}.json"
    # One series a line: short, and its differences can be read.
    text = json.dumps(stored, indent=1)
    text = re.sub(r"\[\s+([^][{}]*?)\s+\]",
                  lambda match: "[" + re.sub(r"\s+", " ", match.group(1)) + "]", text)
    file.write_text(text + "\n")
    return file


def main():
    options = arguments()
    console = rich.console.Console(highlight=False)
    if options.tables:
        sys.argv = ["report.py"]
        return report.main()
    build_dir = options.build_dir.resolve()
    chosen = programs(build_dir, options.names)
    if not chosen:
        console.print(f"no such program in {build_dir / 'bench'}")
        return 1
    described = machine.describe(report.CHECKOUT, build_dir)
    if options.publish and (options.quick or "with changes" in described["commit"]):
        console.print("only full runs of a commit without changes are published")
        return 1
    base = report.PUBLISHED if options.publish else (options.results or build_dir / "results")
    folder = folder_of(base, described)
    rounds = options.rounds or (ROUNDS_QUICK if options.quick else ROUNDS)
    end = time.monotonic() + SECONDS_QUICK_ALL
    files, failed = [], False
    for place, program in enumerate(chosen):
        seconds = options.seconds or SECONDS
        if options.quick:
            seconds = max(0.0, end - time.monotonic()) / (len(chosen) - place)
        stored = run(console, program, options, rounds, seconds, described)
        if stored is None:
            continue
        failed = stored.pop("failed") or failed
        files.append(store(folder, stored, keep=options.publish))
    if not files:
        console.print("nothing was measured")
        return 1
    if console.width < TABLE_WIDTH:
        console = rich.console.Console(highlight=False, width=TABLE_WIDTH)
    layers = results.load(files)
    report.print_all(console, layers)
    for line in report.machine_lines(next(iter(layers.values()))):
        console.print(line)
    for file in files:
        console.print(f"Figures: {file}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
