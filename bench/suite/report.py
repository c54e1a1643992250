# SPDX-License-Identifier: Apache-2.0
"""Tables of results, for a terminal and for the documents.

    report.py            write the tables and plots of the published results into the documents
    report.py --check    fail when a document does not say what the published results say
"""

import argparse
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what all benchmarks share

import machine  # noqa: E402
import promises  # noqa: E402
import results  # noqa: E402
import tables  # noqa: E402

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PUBLISHED = CHECKOUT / "bench" / "results"
PLOTS = CHECKOUT / "docs" / "plots"
MARK = "benchmarks"
# What a verdict on a peer means for the reader.
VERDICTS = {"slower": "", "faster": "[red]faster than Forebay[/red]", "draw": "draw", "": ""}


def number(value):
    """Three digits that count."""
    if value == 0:
        return "0"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits + (1 if abs(value) < 1 else 0)}f}"


def noise_line(layer, runs):
    """Whether a layer's figures were disturbed; nothing when they were not."""
    reasons = [f"run {place}: {', '.join(run.noise())}"
               for place, run in enumerate(runs, 1) if run.noise()]
    if not reasons:
        return ""
    return (f"{layer}: THE MACHINE WAS NOISY ({'; '.join(reasons)}): an order is only given where"
            f" nine rounds in ten agree.")


def detail_grid(runs):
    """One row a peer and case: for a terminal."""
    headings = ["case", "peer", "", "p25", "median", "best", "x of Forebay:\np25", "median", "p75",
                ""]
    rows = []
    for case in results.cases_of(runs):
        title = case
        for one in results.compare(runs, case):
            ratios = [number(results.quantile(one.ratios, share)) for share in (0.25, 0.5, 0.75)] \
                if one.ratios else ["", "", ""]
            rows.append([title, one.peer, one.unit, number(one.p25), number(one.median),
                         number(one.best), *ratios, VERDICTS[one.verdict]])
            title = ""
    return headings, rows


def cell(one):
    if one is None:
        return ""
    text = f"{number(one.p25)} {one.unit}"
    if one.ratios:
        text += f" ({number(results.quantile(one.ratios, 0.5))}x)"
    if one.verdict in ("faster", "draw"):
        text += " **draw**" if one.verdict == "draw" else " **faster**"
    return text


def matrix(runs):
    """Cases by peers: for a document."""
    compared = {case: results.compare(runs, case) for case in results.cases_of(runs)}
    peers = sorted({one.peer for all_of in compared.values() for one in all_of},
                   key=lambda peer: (not results.is_own(peer), results.is_rival(peer), peer))
    rows = []
    for case, all_of in compared.items():
        by_peer = {one.peer: one for one in all_of}
        rows.append([case, *(cell(by_peer.get(peer)) for peer in peers)])
    return ["case", *peers], rows


def losing(layers):
    """Comparisons that Forebay loses, and those that are a draw."""
    lost, drawn = [], []
    for layer, runs in layers.items():
        for case in results.cases_of(runs):
            for one in results.compare(runs, case):
                if not results.is_rival(one.peer):
                    continue
                if one.verdict in ("faster", "draw"):
                    (lost if one.verdict == "faster" else drawn).append((layer, one))
    return lost, drawn


def losing_grid(comparisons):
    headings = ["case", "peer", "its cost, x of Forebay's: p25", "median", "p75"]
    rows = [[f"{layer}: {one.case}", one.peer,
             *(number(results.quantile(one.ratios, share)) for share in (0.25, 0.5, 0.75))]
            for layer, one in comparisons]
    return headings, rows


def promise_grid(found):
    words = {True: "[green]kept[/green]", False: "[red]MISSED[/red]", None: "not measured"}
    headings = ["what the library is to reach", "required", "measured, run by run", "holds in", ""]
    rows = [[f"{one.promise.layer}: {one.promise.what}", one.promise.required,
             " ".join(map(number, one.values)) or "-",
             f"{one.held} of {len(one.values)}" if one.values else "-",
             words[one.kept] + (", noisy" if one.noisy and one.values else "")]
            for one in found]
    return headings, rows


def machine_lines(runs):
    """Where, from what and when the figures of one layer come."""
    lines = machine.as_lines(runs[0].machine)
    lines += [f"again {run.machine['date']}; others kept {run.machine['others_cores']:.2f} cores busy"
              " meanwhile" for run in runs[1:]]
    return lines


def grids(layers, of_layer):
    """Every table, by name: those of each layer by `of_layer(layer, runs)`, then those of all."""
    for layer, runs in layers.items():
        yield from of_layer(layer, runs)
    lost, drawn = losing(layers)
    if lost:
        yield "Cases that Forebay loses", *losing_grid(lost)
    if drawn:
        yield "Draws: not enough rounds agree on an order", *losing_grid(drawn)
    found = promises.find(layers)
    if found:
        yield "Promises, at the first quartile of each run", *promise_grid(found)


def print_all(console, layers):
    """For a terminal."""
    def of_layer(layer, runs):
        yield f"{layer}: {rounds_text(runs)}", *detail_grid(runs)

    for grid in grids(layers, of_layer):
        console.print(tables.table(*grid))
    for layer, runs in layers.items():
        for run in runs:
            for name, message in run.errors.items():
                console.print(f"[red]FAILED[/red] {layer}: {name}: {message}")
        if noise_line(layer, runs):
            console.print(noise_line(layer, runs))


def rounds_text(runs):
    counts = " + ".join(str(run.rounds) for run in runs)
    return f"{counts} rounds" if counts != "1" else "one round"


def document(layers):
    """Everything that docs/results.md says of the layers."""
    parts = ["Cost of each peer at the first quartile of all rounds, and in brackets how often the"
             " cost of Forebay that is, the median of the ratios round by round. **draw**: the"
             " middle half of the ratios does not lie on one side of 1, by at least 2 %. More is"
             " better where the unit is a rate.", ""]

    of_all = list(grids(layers, lambda layer, runs: ()))
    for grid in reversed(of_all):
        parts.append(tables.markdown(*grid))
    for layer, runs in layers.items():
        parts += [f"### {layer}", ""]
        parts += [f"{line}  " for line in machine_lines(runs)]
        if noise_line(layer, runs):
            parts.append(f"{noise_line(layer, runs)}  ")
        if has_plot(runs):
            parts += ["", f"![{layer}](plots/{layer}.svg)"]
        parts.append("")
        parts.append(tables.markdown(f"{layer}: {rounds_text(runs)}", *matrix(runs)))
    return "\n".join(parts)


def has_plot(runs):
    """Whether there is a ratio to be drawn."""
    return any(one.ratios for case in results.cases_of(runs)
               for one in results.compare(runs, case))


def summary(layers):
    """What the README says of them."""
    found = promises.find(layers)
    lost, drawn = losing(layers)
    kept = sum(1 for one in found if one.kept)
    measured = sum(1 for one in found if one.kept is not None)
    head = (f"{kept} of {measured} promises are kept; of all comparisons with a peer"
            f" {len(lost)} are lost and {len(drawn)} are a draw.")
    headings, rows = promise_grid([one for one in found if one.kept is not None])
    return head + "\n\n" + tables.markdown(
        "What was promised, at the first quartile of each run", headings, rows)


def published():
    """The results that are committed: of each layer those of the commit that was last run."""
    layers = results.load(PUBLISHED.glob("*/*.json"))
    newest = {}
    for layer, runs in layers.items():
        last = max(runs, key=lambda run: run.machine["date"])
        newest[layer] = [run for run in runs
                         if run.machine["commit"] == last.machine["commit"]][-promises.RUNS:]
    return newest


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="report.py",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    layers = published()
    if not layers:
        sys.exit(f"report.py: there are no results under {PUBLISHED}")
    stale = []
    for file, text in ((CHECKOUT / "docs" / "results.md", document(layers)),
                       (CHECKOUT / "README.md", summary(layers))):
        old = file.read_text()
        new = tables.between_markers(old, MARK, text)
        if old == new:
            continue
        stale.append(file.name)
        if not options.check:
            file.write_text(new)
    if not options.check:
        import plots  # Slow to load, and not needed to check.
        for layer, runs in layers.items():
            if has_plot(runs):
                plots.draw(layer, runs, machine_lines(runs), PLOTS)
    missing = [f"{layer}.{kind}" for layer, runs in layers.items() for kind in ("svg", "png")
               if has_plot(runs) and not (PLOTS / f"{layer}.{kind}").exists()]
    if options.check and stale + missing:
        sys.exit(f"report.py: {', '.join(stale + missing)} stale or missing; run"
                 " ./dev bench --tables")


if __name__ == "__main__":
    main()
