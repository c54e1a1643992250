# SPDX-License-Identifier: Apache-2.0
"""C++ functions over TPC-H lineitem, on both channels, equal to PySpark's own functions and to Spark
SQL."""

import collections
import decimal
import os
import pathlib
import tempfile
import unittest

import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F

import query1
from forebay.spark import CppWorker
from support import Session, grpc_settings

PROGRAM = os.environ["FOREBAY_SPARK_FUNCTIONS"]
SCALE = 0.01


def sums_of(batches):
    """The C++ function query1, in Python: for mapInArrow."""
    totals = collections.defaultdict(lambda: [0] * 6)
    with decimal.localcontext(decimal.Context(prec=38)):
        for batch in batches:
            for row in batch.to_pylist():
                discounted = row["price"] * (1 - row["discount"])
                values = (
                    row["quantity"], row["price"], discounted,
                    discounted * (1 + row["tax"]), row["discount"], 1,
                )
                kept = totals[row["flag"], row["status"]]
                for i, value in enumerate(values):
                    kept[i] += value
    rows = [(*key, *values) for key, values in sorted(totals.items())]
    types = [
        pa.string(), pa.string(), *(pa.decimal128(38, scale) for scale in (2, 2, 4, 6, 2)), pa.int64()
    ]
    names = ["flag", "status", "quantity", "price", "discounted", "charge", "discount", "rows"]
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(types)]
    yield pa.RecordBatch.from_arrays(columns, names=names)


def edit_distance(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(diagonal + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


class Lineitem(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        file = query1.lineitem(pathlib.Path(folder.name), SCALE)
        session = Session(True, True, **grpc_settings())
        cls.addClassCleanup(session.__exit__)
        cls.spark = session.spark
        cls.spark.read.parquet(str(file)).createOrReplaceTempView("lineitem")
        cls.workers = {
            channel: CppWorker(cls.spark, PROGRAM, channel=channel) for channel in ("classic", "grpc")
        }

    def test_query_1_is_what_sql_and_python_answer(self):
        by_sql = self.spark.sql(query1.SQL).collect()
        self.assertEqual(len(by_sql), 4)
        partials = ["flag", "status", "quantity", "price", "discounted", "charge", "discount", "rows"]
        for channel, worker in self.workers.items():
            with self.subTest(channel=channel):
                cpp = worker.map_in_arrow(query1.selected(self.spark), "query1")
                python = query1.selected(self.spark).mapInArrow(sums_of, cpp.schema)
                self.assertEqual(
                    cpp.orderBy(*partials).collect(), python.orderBy(*partials).collect()
                )
                self.assertEqual(query1.from_partials(cpp).collect(), by_sql)

    def test_edit_distance_of_comments_is_that_of_a_python_udf(self):
        following = F.lead("l_comment").over(Window.orderBy("l_orderkey", "l_linenumber"))
        pairs = self.spark.table("lineitem").limit(2000).select(
            F.col("l_comment").alias("one"), following.alias("other")
        ).where("other IS NOT NULL")
        by_python = F.udf(edit_distance, "long")("one", "other")
        by_cpp = [
            worker.udf("edit_distance")("one", "other").alias(channel)
            for channel, worker in self.workers.items()
        ]
        rows = pairs.select(by_python.alias("python"), *by_cpp).collect()
        self.assertEqual(len(rows), 1999)
        for channel in self.workers:
            self.assertEqual([row[channel] for row in rows], [row.python for row in rows])

    def test_vectorised_distances_are_those_of_libm(self):
        places = [((F.col("l_partkey") * k) % 18000 / 100 - 90).alias(f"y{k}") for k in (7, 11)]
        places += [((F.col("l_suppkey") * k) % 36000 / 100 - 180).alias(f"x{k}") for k in (13, 17)]
        df = self.spark.table("lineitem").select(*[c.cast("double") for c in places])
        y1, y2, x1, x2 = df.columns
        plain, fast = (
            worker.udf(name)(y1, x1, y2, x2)
            for worker, name in zip(
                self.workers.values(), ("haversine", "haversine_vectorised"), strict=True
            )
        )
        worst = df.select(plain.alias("a"), fast.alias("b")).agg(
            F.max(F.abs(F.col("b") - F.col("a")) / F.greatest("a", F.lit(1e-9))), F.sum("a")
        ).first()
        self.assertLessEqual(worst[0], 1e-12)
        self.assertGreater(worst[1], 0)


if __name__ == "__main__":
    unittest.main()
