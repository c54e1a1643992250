# SPDX-License-Identifier: Apache-2.0
"""The ratios of a layer as a picture: how much more than Forebay each peer costs."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "forebay"  # The same figures give the same file.
import matplotlib.pyplot as plt  # noqa: E402  after the choice of the backend

import results  # noqa: E402

ROW_INCHES = 0.34


def draw(layer, runs, machine_lines, folder):
    """One row a case, one mark a peer: the median of the ratios, and a line over the middle half."""
    cases = [case for case in results.cases_of(runs) if runs[0].reference(case)]
    compared = {case: [one for one in results.compare(runs, case) if one.ratios] for case in cases}
    cases = [case for case in cases if compared[case]]
    peers = sorted({one.peer for case in cases for one in compared[case]})
    colours = matplotlib.colormaps["tab20"].resampled(20)
    figure, axes = plt.subplots(figsize=(11, ROW_INCHES * len(cases) + 2.2))
    for number, peer in enumerate(peers):
        floor = peer in results.FLOORS
        style = {"color": "#777777" if floor else colours(number % 20), "zorder": 3}
        label = f"{peer} (limit)" if floor else peer
        for place, case in enumerate(cases):
            for one in compared[case]:
                if one.peer != peer:
                    continue
                low, middle, high = (results.quantile(one.ratios, share)
                                     for share in (0.25, 0.5, 0.75))
                axes.plot([low, high], [place, place], linewidth=1.4, **style)
                axes.plot(middle, place, marker="|" if floor else "o", markersize=9 if floor else 5,
                          linestyle="none", label=label, **style)
                label = None
    axes.axvline(1, color="#2a6f97", linewidth=1.6, zorder=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), cases, fontsize=7.5)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%gx"))
    axes.grid(axis="y", color="#eeeeee", zorder=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{layer}: cost, x of Forebay's (the line at 1); to the right is slower",
                   fontsize=10, loc="left")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.text(0.01, 0.005, "\n".join(machine_lines[:2]), fontsize=5.5, color="#555555")
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{layer}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{layer}.png", dpi=110)
    plt.close(figure)
