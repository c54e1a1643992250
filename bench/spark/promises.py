# SPDX-License-Identifier: Apache-2.0
"""What C++ functions in Spark are to reach, judged by medians over rounds, and as tables."""

import statistics

from ways import PANDAS, ROW

# case, what, figure, dividend, divisor, at least or at most, bound
PROMISES = [
    ("identity", "identity, end to end: PySpark's worker / C++", "seconds",
     "PySpark's worker", "C++", ">=", 1),
    ("haversine", "distance, worker CPU: Python row function / C++ with libm", "worker_s", ROW, "C++",
     ">=", 20),
    ("haversine", "distance, worker CPU: Python row function / C++ vectorised", "worker_s", ROW,
     "C++, vectorised", ">=", 20),
    ("haversine", "distance, worker CPU: pandas / C++ with libm", "worker_s", PANDAS, "C++", ">=", 1.2),
    ("haversine", "distance, worker CPU: pandas / C++ vectorised", "worker_s", PANDAS,
     "C++, vectorised", ">=", 3),
    ("edit_distance", "edit distance, worker CPU: Python row function / C++", "worker_s", ROW, "C++",
     ">=", 30),
    ("edit_distance", "edit distance, worker CPU: pandas and RapidFuzz / C++", "worker_s", PANDAS,
     "C++", ">=", 0.9),
    ("cold", "exec to first batch: PySpark's worker / C++", "seconds", "PySpark's worker", "C++",
     ">=", 10),
    ("cold", "exec to handshake of a C++ worker, ms", "handshake_ms", "C++", None, "<=", 20),
    ("cold", "exec to address of a C++ daemon, ms", "daemon_ms", "C++", None, "<=", 20),
    ("identity", "most resident memory of a C++ worker, MiB", "peak_mib", "C++", None, "<=", 64),
    ("haversine", "distance, most relative difference to numpy", "difference", "C++", None, "<=",
     1e-12),
    ("haversine", "vectorised distance, most relative difference to numpy", "difference",
     "C++, vectorised", None, "<=", 1e-12),
]


def medians(rounds, case, way, figure):
    values = [r[case][way][figure] for r in rounds if case in r and figure in r[case].get(way, {})]
    return statistics.median(values) if values else None


def ratio(rounds, case, figure, over, under):
    """The median of the ratios inside of rounds, and of how many. A time that the clock did not
    count gives none."""
    found = []
    for one in rounds:
        ways = one.get(case, {})
        value = ways.get(over, {}).get(figure)
        divisor = ways.get(under, {}).get(figure) if under else 1
        if value is not None and divisor:
            found.append(value / divisor)
    return (statistics.median(found), len(found)) if found else (None, 0)


def judged(rounds):
    """Rows of (what, bound, value, rounds, verdict)."""
    for case, what, figure, over, under, sign, bound in PROMISES:
        value, count = ratio(rounds, case, figure, over, under)
        if value is None:
            yield what, f"{sign} {bound:g}", "-", 0, "not measured"
            continue
        kept = value >= bound if sign == ">=" else value <= bound
        yield what, f"{sign} {bound:g}", f"{value:.3g}", count, "kept" if kept else "MISSED"


def figures(rounds):
    """Rows of (case, way, seconds, worker CPU, JVM CPU, peak)."""
    seen = {}
    for one in rounds:
        for case, ways in one.items():
            for way in ways:
                seen[case, way] = None
    for case, way in seen:
        cells = []
        for figure in ("seconds", "worker_s", "jvm_s", "peak_mib"):
            value = medians(rounds, case, way, figure)
            cells.append("-" if value is None else f"{value:.3g}")
        yield (case, way, *cells)


def markdown(document):
    """The tables of a results file."""
    rounds = document["rounds"]
    machine = document["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"{machine['compiler']}, commit {machine['commit']}, {machine['date']}; "
        f"Spark {document['spark']}, {document['rows']:,} rows and {document['pairs']:,} pairs, "
        "`local[2]` over Unix sockets with Spark's daemon, 10,000 rows a batch, whole "
        "sessions of interleaved rounds, medians. Ratios are medians of those inside of a round; "
        "below 30 % end to end is noise.",
        "",
        "| | required | measured | rounds | |",
        "| --- | ---: | ---: | ---: | --- |",
        *(f"| {' | '.join(map(str, row))} |" for row in judged(rounds)),
        "",
        "| | | end to end, s | worker CPU, s | JVM CPU, s | peak, MiB |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(row)} |" for row in figures(rounds)),
    ]
    return "\n".join(lines) + "\n"
