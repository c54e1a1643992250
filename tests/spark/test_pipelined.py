# SPDX-License-Identifier: Apache-2.0
"""The worker under a Spark that writes to it in a thread of its own."""

import unittest

from pyspark.sql import functions as F

from forebay.spark import CppWorker
from support import WORKER, Session, channel_name

ROWS, PARTITIONS, JOBS = 40_000, 100, 10


class Pipelined(unittest.TestCase):
    """No task may fail: Spark would close a connection that it had given to the next task already,
    if the worker did not ask it to give it to nobody."""

    def test_many_short_tasks_all_succeed(self):
        for uds, daemon in ((True, True), (False, True), (True, False)):
            with self.subTest(channel=channel_name(uds, daemon)):
                settings = {
                    "spark.python.udf.pipelined.enabled": "true",
                    "spark.task.maxFailures": "1",
                }
                with Session(uds, daemon, **settings) as session:
                    worker = CppWorker(session.spark, WORKER)
                    add = worker.udf("add", payload="1", returns="long")
                    for job in range(JOBS if daemon else 2):
                        df = session.spark.range(0, ROWS, 1, PARTITIONS)
                        out = worker.map_in_arrow(df, "identity").select(add("id").alias("id"))
                        self.assertEqual(
                            out.agg(F.sum("id")).first()[0], ROWS * (ROWS + 1) // 2, f"job {job}"
                        )


if __name__ == "__main__":
    unittest.main()
