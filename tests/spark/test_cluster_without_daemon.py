# SPDX-License-Identifier: Apache-2.0
"""A packed worker on a standalone cluster where Spark starts a process for each task, and starts a
second attempt of a task that lags."""

import os
import signal
import threading
import unittest

from pyspark.sql import functions as F

from packed_cluster import PackedOnACluster
from support import wait_until

ROWS = 20_000


def state_of(pid):
    """The letter of a process's state, or none when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


class WithoutADaemon(PackedOnACluster):
    settings = {
        "spark.python.use.daemon": "false",
        "spark.python.worker.reuse": "false",
        "spark.speculation": "true",
        "spark.speculation.interval": "50ms",
        "spark.speculation.minTaskRuntime": "100ms",
        "spark.speculation.quantile": "0.5",
    }

    def total(self, function, payload):
        numbers = self.spark.range(0, ROWS, 1, 4)
        out = self.worker.map_in_arrow(numbers, function, payload=payload)
        return out.agg(F.sum("id")).first()[0]

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
