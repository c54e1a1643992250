# SPDX-License-Identifier: Apache-2.0
"""A packed worker on a standalone cluster: a master and two workers in processes of their own."""

import os
import signal
import threading
import unittest

from pyspark.sql import functions as F

from packed_cluster import PackedOnACluster
from support import WORKER, wait_until

ROWS = 20_000


class OnACluster(PackedOnACluster):
    settings = {"spark.sql.shuffle.partitions": "2", "spark.task.maxFailures": "4"}

    def numbers(self, partitions=4):
        return self.spark.range(0, ROWS, 1, partitions)

    def total(self, df):
        return df.agg(F.sum("id")).first()[0]

    def test_executors_run_the_program(self):
        out = self.worker.map_in_arrow(self.numbers(), "add", payload="1")
        self.assertEqual(self.total(out), ROWS * (ROWS - 1) // 2 + ROWS)

    def test_cpp_and_python_functions_in_one_query(self):
        doubled = F.udf(lambda value: 2 * value, "long")
        add = self.worker.udf("add", payload="3", returns="long")
        df = self.numbers().select(doubled(add(doubled("id"))).alias("id"))
        self.assertEqual(self.total(df), 2 * (ROWS * (ROWS - 1) + 3 * ROWS))

    def test_many_small_tasks(self):
        out = self.worker.map_in_arrow(self.numbers(1000), "identity")
        self.assertEqual(self.total(out), ROWS * (ROWS - 1) // 2)
        # Each executor ran what was shipped to it.
        programs = {os.readlink(f"/proc/{pid}/exe") for pid in self.workers()}
        self.assertEqual(
            {os.path.relpath(p, self.cluster.folder.name).split(os.sep)[0] for p in programs},
            {"worker-1", "worker-2"},
        )
        for program in programs:
            self.assertTrue(program.endswith("/functions/" + os.path.basename(WORKER)), program)

    def start(self, df):
        """Sums its ids up on another thread, which is given back with the list that gets the sum."""
        result = []
        thread = threading.Thread(target=lambda: result.append(self.total(df)))
        thread.start()
        return thread, result

    def serving(self):
        """Workers that serve a connection: the children of daemons."""
        all_of_them = set(self.workers())
        found = []
        for pid in all_of_them:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                    if int(stat.read().rsplit(")", 1)[1].split()[1]) in all_of_them:
                        found.append(pid)
            except OSError:
                continue
        return found

    def test_a_limit_ends_tasks_early_and_the_next_ones_run(self):
        out = self.worker.map_in_arrow(self.spark.range(0, 2_000_000, 1, 2), "identity")
        self.assertEqual([row.id for row in out.limit(5).collect()], [0, 1, 2, 3, 4])
        self.test_executors_run_the_program()

    def test_partitions_without_rows(self):
        few = self.worker.map_in_arrow(self.spark.range(0, 2, 1, 16), "identity")
        self.assertEqual(sorted(row.id for row in few.collect()), [0, 1])
        none = self.worker.map_in_arrow(self.numbers().where("id < 0"), "identity")
        self.assertEqual(none.count(), 0)

    def end_one_while_it_works(self, processes, how):
        """Gives back the workers that served when one of the processes was ended."""
        slow = self.worker.map_in_arrow(self.numbers(2), "sleep_ms", payload="4000")
        thread, result = self.start(slow)
        wait_until(lambda: len(self.serving()) >= 2, "two serving workers")
        serving = set(self.serving())
        os.kill(processes()[0], how)
        thread.join(180)
        self.assertEqual(result, [ROWS * (ROWS - 1) // 2])
        return serving

    def test_killed_worker_is_one_failed_attempt(self):
        self.end_one_while_it_works(self.serving, signal.SIGKILL)

    def test_crash_is_one_failed_attempt(self):
        self.end_one_while_it_works(self.serving, signal.SIGSEGV)

    def test_killed_executor_is_replaced_and_its_tasks_run_again(self):
        self.test_executors_run_the_program()
        before = set(self.cluster.executors())
        served = self.end_one_while_it_works(self.cluster.executors, signal.SIGKILL)
        wait_until(lambda: set(self.cluster.executors()) - before, "an executor in its place")
        # Daemons end with their executor, and take their workers with them.
        wait_until(lambda: not served <= set(self.workers()), "the end of the orphaned workers")

    def test_cancelled_job_ends_and_the_next_one_runs(self):
        context = self.spark.sparkContext
        failed = []

        def run():
            context.setJobGroup("slow", "to be cancelled", True)
            try:
                self.total(self.worker.map_in_arrow(self.numbers(2), "sleep_ms", payload="20000"))
            except Exception as error:  # Whatever a cancelled job is told as.
                failed.append(error)

        from pyspark import InheritableThread

        thread = InheritableThread(target=run)
        thread.start()
        wait_until(lambda: context.statusTracker().getActiveStageIds(), "an active stage")
        wait_until(self.serving, "a serving worker")
        context.cancelJobGroup("slow")
        thread.join(60)
        self.assertEqual(len(failed), 1)
        self.test_executors_run_the_program()


if __name__ == "__main__":
    unittest.main()
