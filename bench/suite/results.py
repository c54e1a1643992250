# SPDX-License-Identifier: Apache-2.0
"""The figures of one run of one layer, and the arithmetic on them.

A benchmark is named <peer>/<case>. A round has every peer once, so ratios are taken inside a round
and never between rounds."""

import dataclasses
import json
import re
import statistics

import numpy

REFERENCE = "Forebay"
# Limits that no library can pass: shown, and neither beaten nor lost to.
FLOORS = {"PointerBump", "PingPong", "BareLoad", "ArrowWhole", "ByteBuffer", "ClassicSocket",
          "InMemory"}
# Of the rounds of a ratio, this part may lie on the other side before an order is a draw.
OUTLIERS_QUIET, OUTLIERS_NOISY = 0.25, 0.1
# With fewer rounds all of them must agree; with still fewer nothing is said.
ROUNDS_FOR_QUANTILES = 8
ROUNDS_FOR_VERDICT = 5
# The placement of code and memory makes so much of a difference by itself.
SAME = 0.02
# Beyond these a machine is noisy.
OTHERS_CORES_MAX = 0.1
CALIBRATION_SPREAD_MAX = 0.05

NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
STANDARD_KEYS = {
    "name", "run_name", "run_type", "family_index", "per_family_instance_index", "repetitions",
    "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "label",
    "error_occurred", "error_message"}
SUFFIX = re.compile(r"/(real_time|manual_time|process_time|min_time:[^/]*|min_warmup_time:[^/]*"
                    r"|iterations:\d+|repeats:\d+)(?=/|$)")


def rounded(value):
    return float(f"{value:.4g}")


def condensed(raw):
    """What is kept of the JSON of Google Benchmark: rounds, calibration, series and errors."""
    rounds = int(raw["context"]["rounds"])
    series, errors = {}, {}
    for run in raw["benchmarks"]:
        name = SUFFIX.sub("", run["run_name"])
        if run.get("error_occurred"):
            errors[name] = run["error_message"]
            continue
        unit = NS[run["time_unit"]]
        figures = {"real_ns": run["real_time"] * unit, "cpu_ns": run["cpu_time"] * unit}
        figures |= {key: value for key, value in run.items() if key not in STANDARD_KEYS}
        columns = series.setdefault(name, {})
        for key, value in figures.items():
            column = columns.setdefault(key, [None] * rounds)
            column[run["repetition_index"]] = rounded(value)
    return {"rounds": rounds, "series": series, "errors": errors,
            "calibration_ms": [rounded(float(one))
                               for one in raw["context"]["calibration_ms"].split()]}


def quantile(values, share):
    return float(numpy.quantile(values, share))


@dataclasses.dataclass
class Measure:
    """How a benchmark is measured: which figure, and how it is shown."""

    key: str
    unit: str
    factor: float = 1.0  # from the figure to what is shown
    more_is_better: bool = False


    def scaled(self, least):
        """The same, in a larger unit of time when the least of all figures is large."""
        if self.unit == "ns":
            for unit, factor in (("ms", 1e-6), ("us", 1e-3)):
                if least * factor >= 10:
                    return dataclasses.replace(self, unit=unit, factor=factor)
        return self


MEASURES = (Measure("memory_mib", "MiB"), Measure("ns_per_item", "ns"), Measure("bytes_per_second", "GB/s", 1e-9, True),
            Measure("items_per_second", "M/s", 1e-6, True), Measure("real_ns", "ns"))


class Result:
    """One run of one layer."""

    def __init__(self, stored):
        self.stored = stored
        self.layer = stored["layer"]
        self.machine = stored["machine"]
        self.rounds = stored["rounds"]
        self.errors = stored["errors"]
        self.cases = {}  # case -> peer -> series
        for name, series in stored["series"].items():
            peer, _, case = name.partition("/")
            self.cases.setdefault(case, {})[peer] = series

    def measure(self, case):
        """The first figure that every peer of the case has."""
        all_series = self.cases[case].values()
        measure = next(measure for measure in MEASURES
                       if all(measure.key in series for series in all_series))
        return measure.scaled(min(value for series in all_series for value in series[measure.key]
                                  if value is not None))

    def figures(self, case, peer, key):
        """The figures of that name, of the rounds that have one."""
        return [value for value in self.cases[case][peer].get(key, []) if value is not None]

    def costs(self, case, peer):
        """One number a round, less is better; None where a round has none."""
        measure = self.measure(case)
        values = self.cases[case][peer][measure.key]
        if not measure.more_is_better:
            return values
        return [1 / value if value else None for value in values]

    def cost(self, case, peer, share=0.25):
        """The cost at a quantile: the first quartile is what disturbs least."""
        return quantile([value for value in self.costs(case, peer) if value is not None], share)

    def ratios(self, case, peer, reference):
        """Cost of the peer over that of the reference, round by round."""
        return [above / below
                for above, below in zip(self.costs(case, peer), self.costs(case, reference))
                if above is not None and below]

    def reference(self, case):
        """Which of Forebay's own ways the others are held against; None where there is none."""
        own = sorted(peer for peer in self.cases[case] if is_own(peer))
        return REFERENCE if REFERENCE in own else own[0] if own else None

    def noise(self):
        """Why the machine is called noisy, as words; none when it was quiet."""
        reasons = []
        others = self.machine.get("others_cores", 0.0)
        if others > OTHERS_CORES_MAX:
            reasons.append(f"others kept {others:.2f} cores busy")
        spread = calibration_spread(self.stored["calibration_ms"])
        if spread > CALIBRATION_SPREAD_MAX:
            reasons.append(f"the same arithmetic took up to {spread:.0%} longer")
        return reasons


def calibration_spread(calibrations):
    """How much longer the third quartile took than the first."""
    return quantile(calibrations, 0.75) / quantile(calibrations, 0.25) - 1


def is_own(peer):
    return peer.startswith(REFERENCE)


def is_rival(peer):
    return not is_own(peer) and peer not in FLOORS


def interval(ratios, noisy):
    """Where most of the rounds lie."""
    outliers = OUTLIERS_NOISY if noisy else OUTLIERS_QUIET
    if len(ratios) < ROUNDS_FOR_QUANTILES:
        outliers = 0.0
    return quantile(ratios, outliers), quantile(ratios, 1 - outliers)


def verdict(ratios, noisy):
    """What the ratios of a peer to Forebay say: `slower`, `faster`, or `draw` when not enough
    rounds agree; nothing when there are too few."""
    if len(ratios) < ROUNDS_FOR_VERDICT:
        return ""
    low, high = interval(ratios, noisy)
    return "slower" if low > 1 + SAME else "faster" if high < 1 - SAME else "draw"


@dataclasses.dataclass
class Comparison:
    """A peer beside Forebay in one case, over all runs of a layer."""

    case: str
    peer: str
    unit: str
    p25: float  # of the cost: the better quartile also where more is better
    median: float
    best: float
    ratios: list  # empty for the reference itself
    verdict: str  # empty where there is nothing to compare


def compare(results, case):
    """Every peer of the case, best first."""
    noisy = any(result.noise() for result in results)
    having = [result for result in results if case in result.cases]
    measure = having[0].measure(case)
    reference = having[0].reference(case)
    comparisons = []
    for peer in having[0].cases[case]:
        with_peer = [result for result in having if peer in result.cases[case]]
        shown = [value * measure.factor for result in with_peer
                 for value in result.figures(case, peer, measure.key)]
        ratios = []
        if reference not in (None, peer):
            ratios = [ratio for result in with_peer if reference in result.cases[case]
                      for ratio in result.ratios(case, peer, reference)]
        better = 0.75 if measure.more_is_better else 0.25
        comparisons.append(Comparison(
            case, peer, measure.unit, quantile(shown, better), statistics.median(shown),
            max(shown) if measure.more_is_better else min(shown), ratios,
            verdict(ratios, noisy) if ratios and not is_own(peer) else ""))
    return sorted(comparisons, key=lambda one: one.p25, reverse=measure.more_is_better)


def cases_of(results):
    """In the order in which they are written in the program, as far as the first run has it."""
    return list(dict.fromkeys(case for result in results for case in sorted(
        result.cases, key=natural)))


def natural(text):
    """Sorts 64 before 1024."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def load(files):
    """The results of the files by layer."""
    layers = {}
    for file in sorted(files):
        result = Result(json.loads(file.read_text()))
        layers.setdefault(result.layer, []).append(result)
    return layers
