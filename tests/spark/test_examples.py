# SPDX-License-Identifier: Apache-2.0
"""The queries of examples/spark, packed and shipped, against plain Python; and what is seen before a
job starts. One session for all."""

import math
import os
import statistics
import sys
import tempfile
import unittest

from pyspark import SparkFiles
from pyspark.sql import functions as F

from forebay import SignatureError, WorkerError
from forebay.spark import CppWorker
from support import Session

SOURCE_DIR = os.environ["FOREBAY_SOURCE_DIR"]
PROGRAM = os.environ["FOREBAY_EXAMPLE_FUNCTIONS"]
sys.path.append(os.path.join(SOURCE_DIR, "examples", "spark"))

import queries  # noqa: E402


def haversine(latitude1, longitude1, latitude2, longitude2):
    lat1, lon1, lat2, lon2 = map(math.radians, (latitude1, longitude1, latitude2, longitude2))
    a = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * 6371.0088 * math.asin(min(1.0, math.sqrt(a)))


def edit_distance(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(diagonal + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        session = Session(True, True)
        cls.addClassCleanup(session.__exit__)
        cls.spark = session.spark
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.worker = queries.ship(cls.spark, PROGRAM, folder.name)

    def test_distances(self):
        places = {name: place for name, *place in queries.CITIES}
        rows = queries.distances(self.spark, self.worker).collect()
        self.assertEqual(len(rows), 6)
        for row in rows:
            expected = haversine(*places[row["from"]], *places[row["to"]])
            self.assertAlmostEqual(row["km"] / expected, 1, delta=1e-12)

    def test_misspellings(self):
        rows = queries.misspellings(self.spark, self.worker).collect()
        self.assertEqual(
            {(r.one, r.other): r.edits for r in rows},
            {pair: edit_distance(*pair) for pair in queries.NAMES},
        )

    def test_distances_of_all_kinds_of_strings(self):
        texts = ["", "a", "ab" * 32, "ba" * 40, "\u00e4\u00f6", "a\u20ac\U0001f30d" * 30, "z" * 200]
        pairs = [(one, other) for one in texts for other in texts] + [(None, "a"), ("a", None)]
        df = self.spark.createDataFrame(pairs, "one string, other string")
        rows = df.select("*", self.worker.udf("edit_distance")("one", "other").alias("d")).collect()
        for row in rows:
            expected = None if None in row[:2] else edit_distance(row.one, row.other)
            self.assertEqual(row.d, expected, row[:2])

    def test_smooth(self):
        window = 5
        rows = queries.smooth(self.spark, self.worker, 200, window).collect()
        self.assertEqual(len(rows), 200)
        for sensor in range(4):
            series = [row for row in rows if row.sensor == sensor]
            self.assertEqual([r["at"] for r in series], sorted(r["at"] for r in series))
            for i, row in enumerate(series):
                last = [r.value for r in series[max(0, i + 1 - window) : i + 1]]
                self.assertEqual(row.median, statistics.median(last))
        spikes = [row.median for row in rows if row.value == 1000.0]
        self.assertTrue(spikes and max(spikes[4:]) <= 1)

    def test_both_languages_in_one_query(self):
        for row in queries.both_languages(self.spark, self.worker).collect():
            self.assertEqual(row.miles, row.km / 1.609344)

    def test_local_sessions_run_what_spark_unpacked(self):
        root = SparkFiles.getRootDirectory()
        program = os.path.join(root, "functions", os.path.basename(PROGRAM))
        self.assertEqual(self.worker._path, program)
        self.assertTrue(os.access(program, os.X_OK))
        with self.assertRaisesRegex(WorkerError, "nothing was shipped as functions/missing: add it"):
            CppWorker(self.spark, "functions/missing")

    def test_types_are_checked_on_the_driver(self):
        df = self.spark.range(3)
        with self.assertRaisesRegex(SignatureError, "takes 4 columns and is called with 1"):
            self.worker.udf("haversine")("id")
        with self.assertRaisesRegex(SignatureError, "gives double, not string"):
            self.worker.udf("haversine", returns="string")
        with self.assertRaisesRegex(
            SignatureError, "takes bigint, timestamp_ntz, double and is called with bigint"
        ):
            self.worker.apply_in_arrow(df.groupBy("id"), "rolling_median", payload="5")
        with self.assertRaisesRegex(SignatureError, "no map function 'haversine'"):
            self.worker.map_in_arrow(df, "haversine")

    def test_payload_that_is_no_number_is_what_the_user_reads(self):
        df = queries.smooth(self.spark, self.worker, 4, "many")
        with self.assertRaisesRegex(Exception, "rolling_median.*no number of readings: 'many'"):
            df.collect()


if __name__ == "__main__":
    unittest.main()
