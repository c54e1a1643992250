#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forebay.ZeroCopyByteStream beside PySpark's class, and Arrow through it beside Arrow without it.

Rounds are interleaved: each measures everything once, and a ratio is the median of the ratios inside
the rounds. --write puts the table and the plot into docs/python.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "bench"))

import machine  # noqa: E402
import measure  # noqa: E402
import tables  # noqa: E402

import forebay  # noqa: E402

OURS, THEIRS = "forebay", "PySpark"
PAGE = CHECKOUT / "docs" / "python.md"
PLOT = CHECKOUT / "docs" / "plots" / "python"
RESULTS = CHECKOUT / "bench" / "results"


def one_round(peer, data, ends, batches, folder, path_of_data):
    """Everything once."""
    cls = forebay.ZeroCopyByteStream
    taken = {}
    for size in (4, 8):
        taken[f"read {size} B: {THEIRS}"] = measure.small_reads(peer, size)
        taken[f"read {size} B: {OURS}"] = measure.small_reads(cls, size)
        taken[f"read {size} B: slice"] = measure.slices(size)
    taken[f"two threads: {THEIRS}"] = measure.two_threads(peer)
    taken[f"two threads: {OURS}"] = measure.two_threads(cls)
    for name, work in (("summed", measure.sum_all), ("untouched", measure.untouched)):
        taken[f"{name}: buffer"] = measure.decode_buffer(data, work)
        taken[f"{name}: {OURS}"] = measure.decode_chunks(data, ends, work)
    taken["untouched: above, a batch"] = (
        taken[f"untouched: {OURS}"] - taken["untouched: buffer"]) / batches
    for name, work in (("light", measure.untouched), ("heavy", measure.sum_all)):
        for who, receive in ((THEIRS, measure.as_pyspark), (OURS, measure.through_receiver)):
            wall, cpu = measure.from_socket(folder, path_of_data, receive, work)
            taken[f"socket {name}: {who}"], taken[f"socket {name} CPU: {who}"] = wall, cpu
    taken["import, ms"] = measure.import_ms()
    return taken


def ratio(rounds, above, below):
    return statistics.median(one[above] / one[below] for one in rounds)


def promises(rounds):
    """What is to be reached: the text, the bound, the figure, whether more is better."""
    for size in (4, 8):
        yield (f"{size}-byte reads: faster than {THEIRS}'s class", 5,
               ratio(rounds, f"read {size} B: {THEIRS}", f"read {size} B: {OURS}"), True)
        yield (f"{size}-byte reads: of a bare moving slice", 1.6,
               ratio(rounds, f"read {size} B: {OURS}", f"read {size} B: slice"), False)
    yield (f"64 KiB reads, two threads: faster than {THEIRS}'s class", 2,
           ratio(rounds, f"two threads: {THEIRS}", f"two threads: {OURS}"), True)
    yield ("Arrow from chunks, every column summed: speed of one buffer", 0.9,
           ratio(rounds, "summed: buffer", f"summed: {OURS}"), True)
    yield ("Arrow from chunks, untouched: us a batch above one buffer", 4,
           1e6 * statistics.median(one["untouched: above, a batch"] for one in rounds), False)
    yield ("socket, light work: speed of socket.makefile", 0.95,
           ratio(rounds, f"socket light: {THEIRS}", f"socket light: {OURS}"), True)
    yield ("socket, columns summed: speed of socket.makefile", 1.1,
           ratio(rounds, f"socket heavy: {THEIRS}", f"socket heavy: {OURS}"), True)
    yield ("socket, light work: CPU of the decoding thread", 0.75,
           ratio(rounds, f"socket light CPU: {OURS}", f"socket light CPU: {THEIRS}"), False)
    yield ("import of the extension alone, ms", 30,
           statistics.median(one["import, ms"] for one in rounds), False)


def report(rounds):
    rows = []
    for what, bound, figure, more in promises(rounds):
        kept = figure >= bound if more else figure <= bound
        rows.append((what, f"{'>=' if more else '<='} {bound}", f"{figure:.3g}",
                     "kept" if kept else "MISSED"))
    medians = [(name, f"{statistics.median(one[name] for one in rounds):.4g}")
               for name in rounds[0] if "above" not in name and "ms" not in name]
    return [("What was promised", ["", "required", "measured", ""], rows),
            ("Medians, in seconds", ["", "median"], medians)]


def plot(rounds):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.6))
    panels = [("one read of 8 bytes, ns", 1e9,
               [f"read 8 B: {THEIRS}", f"read 8 B: {OURS}", "read 8 B: slice"]),
              ("1 GB in 64 KiB reads, two threads, ms", 1e3,
               [f"two threads: {THEIRS}", f"two threads: {OURS}"]),
              ("a Unix socket to Arrow batches, summed, s", 1,
               [f"socket heavy: {THEIRS}", f"socket heavy: {OURS}"])]
    for axis, (title, scale, names) in zip(axes, panels):
        axis.boxplot([[one[name] * scale for one in rounds] for name in names],
                     tick_labels=[name.split(": ")[-1] for name in names])
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0)
    figure.tight_layout()
    for ending in ("png", "svg"):
        figure.savefig(PLOT.with_suffix(f".{ending}"), metadata={"Date": None} if ending == "svg"
                       else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", default="build/release")
    parser.add_argument("--site-packages", required=True, help="where PySpark is installed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=1000, help="of 1 MiB, of Arrow")
    parser.add_argument("--write", action="store_true", help="into docs/python.md")
    arguments = parser.parse_args()

    peer = measure.pyspark_class(arguments.site_packages)
    data, ends = measure.arrow_stream(arguments.batches)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        folder = Path(folder)
        path_of_data = folder / "data"
        path_of_data.write_bytes(data)
        neighbours = machine.Neighbours()
        rounds = [one_round(peer, data, ends, arguments.batches, folder, path_of_data)
                  for _ in range(arguments.rounds)]
    about = machine.describe(CHECKOUT, arguments.build_dir) | {
        "python": sys.version.split()[0], "pyarrow": measure.pyarrow.__version__,
        "neighbours_cores": round(neighbours.cores(), 2), "batches": arguments.batches,
    }
    made = report(rounds)
    for one in made:
        print(tables.markdown(*one))
    if arguments.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"python-{about['commit'].split()[0]}.json").write_text(
            json.dumps({"about": about, "rounds": rounds}, indent=1) + "\n", encoding="utf-8")
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.items())
        text = "\n".join([f"{len(rounds)} interleaved rounds; {said}.", "",
                          *(tables.markdown(*one) for one in made)])
        PAGE.write_text(tables.between_markers(PAGE.read_text(encoding="utf-8"), "figures", text),
                        encoding="utf-8")
        plot(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
