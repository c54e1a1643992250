# SPDX-License-Identifier: Apache-2.0
"""A packed worker on a standalone cluster where Spark starts a process for each task, and starts a
second attempt of a task that lags."""

import os
import signal
import threading
import unittest

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cluster import Cluster
from forebay.pack import pack
from forebay.spark import CppWorker
from support import WORKER, wait_until, worker_processes

ROWS = 20_000
SETTINGS = {
    "spark.python.use.daemon": "false",
    "spark.python.worker.reuse": "false",
    "spark.speculation": "true",
    "spark.speculation.interval": "50ms",
    "spark.speculation.minTaskRuntime": "100ms",
    "spark.speculation.quantile": "0.5",
}


def state_of(pid):
    """The letter of a process's state, or none when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


class WithoutADaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        name = os.path.basename(WORKER)
        archive = os.path.join(cls.cluster.folder.name, name + ".tar.gz")
        pack(WORKER, archive)
        builder = (
            SparkSession.builder.master(cls.cluster.master)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.executor.memory", "512m")
            .config("spark.archives", archive + "#functions")
        )
        for setting, value in SETTINGS.items():
            builder = builder.config(setting, value)
        cls.spark = builder.getOrCreate()
        cls.spark.sparkContext.setLogLevel("OFF")
        cls.addClassCleanup(cls.spark.stop)
        cls.worker = CppWorker(cls.spark, f"functions/{name}")

    def total(self, function, payload):
        numbers = self.spark.range(0, ROWS, 1, 4)
        out = self.worker.map_in_arrow(numbers, function, payload=payload)
        return out.agg(F.sum("id")).first()[0]

    def workers(self):
        return worker_processes(self.cluster.folder.name)

    def test_shipped_names_run_on_each_executor(self):
        self.assertEqual(self.total("add", "1"), ROWS * (ROWS - 1) // 2 + ROWS)

    def test_an_attempt_that_lags_is_overtaken_on_another_host(self):
        wait_until(lambda: not self.workers(), "the end of earlier workers")
        result = []
        job = threading.Thread(target=lambda: result.append(self.total("sleep_ms", "500")))
        job.start()
        wait_until(self.workers, "a worker that serves")
        lagging = self.workers()[0]
        os.kill(lagging, signal.SIGSTOP)
        try:
            # Its rows can only come from another attempt.
            job.join(120)
            self.assertEqual(result, [ROWS * (ROWS - 1) // 2])
            self.assertIn(state_of(lagging), ("T", "Z", None))
        finally:
            if state_of(lagging) is not None:
                os.kill(lagging, signal.SIGCONT)
        wait_until(lambda: lagging not in self.workers(), "the end of the attempt that lagged")


if __name__ == "__main__":
    unittest.main()
