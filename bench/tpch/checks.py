# SPDX-License-Identifier: Apache-2.0
"""What the main job must show, measured: each promise with its number beside it."""

import dataclasses
import statistics

import report

PACE_GB_PER_S = 0.8
WORK_GUESSED = 200
CALIBRATIONS = 2
LIGHT_ROUNDS = 5  # for one of the others
LIGHT = ("receive", "decode", "inline", "threaded", "automatic", "inline-decode", "mutex")
HEAVY = ("receive", "decode", "inline", "threaded", "automatic", "mutex")


OVER_GRPC = ("grpc-receive", "decode", "grpc", "grpc-slices", "automatic")


@dataclasses.dataclass
class Check:
    what: str
    required: str
    measured: str
    kept: bool


def compared(what, values, required, at_least):
    """Holds the median of the rounds against a bound."""
    middle = statistics.median(values)
    sign = ">=" if at_least else "<="
    return Check(what, f"{sign} {required:.2f}", report.spread(values, 3, True),
                 middle >= required if at_least else middle <= required)


def memory(name, rounds, settings):
    """Peak resident memory, of all modes and rounds."""
    limit = report.memory_limit_bytes(settings) / 2**20
    most = max(growth for mode in ("inline", "threaded", "automatic")
               for growth in report.per_round(rounds, mode, report.growth_bytes)) / 2**20
    return Check(f"{name}: peak resident memory above the libraries, MiB", f"<= {limit:.0f}",
                 f"{most:.1f}", most <= limit)


def light(rounds, settings):
    """At full speed, with a light query."""
    time = {mode: statistics.median(report.per_round(rounds, mode, report.seconds))
            for mode in ("inline", "threaded")}
    better = min(time, key=time.get)
    return [
        compared(f"full speed: throughput of automatic, x of the better ({better})",
                 report.ratios(rounds, better, "automatic", report.seconds), 0.90, True),
        compared(f"full speed: CPU per GB of automatic, x of the better ({better})",
                 report.ratios(rounds, "automatic", better, report.cpu_s), 1.10, False),
        compared("full speed: CPU of receive + decode, inline, x of the bare receive",
                 report.ratios(rounds, "inline-decode", "receive", report.cpu_s), 1.15, False),
        memory("full speed", rounds, settings),
    ]


def paced(rounds, settings):
    """On a paced wire, with a query about as long as receiving."""
    efficiency = {mode: report.efficiencies(rounds, mode)
                  for mode in ("inline", "threaded", "automatic")}
    wire = statistics.median(report.per_round(rounds, "receive", report.seconds))
    query = statistics.median(report.per_round(rounds, "decode", report.seconds))
    name = f"{settings.pace:g} GB/s, work {settings.work}"
    checks = [Check(f"{name}: decode + query, x of the wire's time", "about 1",
                    f"{query / wire:.3f}", 0.85 <= query / wire <= 1.15)]
    for mode in ("threaded", "automatic"):
        checks.append(compared(f"{name}: {mode}, x of min(wire, decode)", efficiency[mode], 0.95,
                               True))
        gain = report.ratios(rounds, "inline", mode, report.seconds)
        checks.append(Check(f"{name}: {mode}, x of inline", "> 1.00", report.spread(gain, 3, True),
                            statistics.median(gain) > 1))
    return [*checks, memory(name, rounds, settings)]


def grpc_light(rounds):
    """Over gRPC at full speed, with a light query."""
    return [compared("gRPC, full speed: throughput, x of the classic socket, automatic",
                     report.ratios(rounds, "automatic", "grpc", report.seconds), 0.30, True)]


def grpc_heavy(rounds, settings):
    """Over gRPC, with a query about as long as receiving."""
    receive = statistics.median(report.per_round(rounds, "grpc-receive", report.seconds))
    query = statistics.median(report.per_round(rounds, "decode", report.seconds))
    name = f"gRPC, work {settings.work}"
    return [
        Check(f"{name}: decode + query, x of receiving over gRPC", "about 1",
              f"{query / receive:.3f}", 0.75 <= query / receive <= 1.35),
        compared(f"{name}: throughput, x of the classic socket, automatic",
                 report.ratios(rounds, "automatic", "grpc", report.seconds), 0.80, True),
    ]


def calibrated_work(run_decode, lineitem, pace):
    """How often a query must be repeated so that decoding and querying last as long as the wire.
    `run_decode(work)` gives the seconds that the workers computed, each; not those that passed,
    which also depend on what else the machine does."""
    wire_s = lineitem.bytes / (pace * 1e9)
    work = WORK_GUESSED
    for _ in range(CALIBRATIONS):
        # Decoding is next to nothing beside so many repeats.
        work = max(1, round(work * wire_s / statistics.median(run_decode(work) for _ in range(3))))
    return work


def grid(checks):
    """Headings and rows of tables.table()."""
    verdicts = {True: "[green]kept[/green]", False: "[red]MISSED[/red]"}
    return (["what the main job must show", "required", "measured", ""],
            [[check.what, check.required, check.measured, verdicts[check.kept]]
             for check in checks])
