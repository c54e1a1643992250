# SPDX-License-Identifier: Apache-2.0
"""From the figures of many runs to one table, and to what is wrong with them."""

import decimal
import statistics

PUBLISHED_SF1 = "123141078.23"
NOTICE = ("This is a TPC-H query on TPC-H data, not a TPC benchmark: results are not comparable"
          " to published TPC results. TPC and TPC-H are trademarks of the Transaction Processing"
          " Performance Council.")
# What stands in the table, in this order.
TITLES = {
    "receive": "receive alone",
    "decode": "decode + query alone",
    "sequential": "one after the other",
    "inline": "overlapped, inline",
    "threaded": "overlapped, threaded",
    "automatic": "overlapped, automatic",
    "inline-decode": "inline, no query",
    "threaded-decode": "threaded, no query",
    "automatic-decode": "automatic, no query",
    "mutex": "mutex port of Spark's",
    "grpc-receive": "gRPC, receive alone",
    "grpc": "gRPC, bodies in one piece",
    "grpc-slices": "gRPC, bodies as received",
}
SOCKET = ("inline", "threaded", "automatic", "inline-decode", "threaded-decode",
          "automatic-decode")
GRPC = ("grpc", "grpc-slices")
FOREBAY = (*SOCKET, *GRPC)
NO_COPY = (*SOCKET, "decode", "sequential")
# Resident memory may grow by the stream's budget and so much.
MEMORY_SLACK_BYTES = 16 << 20
# Over gRPC by so much more: what it has received and not handed over yet, what its many allocations
# of 64 KiB leave behind, and the copies that Arrow makes of what lies across them.
GRPC_SLACK_BYTES = 16 << 20


def cpu_s(figures):
    return figures["cpu_user_s"] + figures["cpu_system_s"]


def per_round(rounds, mode, value):
    return [value(one[mode]) for one in rounds if mode in one]


def ratios(rounds, above, below, value):
    """value(above) / value(below), round by round."""
    return [value(one[above]) / value(one[below]) for one in rounds
            if above in one and below in one]


def seconds(figures):
    return figures["seconds"]


def efficiencies(rounds, mode):
    """The longer of the two parts alone, over the whole, round by round."""
    receive = "grpc-receive" if mode.startswith("grpc") else "receive"
    return [max(seconds(one[receive]), seconds(one["decode"])) / seconds(one[mode])
            for one in rounds if {receive, "decode", mode} <= one.keys()]


def spread(values, digits, one_line=False):
    """Median, least and most; or a dash."""
    if not values:
        return "-"
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    between = " " if one_line else "\n"
    return f"{middle}{between}[dim]{min(values):.{digits}f}..{max(values):.{digits}f}[/dim]"


def growth_bytes(figures):
    return figures["peak_bytes"] - figures["loaded_bytes"]


def memory_limit_bytes(settings, mode=None):
    more = GRPC_SLACK_BYTES if mode in GRPC else 0
    return settings.budget_bytes + MEMORY_SLACK_BYTES + more


def waits(rounds, mode):
    """Waits of the reader and the writer, and how many of them slept."""
    parts = []
    for side in ("reader", "writer"):
        total = statistics.median(per_round(rounds, mode, lambda run: run[f"{side}_waits"]))
        parks = statistics.median(per_round(rounds, mode, lambda run: run[f"{side}_parks"]))
        parts.append(f"{total:.0f}/{parks:.0f}")
    return "\n".join(parts)


def lateness(rounds, mode):
    senders = [one[mode].get("sender") for one in rounds if mode in one]
    if None in senders:
        return "-"
    late = statistics.median(sender["late_messages"] for sender in senders)
    worst = max(sender["late_max_s"] for sender in senders)
    return f"{late:.0f}\n{worst * 1e3:.1f} ms"


def title(rounds, lineitem, settings):
    pace = f", sent at {settings.pace:g} GB/s" if settings.pace else ", sent at full speed"
    work = f", query worked out {settings.work} times" if settings.work > 1 else ""
    count = f"medians of {len(rounds)} rounds" if len(rounds) > 1 else "one round"
    return f"TPC-H query 6, scale factor {lineitem.scale:g}{pace}{work}: {count}"


def grid(rounds, lineitem, settings, overlaps):
    """Headings, and one row a mode: medians over the rounds, and from the least to the most."""
    headings = ["mode", "rows,\nrevenue", "time, s", "GB/s", "CPU, s/GB", "overlap\nefficiency",
                "x of mutex", "payload\ncopied, MB", "waits/sleeps\nof reader,\nof writer",
                "peak MiB\n(above\nlibraries)"]
    if settings.pace:
        headings.append("late\nmessages,\nat most by")
    rows = []
    for mode in TITLES:
        if any(mode in one for one in rounds):
            cells = row(rounds, mode, overlaps)
            rows.append([*cells, lateness(rounds, mode)] if settings.pace else cells)
    if lineitem.scale == 1:
        rows.append(["[dim]published answer[/dim]", f"[dim]{PUBLISHED_SF1}[/dim]"])
    else:
        rows.append(["[dim]pyarrow's answer[/dim]", f"[dim]{lineitem.revenue}[/dim]"])
    return headings, rows


def row(rounds, mode, overlaps):
    runs = [one[mode] for one in rounds if mode in one]
    answered = "rows" in runs[0] and not mode.endswith("-decode")
    copied = max(run["payload_bytes_copied"] for run in runs)
    peak = max(run["peak_bytes"] for run in runs) / 2**20
    growth = max(growth_bytes(run) for run in runs) / 2**20
    ratio = ratios(rounds, "mutex", mode, seconds) if answered else []
    return [
        TITLES[mode],
        f"{runs[0]['rows']:,}\n{runs[0]['revenue']}" if answered else "-",
        spread([run["seconds"] for run in runs], 3),
        spread([run["bytes"] / run["seconds"] / 1e9 for run in runs], 2),
        spread([cpu_s(run) / (run["bytes"] / 1e9) for run in runs], 3),
        spread(efficiencies(rounds, mode) if mode in overlaps else [], 2),
        spread(ratio, 2),
        f"{copied / 1e6:,.1f}" if "rows" in runs[0] else "-",
        waits(rounds, mode) if mode in FOREBAY or mode == "mutex" else "-",
        f"{peak:.0f}\n({growth:.1f})",
    ]


def faults(rounds, lineitem, settings):
    """What must never be, as sentences."""
    return [f"round {number}, {mode}: {fault}"
            for number, one in enumerate(rounds, 1)
            for mode, run in one.items()
            for fault in faults_of(mode, run, lineitem, settings)]


def copies_too_many(mode, run):
    """Nothing is copied but by gRPC's modes: each body once, or what lies across its slices."""
    if mode in NO_COPY:
        return run["payload_bytes_copied"]
    return max(0, run["payload_bytes_copied"] - run["bytes"]) if mode == "grpc" else 0


def faults_of(mode, run, lineitem, settings):
    if run["bytes"] != lineitem.bytes:
        yield f"{run['bytes']:,} of {lineitem.bytes:,} bytes"
    if "rows" in run and run["rows"] != lineitem.rows:
        yield f"{run['rows']:,} of {lineitem.rows:,} rows"
    if "revenue" in run and not mode.endswith("-decode"):
        if run["revenue"] != lineitem.revenue:
            yield f"revenue {run['revenue']}, pyarrow says {lineitem.revenue}"
        cents = decimal.Decimal(run["revenue"]).quantize(decimal.Decimal("0.01"))
        if lineitem.scale == 1 and str(cents) != PUBLISHED_SF1:
            yield f"revenue {run['revenue']}, published is {PUBLISHED_SF1}"
    if copies_too_many(mode, run):
        yield f"{run['payload_bytes_copied']:,} payload bytes were copied"
    limit = memory_limit_bytes(settings, mode)
    if mode in FOREBAY and growth_bytes(run) > limit:
        yield (f"resident memory grew by {growth_bytes(run) / 2**20:.1f} MiB, beyond"
               f" {limit / 2**20:.0f} MiB")
