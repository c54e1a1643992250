# SPDX-License-Identifier: Apache-2.0
"""The main job: TPC-H query 6 over a stream between two processes, in every mode, side by side.

`./dev run` builds forebay-tpch and calls this."""

import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
import tempfile

import rich.console
import rich.progress

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what all benchmarks share

import checks  # noqa: E402
import data  # noqa: E402
import machine  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import tables  # noqa: E402
import traces  # noqa: E402

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_MODES = {
    "socket": ("receive", "decode", "sequential", "inline", "threaded", "automatic", "mutex"),
    "grpc": (*checks.OVER_GRPC, "receive"),
}
OVERLAPS = ("sequential", "inline", "threaded", "automatic", "mutex", "grpc", "grpc-slices")
TABLE_WIDTH = 160


def arguments():
    parser = argparse.ArgumentParser(prog="./dev run", description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale factor (1)")
    parser.add_argument("--pace", type=float, default=0, metavar="GB/s",
                        help="send on an absolute schedule; 0: as fast as it goes (0)")
    parser.add_argument("--work", type=int, default=1, metavar="N",
                        help="work each batch's answer out N times (1)")
    parser.add_argument("--workers", type=int,
                        help="threads that decode and query (one less than there are cores)")
    parser.add_argument("--budget", type=int, default=32, metavar="MiB",
                        help="memory that the stream may hold (32)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all modes (5)")
    parser.add_argument("--transport", choices=DEFAULT_MODES, default="socket",
                        help="Spark's classic channel, or its gRPC channel beside that (socket)")
    parser.add_argument("--modes", metavar="A,B,..",
                        help=f"those of the transport; of {', '.join(report.TITLES)}")
    parser.add_argument("--trace", type=pathlib.Path, metavar="FILE",
                        help="timeline of one more run of each mode, for Perfetto or Chrome")
    parser.add_argument("--plot", type=pathlib.Path, metavar="DIR",
                        help="the table as tpch.png and tpch.svg")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE",
                        help="the tables for a document")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="every figure of every run (tpch.json in the build folder)")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR",
                        help=f"where the data is kept ({data.default_folder()})")
    parser.add_argument("--check", action="store_true",
                        help="also measure what the main job must show, light and paced")
    options = parser.parse_args()
    options.modes = (options.modes.split(",") if options.modes
                     else list(DEFAULT_MODES[options.transport]))
    unknown = [mode for mode in options.modes if mode not in report.TITLES]
    if unknown:
        parser.error(f"no such mode: {', '.join(unknown)}")
    if options.rounds < 1 or options.work < 1 or options.budget < 1 or options.scale <= 0:
        parser.error("--rounds, --work and --budget are at least 1, --scale is above 0")
    return options


class Runner:
    """Runs modes and shows how far they are."""

    def __init__(self, console, progress, lineitem):
        self.console = console
        self.progress = progress
        self.lineitem = lineitem

    def one(self, settings, mode, label, trace=None):
        task = self.progress.add_task(f"{label} {report.TITLES[mode]}", total=self.lineitem.bytes)
        figures = processes.run_once(
            settings, mode, lambda count: self.progress.update(task, completed=count), trace)
        self.progress.remove_task(task)
        if not self.console.is_terminal:
            rate = figures["bytes"] / figures["seconds"] / 1e9
            self.console.print(f"{label} {report.TITLES[mode]}: {figures['seconds']:.3f} s,"
                               f" {rate:.2f} GB/s")
        return figures

    def rounds(self, settings, modes, count, title):
        """Interleaved: every mode once, then every mode again, so that all share what the machine
        does meanwhile. Every other round goes backwards."""
        results = []
        for number in range(count):
            order = modes if number % 2 == 0 else list(reversed(modes))
            results.append({mode: self.one(settings, mode, f"{title} {number + 1}/{count}:")
                            for mode in order})
        return results


def run_checks(runner, settings, count, all_rounds):
    """The promises: full speed and light, then paced and heavy."""
    light = dataclasses.replace(settings, pace=0, work=1)
    # These are short, and their ratios close to 1.
    count_light = checks.LIGHT_ROUNDS * count
    all_rounds["light"] = runner.rounds(light, list(checks.LIGHT), count_light, "light")

    def run_decode(work):
        heavy = dataclasses.replace(light, work=work)
        figures = runner.one(heavy, "decode", f"calibrating, work {work}:")
        return report.cpu_s(figures) / figures["workers"]

    work = checks.calibrated_work(run_decode, runner.lineitem, checks.PACE_GB_PER_S)
    heavy = dataclasses.replace(light, work=work, pace=checks.PACE_GB_PER_S)
    all_rounds["paced"] = runner.rounds(heavy, list(checks.HEAVY), count, "paced")
    found = checks.light(all_rounds["light"], light) + checks.paced(all_rounds["paced"], heavy)
    return found, {"light": light, "paced": heavy}


def run_grpc_checks(runner, settings, count, all_rounds):
    """Its promises: with a light query, then with one about as long as receiving."""
    light = dataclasses.replace(settings, pace=0, work=1)
    all_rounds["light"] = runner.rounds(light, list(checks.OVER_GRPC), count, "light")
    receive_s = statistics.median(
        report.per_round(all_rounds["light"], "grpc-receive", report.seconds))

    def run_decode(work):
        heavy = dataclasses.replace(light, work=work)
        return report.seconds(runner.one(heavy, "decode", f"calibrating, work {work}:"))

    pace = runner.lineitem.bytes / receive_s / 1e9
    heavy = dataclasses.replace(
        light, work=checks.calibrated_work(run_decode, runner.lineitem, pace))
    all_rounds["heavy"] = runner.rounds(heavy, list(checks.OVER_GRPC), count, "heavy")
    found = checks.grpc_light(all_rounds["light"]) + checks.grpc_heavy(all_rounds["heavy"], heavy)
    return found, {"light": light, "heavy": heavy}


def write_trace(runner, settings, modes, target):
    with tempfile.TemporaryDirectory() as folder:
        files = {mode: pathlib.Path(folder) / mode for mode in modes}
        for mode, file in files.items():
            runner.one(settings, mode, "trace:", file)
        traces.merge(files, target)


def main():
    options = arguments()
    console = rich.console.Console(highlight=False)
    build_dir = options.build_dir.resolve()
    program = build_dir / "bench" / "forebay-tpch"
    if not program.exists():
        console.print(f"{program} was not built")
        return 1
    processes.selftest(program)
    columns = (rich.progress.TextColumn("{task.description}"), rich.progress.BarColumn(),
               rich.progress.DownloadColumn(), rich.progress.TransferSpeedColumn())
    with rich.progress.Progress(*columns, console=console, transient=True,
                                disable=not console.is_terminal) as progress:
        lineitem = data.lineitem(options.data or data.default_folder(), options.scale, console,
                                 progress)
        settings = processes.Settings(program, lineitem.file, options.pace, options.work,
                                      options.workers, options.budget << 20)
        neighbours = machine.Neighbours()
        runner = Runner(console, progress, lineitem)
        all_rounds = {"table": runner.rounds(settings, options.modes, options.rounds, "round")}
        all_settings = {"table": settings}
        found = []
        if options.check:
            check = run_grpc_checks if options.transport == "grpc" else run_checks
            found, more = check(runner, settings, options.rounds, all_rounds)
            all_settings |= more
        if options.trace:
            write_trace(runner, settings, options.modes, options.trace)

    # The table is not folded to fit a narrow window, nor is what no window shows.
    if console.width < TABLE_WIDTH:
        console = rich.console.Console(highlight=False, width=TABLE_WIDTH)
    described = {**machine.describe(CHECKOUT, build_dir), "others_cores": neighbours.cores()}
    lines = machine.as_lines(described)
    for line in lines:
        console.print(line)
    grids = []
    wrong = []
    for name, rounds in all_rounds.items():
        what = (rounds, lineitem, all_settings[name])
        grids.append((report.title(*what), *report.grid(*what, OVERLAPS)))
        wrong += report.faults(*what)
    if found:
        grids.append(("Promises: medians of the rounds", *checks.grid(found)))
    for grid in grids:
        console.print(tables.table(*grid))
    console.print(report.NOTICE)
    if options.markdown:
        parts = [*(f"{line}  " for line in lines), "", *(tables.markdown(*grid) for grid in grids)]
        options.markdown.write_text("\n".join([*parts, report.NOTICE, ""]))
    if options.plot:
        files = plots_of(all_rounds["table"], lineitem, settings, lines, options.plot)
        console.print(f"Plot: {', '.join(str(file) for file in files)}")
    if options.trace:
        console.print(f"Trace: {options.trace}")
    target = options.json or build_dir / "tpch.json"
    write_json(target, described, lineitem, all_settings, all_rounds, found)
    console.print(f"Figures: {target}")
    for fault in wrong:
        console.print(f"[red]WRONG[/red] {fault}")
    missed = [check for check in found if not check.kept]
    return 1 if wrong or missed else 0


def plots_of(*what):
    import plots  # Slow to load, and rarely wanted.
    return plots.draw(*what)


def write_json(target, described, lineitem, all_settings, all_rounds, found):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({
        "machine": described,
        "notice": report.NOTICE,
        "data": {"scale": lineitem.scale, "rows": lineitem.rows, "bytes": lineitem.bytes,
                 "batches": lineitem.batches, "revenue_pyarrow": lineitem.revenue},
        "settings": {name: {"pace_gb_per_s": one.pace, "work": one.work, "workers": one.workers,
                            "budget_bytes": one.budget_bytes}
                     for name, one in all_settings.items()},
        "rounds": all_rounds,
        "median_seconds": {
            name: {mode: statistics.median(report.per_round(rounds, mode, report.seconds))
                   for mode in rounds[0]}
            for name, rounds in all_rounds.items()},
        "checks": [dataclasses.asdict(check) for check in found],
    }, indent=1))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except processes.RunFailed as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
