# SPDX-License-Identifier: Apache-2.0
"""The table as a picture."""

import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  after the choice of the backend

import report  # noqa: E402

FOREBAY, PEER, REFERENCE = "#2a6f97", "#bc6c25", "#b8bec5"


def colour(mode):
    if mode in report.FOREBAY:
        return FOREBAY
    return PEER if mode == "mutex" else REFERENCE


def panel(axes, modes, rounds, title, value):
    """One bar a mode: the median, and a line from the least to the most."""
    for place, mode in enumerate(modes):
        values = report.per_round(rounds, mode, value)
        middle = statistics.median(values)
        axes.barh(place, middle, color=colour(mode), height=0.66)
        axes.plot([min(values), max(values)], [place, place], color="#222222", linewidth=1.2)
        axes.annotate(f"{middle:.3g}", (max(values), place), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def draw(rounds, lineitem, settings, machine_lines, folder):
    modes = [mode for mode in report.TITLES if any(mode in one for one in rounds)]
    # What is decoded from memory alone is no transfer, and would dwarf the others.
    moved = [mode for mode in modes if mode != "decode"]
    figure, axes = plt.subplots(1, 3, figsize=(13, 0.48 * len(modes) + 2.2), sharey=True)
    panel(axes[0], moved, rounds, "throughput, GB/s",
          lambda run: run["bytes"] / run["seconds"] / 1e9)
    panel(axes[1], moved, rounds, "receiver's CPU, s per GB",
          lambda run: report.cpu_s(run) / (run["bytes"] / 1e9))
    panel(axes[2], moved, rounds, "memory above the libraries, MiB",
          lambda run: report.growth_bytes(run) / 2**20)
    axes[2].set_xscale("symlog", linthresh=10)
    axes[2].axvline(report.memory_limit_bytes(settings) / 2**20, color="#888888", linestyle=":")
    axes[0].set_yticks(range(len(moved)), [report.TITLES[mode] for mode in moved])
    axes[0].invert_yaxis()
    pace = f"sent at {settings.pace:g} GB/s" if settings.pace else "sent at full speed"
    figure.suptitle(f"TPC-H query 6 over a Unix socket, scale factor {lineitem.scale:g}, {pace},"
                    f" query x {settings.work}; {len(rounds)} rounds", fontsize=11, x=0.01, ha="left")
    notes = [*machine_lines, "Not comparable to published TPC results."]
    figure.text(0.01, 0.005, "\n".join(notes), fontsize=6.5, color="#555555")
    figure.tight_layout(rect=(0, 0.035 * len(notes), 1, 1))
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"tpch.{kind}" for kind in ("png", "svg")]
    for file in files:
        figure.savefig(file, dpi=150)
    plt.close(figure)
    return files
