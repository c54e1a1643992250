# SPDX-License-Identifier: Apache-2.0
"""TPC-H query 1 on a standalone Spark cluster, its arithmetic in a C++ function, beside Spark's own.

`./dev run --spark` builds the function and calls this."""

import argparse
import fcntl
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cluster import Cluster
from forebay.pack import pack
from forebay.spark import CppWorker

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tpch"))

import data  # noqa: E402

NOTICE = "Derived from TPC-H; not comparable to published TPC-H results."

SQL = """
SELECT l_returnflag AS flag, l_linestatus AS status, sum(l_quantity) AS quantity,
       sum(l_extendedprice) AS price, sum(l_extendedprice * (1 - l_discount)) AS discounted,
       sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge,
       avg(l_quantity) AS mean_quantity, avg(l_extendedprice) AS mean_price,
       avg(l_discount) AS mean_discount, count(*) AS rows
FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '90' day
GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus
"""


def lineitem(folder, scale):
    """The Parquet file of that scale factor: from the folder, or made now."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"lineitem-sf{scale:g}.parquet"
    with open(file.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            print(f"tpchgen-cli makes TPC-H lineitem, scale factor {scale:g}, in {folder}")
            with tempfile.TemporaryDirectory(dir=folder) as made:
                data.generate_parquet(pathlib.Path(made), scale)
                shutil.move(pathlib.Path(made) / "lineitem.parquet", file)
    return file


def selected(spark):
    """What the function takes."""
    columns = {
        "flag": "l_returnflag", "status": "l_linestatus", "quantity": "l_quantity",
        "price": "l_extendedprice", "discount": "l_discount", "tax": "l_tax",
    }
    rows = spark.table("lineitem").where("l_shipdate <= date '1998-12-01' - interval '90' day")
    return rows.select(*(F.col(name).alias(alias) for alias, name in columns.items()))


def from_partials(partials):
    """The query's answer from the sums of tasks."""
    totals = partials.groupBy("flag", "status").agg(
        *(F.sum(c).alias(c) for c in ("quantity", "price", "discounted", "charge", "discount", "rows"))
    )

    def mean(name):
        return (F.col(name) / F.col("rows")).cast("decimal(19,6)").alias("mean_" + name)

    return totals.select(
        "flag", "status", "quantity", "price", "discounted", "charge",
        mean("quantity"), mean("price"), mean("discount"), "rows",
    ).orderBy("flag", "status")


def by_cpp(spark, worker):
    return from_partials(worker.map_in_arrow(selected(spark), "query1"))


def timed(query):
    begin = time.monotonic()
    rows = [tuple(row) for row in query().collect()]
    return time.monotonic() - begin, rows


def arguments():
    parser = argparse.ArgumentParser(prog="./dev run --spark", description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale factor (1)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over both ways (3)")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR",
                        help=f"where the data is kept ({data.default_folder()})")
    options = parser.parse_args()
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds is at least 1, --scale is above 0")
    return options


def main():
    options = arguments()
    file = lineitem(options.data or data.default_folder(), options.scale)
    name = os.path.basename(options.program)
    with Cluster() as cluster:
        archive = os.path.join(cluster.folder.name, name + ".tar.gz")
        pack(options.program, archive)
        print(f"A master and two workers run at {cluster.master}; {name} is packed and shipped")
        spark = (
            SparkSession.builder.master(cluster.master).appName("forebay query 1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.archives", archive + "#functions")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
        )
        try:
            spark.sparkContext.setLogLevel("ERROR")
            spark.read.parquet(str(file)).createOrReplaceTempView("lineitem")
            worker = CppWorker(spark, f"functions/{name}")
            ways = {"Spark SQL": lambda: spark.sql(SQL), "C++ function": lambda: by_cpp(spark, worker)}
            seconds = {way: [] for way in ways}
            answers = {}
            for number in range(options.rounds):
                for way in list(ways) if number % 2 == 0 else list(reversed(ways)):
                    took, answers[way] = timed(ways[way])
                    seconds[way].append(took)
            by_cpp(spark, worker).show(truncate=False)
            for way, times in seconds.items():
                print(f"{way}: {statistics.median(times):.2f} s, the median of {len(times)} runs")
        finally:
            spark.stop()
    print(NOTICE)
    if answers["C++ function"] != answers["Spark SQL"]:
        print(f"WRONG: Spark SQL's own answer is {answers['Spark SQL']}")
        return 1
    print("The answers are equal to the last digit.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
