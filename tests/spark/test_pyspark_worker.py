# SPDX-License-Identifier: Apache-2.0
"""PySpark's own worker on forebay.ZeroCopyByteStream: the results are those of its own class."""

import sys
import time
import unittest

import pandas
import pyarrow
from pyspark import cloudpickle
from pyspark.sql import functions as F

from support import CHANNELS, Session, channel_name

# The workers need not find this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

MODULE = "forebay.pyspark_worker"
TASKS, ROWS = 100, 100_000


def streams_module():
    """Where the class comes from that this worker reads its tasks with."""
    from pyspark.messages.socket import spark_socket_message_receiver as receiver

    return receiver.ZeroCopyByteStream.__module__


def double(batches):
    for batch in batches:
        yield pyarrow.record_batch({"id": pyarrow.compute.multiply(batch.column(0), 2)})


def which(batches):
    for batch in batches:
        names = [streams_module()] * batch.num_rows
        yield pyarrow.record_batch({"module": pyarrow.array(names, pyarrow.string())})


def results(spark, tasks, rows):
    import pyarrow.compute  # noqa: F401, which the functions use in the worker

    @F.arrow_udf("long")
    def plus_one(column: pyarrow.Array) -> pyarrow.Array:
        return pyarrow.compute.add(column, 1)

    @F.pandas_udf("string")
    def text(column: pandas.Series) -> pandas.Series:
        return column.astype(str) + "é"

    @F.udf("double")
    def half(value):
        return value / 2

    df = spark.range(0, rows, 1, tasks)
    largest = F.max(F.length("t")), F.min("t"), F.max("t")
    return [
        df.mapInArrow(double, "id long").agg(F.sum("id"), F.count("id")).first(),
        df.select(plus_one("id").alias("i")).agg(F.sum("i"), F.count("i")).first(),
        df.select(text("id").alias("t")).agg(*largest).first(),
        df.repartition(4).select(half("id").alias("h")).agg(F.sum("h")).first(),
        spark.range(0, 300_000, 1, 2).mapInArrow(double, "id long").agg(F.sum("id")).first(),
        sorted(tuple(row) for row in spark.range(20).groupBy((F.col("id") % 3).alias("k"))
               .applyInPandas(lambda key, part: pandas.DataFrame(
                   {"k": [key[0]], "n": [len(part)]}), "k long, n long").collect()),
    ]


class OnOurClass(unittest.TestCase):
    maxDiff = None

    def worker_session(self, uds, daemon):
        return Session(uds, daemon, **{"spark.python.daemon.module": MODULE,
                                       "spark.python.worker.module": MODULE,
                                       "spark.task.maxFailures": "1"})

    def test_many_tasks_give_the_same_results(self):
        with Session(True, True) as session:
            begin = time.monotonic()
            expected = results(session.spark, TASKS, ROWS)
            theirs = time.monotonic() - begin
        with self.worker_session(True, True) as session:
            begin = time.monotonic()
            self.assertEqual(results(session.spark, TASKS, ROWS), expected)
            ours = time.monotonic() - begin
        print(f"{3 * TASKS} tasks and more: {theirs:.1f} s with PySpark's class, {ours:.1f} s")

    def test_each_channel_runs_on_it(self):
        for uds, daemon in CHANNELS:
            with self.subTest(channel=channel_name(uds, daemon)):
                with self.worker_session(uds, daemon) as session:
                    rows = session.spark.range(4).mapInArrow(which, "module string").collect()
                    self.assertEqual({row.module for row in rows}, {"forebay"})


if __name__ == "__main__":
    unittest.main()
