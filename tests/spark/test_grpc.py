# SPDX-License-Identifier: Apache-2.0
"""Stock Spark over its gRPC channel, by the jar of ../../spark, in a local session."""

import os
import signal
import tempfile
import threading
import unittest

from pyspark import InheritableThread
from pyspark.errors import PythonException, UnsupportedOperationException
from pyspark.sql import functions as F

from forebay import Unsupported
from forebay.spark import CppWorker, grpc_conf
from support import WORKER, Session, grpc_processes, grpc_settings, wait_until

ROWS = 20_000
SUM = ROWS * (ROWS - 1) // 2


class Grpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A task is tried again, as on a cluster.
        session = Session(True, True, **grpc_settings(), **{"spark.master": "local[2,2]"})
        cls.addClassCleanup(session.__exit__)
        cls.session = session
        cls.spark = session.spark
        cls.worker = CppWorker(cls.spark, WORKER, channel="grpc")

    def tearDown(self):
        # A process serves one task, and takes its socket with it.
        wait_until(lambda: not grpc_processes(), "the end of all workers")
        for folder in self.socket_folders():
            self.assertEqual(self.session.socket_files(folder), [])

    def socket_folders(self):
        return [name for name in self.session.socket_files() if name.startswith("forebay-")]

    def numbers(self, partitions=2):
        return self.spark.range(0, ROWS, 1, partitions).select(
            "id", (F.col("id") * 0.5).alias("x"), F.col("id").cast("string").alias("s")
        )

    def total(self, df):
        return df.agg(F.sum("id")).first()[0]

    def plan(self, df):
        return df._jdf.queryExecution().executedPlan().toString()

    def test_maps(self):
        out = self.worker.map_in_arrow(self.numbers(), "identity")
        self.assertIn("GrpcMap identity", self.plan(out))
        row = out.agg(F.count("*"), F.sum("id"), F.sum("x"), F.sum(F.length("s"))).first()
        self.assertEqual(tuple(row), (ROWS, SUM, SUM / 2, 88_890))
        self.assertTrue(self.socket_folders())
        added = self.worker.map_in_arrow(self.numbers(1), "add", payload="7")
        self.assertEqual(
            [(r.id, r.x, r.s) for r in added.limit(3).collect()], [(7, 0, "0"), (8, 0.5, "1"), (9, 1, "2")]
        )
        together = self.worker.map_in_arrow(self.numbers(), "identity", barrier=True)
        self.assertEqual(self.total(together), SUM)
        # Partitions without rows.
        few = self.worker.map_in_arrow(self.spark.range(0, 2, 1, 4), "identity")
        self.assertEqual(sorted(r.id for r in few.collect()), [0, 1])

    def test_columns_chains_and_python_functions_in_one_query(self):
        add = self.worker.udf("add", payload="3", returns="long")
        identity = self.worker.udf("identity", returns="string")
        iterator = self.worker.udf("identity", returns="double", kind="scalar_iterator")
        classic = CppWorker(self.spark, WORKER).udf("add", payload="5", returns="long")
        doubled = F.udf(lambda value: 2 * value, "long")
        df = self.numbers().select(
            add("id").alias("a"), add(add("id")).alias("b"), identity("s").alias("s"),
            iterator("x").alias("x"), classic(add("id")).alias("c"), doubled(add("id")).alias("d"),
            add(doubled("id")).alias("e"),
        )
        self.assertEqual(self.plan(df).count("GrpcEval"), 7)
        row = df.agg(*(F.sum(c) for c in "abcdex"), F.sum(F.length("s"))).first()
        more = 3 * ROWS
        self.assertEqual(
            tuple(row),
            (SUM + more, SUM + 2 * more, SUM + 8 * ROWS, 2 * (SUM + more), 2 * SUM + more, SUM / 2, 88_890),
        )

    def test_sql(self):
        self.worker.register("add", "grpc_add", payload="100", returns="long")
        self.numbers().createOrReplaceTempView("numbers")
        total = self.spark.sql("SELECT sum(grpc_add(id)) AS t FROM numbers WHERE grpc_add(id) > 100")
        self.assertIn("GrpcEval", self.plan(total))
        self.assertEqual(total.first().t, SUM + 100 * ROWS - 100)
        named = self.spark.sql("SELECT grpc_add(value => id) FROM numbers")
        with self.assertRaisesRegex(UnsupportedOperationException, "Unsupported: arguments of 'add' by"):
            named.collect()

    def test_error_of_a_function(self):
        said = r"UserError: map function 'fail' failed in partition \d, batch 0: down the \u00e4rmel"
        with self.assertRaisesRegex(PythonException, said):
            self.worker.map_in_arrow(self.numbers(), "fail", payload="down the \u00e4rmel").collect()
        fail = self.worker.udf("fail", payload="no", returns="long")
        with self.assertRaisesRegex(PythonException, "UserError: scalar function 'fail' failed in"):
            self.numbers().select(fail("id")).collect()

    def test_a_limit_ends_what_still_works(self):
        slow = self.worker.map_in_arrow(
            self.spark.range(0, 1_000_000, 1, 1), "sleep_ms", payload="20"
        )
        self.assertEqual([r.id for r in slow.limit(3).collect()], [0, 1, 2])

    def test_a_killed_worker_is_one_failed_attempt(self):
        slow = self.worker.map_in_arrow(self.numbers(1), "sleep_ms", payload="500")
        result, pids = [], []
        thread = threading.Thread(target=lambda: result.append(self.total(slow)))
        thread.start()
        wait_until(lambda: pids.extend(grpc_processes()) or pids, "a worker")
        os.kill(pids[0], signal.SIGKILL)
        thread.join(60)
        self.assertEqual(result, [SUM])

    def test_a_cancelled_job_ends_a_function_that_does_not_listen(self):
        slow = self.worker.map_in_arrow(self.numbers(1), "sleep_ms", payload="600000")
        failed = []

        def run():
            self.spark.sparkContext.setJobGroup("slow", "to be cancelled", False)
            try:
                self.total(slow)
            except Exception as error:  # Whatever a cancelled job is told as.
                failed.append(error)

        thread = InheritableThread(target=run)
        thread.start()
        wait_until(grpc_processes, "a worker")
        self.spark.sparkContext.cancelJobGroup("slow")
        thread.join(60)
        self.assertEqual(len(failed), 1)

    def test_a_program_that_does_not_serve_is_told_with_its_words(self):
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as script:
            script.write(f'#!/bin/sh\n[ "$1" = --describe ] && exec {WORKER} --describe\n')
            script.write("echo it cannot start today; exit 3\n")
        self.addCleanup(os.unlink, script.name)
        os.chmod(script.name, 0o700)
        worker = CppWorker(self.spark, script.name, channel="grpc")
        with self.assertRaisesRegex(
            Exception, r"(?s)'identity' failed in partition \d: WorkerError: .* ended with 3 .*cannot start"
        ):
            worker.map_in_arrow(self.numbers(), "identity").collect()

    def test_functions_over_groups_are_unsupported(self):
        grouped = self.numbers().groupBy("s")
        with self.assertRaisesRegex(Unsupported, "grouped_map function 'identity' has no form on the"):
            self.worker.apply_in_arrow(grouped, "identity")
        with self.assertRaisesRegex(Unsupported, "cogrouped_map function"):
            self.worker.cogroup_in_arrow(grouped, grouped, "identity")
        with self.assertRaisesRegex(Unsupported, "grouped_aggregate function"):
            self.worker.udf("identity", returns="long", kind="grouped_aggregate")

    def test_missing_jars_are_unsupported(self):
        jar = os.environ["FOREBAY_SPARK_JAR"]
        with self.assertRaisesRegex(Unsupported, "there is no .*/nothing.jar"):
            grpc_conf(os.path.join(os.path.dirname(jar), "nothing.jar"))
        with self.assertRaisesRegex(Unsupported, "there is no .*protobuf-java-.* --packages io.grpc"):
            grpc_conf(jar, os.path.dirname(jar))
        with self.assertRaisesRegex(Unsupported, "not an absolute path"):
            grpc_conf("forebay-spark.jar")


if __name__ == "__main__":
    unittest.main()
