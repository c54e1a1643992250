# SPDX-License-Identifier: Apache-2.0
"""The worker under a stock Spark, on each of its four channels."""

import unittest

from pyspark.errors import PythonException
from pyspark.sql import functions as F

from forebay import SignatureError, Unsupported
from forebay.spark import CppWorker
from support import CHANNELS, WORKER, Session, channel_name, wait_until, worker_processes

ROWS = 20_000


def numbers(spark, partitions=2):
    return spark.range(0, ROWS, 1, partitions).select(
        "id", (F.col("id") * 0.5).alias("x"), F.col("id").cast("string").alias("s")
    )


def sums(df):
    row = df.agg(F.count("*"), F.sum("id"), F.sum("x"), F.sum(F.length("s"))).first()
    return tuple(row)


class Channels(unittest.TestCase):
    maxDiff = None

    def check(self, session):
        spark = session.spark
        worker = CppWorker(spark, WORKER)
        df = numbers(spark)
        expected = sums(df)

        self.assertEqual(sums(worker.map_in_arrow(df, "identity")), expected)
        # More partitions than workers: each serves several tasks, one after the other.
        self.assertEqual(sums(worker.map_in_arrow(numbers(spark, 7), "identity")), expected)
        # Partitions without rows.
        few = worker.map_in_arrow(spark.range(0, 2, 1, 4), "identity")
        self.assertEqual(sorted(r.id for r in few.collect()), [0, 1])
        # Rows in their order, and an end before all were sent.
        first = worker.map_in_arrow(numbers(spark, 1), "add", payload="7").limit(3).collect()
        self.assertEqual([(r.id, r.x, r.s) for r in first], [(7, 0.0, "0"), (8, 0.5, "1"), (9, 1.0, "2")])

        add = worker.udf("add", payload="3", returns="long")
        identity = worker.udf("identity", returns="string")
        row = df.select(add("id").alias("a"), identity("s").alias("b"), add(add("id")).alias("c"))
        self.assertEqual(
            tuple(row.agg(F.sum("a"), F.sum(F.length("b")), F.sum("c")).first()),
            (expected[1] + 3 * ROWS, expected[3], expected[1] + 6 * ROWS),
        )
        iterator = worker.udf("identity", returns="double", kind="scalar_iterator")
        self.assertEqual(df.select(iterator("x").alias("x")).agg(F.sum("x")).first()[0], expected[2])

        grouped = df.withColumn("k", F.col("id") % 5).groupBy("k")
        self.assertEqual(sums(worker.apply_in_arrow(grouped, "identity")), expected)
        self.assertEqual(sums(worker.cogroup_in_arrow(grouped, grouped, "identity")), expected)
        first_of = worker.udf("identity", returns="long", kind="grouped_aggregate")
        ones = df.limit(5).groupBy("id").agg(first_of("id").alias("f")).orderBy("id").collect()
        self.assertEqual([(r.id, r.f) for r in ones], [(i, i) for i in range(5)])

        worker.register("add", "cpp_add", payload="100", returns="long")
        df.createOrReplaceTempView("numbers")
        total = spark.sql("SELECT sum(cpp_add(id)) FROM numbers").first()[0]
        self.assertEqual(total, expected[1] + 100 * ROWS)

        with self.assertRaisesRegex(
            PythonException,
            r"UserError: map function 'fail' failed in partition \d, batch 0: down the \u00e4rmel",
        ):
            worker.map_in_arrow(df, "fail", payload="down the \u00e4rmel").collect()
        # The session goes on.
        self.assertEqual(sums(worker.map_in_arrow(df, "identity")), expected)

    def test_every_kind_on_every_channel(self):
        for uds, daemon in CHANNELS:
            with self.subTest(channel=channel_name(uds, daemon)):
                with Session(uds, daemon) as session:
                    self.check(session)
                    spark = session.spark
                    spark.stop()
                    # Daemons end with their session, and take socket files and workers with them.
                    wait_until(lambda: not worker_processes(), "the end of all workers")
                    self.assertEqual(session.socket_files(), [])


class Misuse(unittest.TestCase):
    def test_is_seen_before_a_job_starts(self):
        with Session(True, True) as session:
            worker = CppWorker(session.spark, WORKER)
            df = session.spark.range(3)
            with self.assertRaisesRegex(SignatureError, "no map function 'nothing'; it has add, fail"):
                worker.map_in_arrow(df, "nothing")
            with self.assertRaisesRegex(SignatureError, "say which type"):
                worker.udf("add", payload="1")
            # This JVM was started without the jar.
            with self.assertRaisesRegex(Unsupported, "^Unsupported: the gRPC channel needs"):
                CppWorker(session.spark, WORKER, channel="grpc")
            with self.assertRaisesRegex(Unsupported, "a channel 'rsocket': there are 'classic' and"):
                CppWorker(session.spark, WORKER, channel="rsocket")


if __name__ == "__main__":
    unittest.main()
