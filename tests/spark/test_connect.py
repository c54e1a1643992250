# SPDX-License-Identifier: Apache-2.0
"""A real Spark Connect session, with a server of its own: it is refused, and is told why."""

import unittest

from pyspark.sql import SparkSession

from forebay import Unsupported
from forebay.spark import CppWorker
from support import WORKER


class Connect(unittest.TestCase):
    def test_is_refused_and_told_why(self):
        spark = (
            SparkSession.builder.remote("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
        self.addCleanup(spark.stop)
        self.assertEqual(spark.range(3).count(), 3)
        with self.assertRaisesRegex(
            Unsupported, "^Unsupported: a Spark Connect session has no gateway to the driver's JVM"
        ):
            CppWorker(spark, WORKER)


if __name__ == "__main__":
    unittest.main()
