# SPDX-License-Identifier: Apache-2.0
"""C++ functions beside Python's in a local Spark: time, processor time, memory, cold starts.

`./dev bench spark` builds the functions and calls this. Rounds are added to those in the results file
when it has the same sizes, so that a long measurement can be made of short sessions."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import pyarrow.parquet as pq
import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import cold_start  # noqa: E402
import machine  # noqa: E402
import promises  # noqa: E402
import query1  # noqa: E402
import ways  # noqa: E402
from forebay.spark import CppWorker  # noqa: E402
from processes import Processes  # noqa: E402

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CASES = ("identity", "haversine", "edit_distance", "cold")
CHECKED_ROWS = 200_000
# Of the C++ worker in one round, which takes their median; one of PySpark's lasts as long as all.
STARTS = 25
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench spark", description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of numbers (10,000,000)")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="of comments (1,000,000)")
    parser.add_argument("--rounds", type=int, default=1, help="rounds over all ways (1)")
    parser.add_argument("--cases", default=",".join(CASES), metavar="A,B,..",
                        help=f"of {', '.join(CASES)}")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="the results (spark.json in the build folder)")
    parser.add_argument("--publish", action="store_true",
                        help="write the tables into docs/spark.md, and measure nothing")
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    if not set(options.cases) <= set(CASES):
        parser.error(f"--cases are of {', '.join(CASES)}")
    if min(options.rounds, options.rows, options.pairs) < 1:
        parser.error("--rounds, --rows and --pairs are at least 1")
    options.json = options.json or options.build_dir / "spark.json"
    return options


def comment_pairs(folder, pairs):
    """A Parquet file of comments of lineitem, each with the one that follows it."""
    scale = -(-(pairs + 1) // 550_000) / 10  # Scale factor 0.1 has 600,000 lines.
    comments = pq.read_table(query1.lineitem(query1.data.default_folder(), scale), columns=["l_comment"])
    one = comments.column(0).slice(0, pairs)
    other = comments.column(0).slice(1, pairs)
    file = folder / "pairs.parquet"
    table = comments.slice(0, pairs).rename_columns(["one"]).append_column("other", other)
    pq.write_table(table, file, row_group_size=-(-len(one) // 2))
    return str(file)


def measured(spark, query):
    """One run to its sums, and what they are."""
    processes = Processes(spark)
    df = query()
    sums = [F.sum(c) for c in df.columns]
    worker, jvm, begin = processes.worker_seconds(), processes.jvm_seconds(), time.monotonic()
    answer = tuple(df.agg(F.count("*"), *sums).first())
    return {
        "seconds": time.monotonic() - begin,
        "worker_s": processes.worker_seconds() - worker,
        "jvm_s": processes.jvm_seconds() - jvm,
    }, answer


def check_answers(case, answers):
    """Every way has worked out the same."""
    first = answers[next(iter(answers))]
    for way, answer in answers.items():
        same = all(abs(a - b) <= 1e-9 * abs(b) for a, b in zip(answer, first))
        if not same:
            raise SystemExit(f"run.py: {case}: {way} answers {answer}, others {first}")


def check_differences(queries):
    """The most that a row of C++ differs from numpy's, by ways."""
    def rows(way):
        return [row[0] for row in queries[way]().toLocalIterator()]

    numpy = rows(ways.PANDAS)
    return {
        way: max(abs(a - b) / abs(b) if b else abs(a) for a, b in zip(rows(way), numpy, strict=True))
        for way in queries
        if way not in (ways.ROW, ways.PANDAS)
    }


def run_session(options, folder):
    """The rounds of one session: [{case: {way: figures}}]."""
    spark = (
        SparkSession.builder.master("local[2]").appName("forebay bench")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        .config("spark.python.unix.domain.socket.enabled", "true")
        .config("spark.python.unix.domain.socket.dir", str(folder))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.addPyFile(ways.__file__)  # Python's workers look for it.
    worker = CppWorker(spark, os.path.abspath(options.program))

    def queries_of(case, rows, pairs):
        if case == "edit_distance":
            return ways.edit_distance(spark.read.parquet(file).limit(pairs) if pairs < options.pairs
                                      else spark.read.parquet(file), worker)
        return getattr(ways, case)(spark, worker, rows)

    cases = [case for case in options.cases if case != "cold"]
    file = comment_pairs(folder, options.pairs) if "edit_distance" in cases else None
    for case in cases:
        for query in queries_of(case, 20_000, 2_000).values():
            measured(spark, query)
    rounds = []
    for number in range(options.rounds):
        results = {}
        for case in cases:
            queries = queries_of(case, options.rows, options.pairs)
            order = list(queries) if number % 2 == 0 else list(reversed(queries))
            figures, answers = {}, {}
            for way in order:
                figures[way], answers[way] = measured(spark, queries[way])
                print(f"{case}, {way}: " + ", ".join(f"{k} {v:.2f}" for k, v in figures[way].items()))
            check_answers(case, answers)
            if case == "identity":
                for way, program in (("C++", options.program), ("PySpark's worker", sys.executable)):
                    figures[way]["peak_mib"] = Processes(spark).peak_mib(program)
            results[case] = figures
        rounds.append(results)
    if "haversine" in cases:
        few = queries_of("haversine", min(options.rows, CHECKED_ROWS), 0)
        for way, worst in check_differences(few).items():
            rounds[0]["haversine"][way]["difference"] = worst
    spark.stop()
    return rounds


def add_cold_starts(rounds, program):
    starts = {
        "C++": cold_start.cpp_worker(os.path.abspath(program)),
        "PySpark's worker": cold_start.python_worker(),
    }
    for start in starts.values():  # So that its files are in memory.
        cold_start.seconds_of_start(start)
        cold_start.seconds_of_daemon(start)
    for results in rounds:
        results["cold"] = {way: {} for way in starts}
        for way, start in starts.items():
            for _ in range(STARTS if way == "C++" else 1):
                handshake, first_batch = cold_start.seconds_of_start(start)
                figures = {
                    "seconds": first_batch,
                    "handshake_ms": handshake * 1e3,
                    "daemon_ms": cold_start.seconds_of_daemon(start) * 1e3,
                }
                for name, value in figures.items():
                    results["cold"][way].setdefault(name, []).append(value)
            for name, values in results["cold"][way].items():
                results["cold"][way][name] = statistics.median(values)


def merged(options, rounds):
    document = {
        "machine": machine.describe(CHECKOUT, options.build_dir),
        "spark": pyspark.__version__,
        "rows": options.rows,
        "pairs": options.pairs,
        "rounds": rounds,
    }
    if options.json.exists():
        before = json.loads(options.json.read_text())
        if (before["rows"], before["pairs"]) == (options.rows, options.pairs):
            document["rounds"] = before["rounds"] + rounds
    return document


def publish(file):
    page = CHECKOUT / "docs" / "spark.md"
    head, rest = page.read_text().split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(head + BEGIN + promises.markdown(json.loads(file.read_text())) + END + tail)


def main():
    options = arguments()
    if options.publish:
        publish(options.json)
        return 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="forebay-bench-"))
    try:
        if set(options.cases) == {"cold"}:
            rounds = [{} for _ in range(options.rounds)]
        else:
            rounds = run_session(options, folder)
        if "cold" in options.cases:
            add_cold_starts(rounds, options.program)
    finally:
        shutil.rmtree(folder)
    document = merged(options, rounds)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    print(promises.markdown(document))
    print(f"Results: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
