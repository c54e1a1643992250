# SPDX-License-Identifier: Apache-2.0
"""Every type of Spark's there and back through C++, equal to what Spark had, nulls included, on each
channel."""

import unittest

import pyspark
from pyspark.sql import functions as F

from forebay import Unsupported
from forebay.spark import CppWorker
from support import WORKER, Session, grpc_settings

HAS_GRPC = pyspark.__version__ == "4.3.0"
CHANNELS = ("classic", "grpc") if HAS_GRPC else ("classic",)

# SQL expressions of one value of each type; each is tried beside a null of its type.
VALUES = {
    "void": "NULL",
    "boolean": "true",
    "byte": "CAST(-128 AS TINYINT)",
    "short": "CAST(32767 AS SMALLINT)",
    "integer": "-2147483648",
    "long": "9223372036854775807L",
    "float": "CAST('-0.1' AS FLOAT)",
    "nan": "CAST('NaN' AS DOUBLE)",
    "double": "CAST(1e308 AS DOUBLE)",
    "decimal": "CAST('-12345678901234567890.123456789' AS DECIMAL(38,9))",
    "small decimal": "CAST('1.5' AS DECIMAL(5,2))",
    "string": "'Grüße, 世界, 🚀'",
    "empty string": "''",
    "binary": "X'00FF0010'",
    "date": "DATE'0001-01-01'",
    "timestamp": "TIMESTAMP'2038-01-19 03:14:08.123456'",
    "timestamp without zone": "TIMESTAMP_NTZ'1582-10-04 12:00:00'",
    "day-time interval": "INTERVAL '3 04:05:06.789' DAY TO SECOND",
    "array": "array(1, NULL, 3)",
    "empty array": "CAST(array() AS ARRAY<STRING>)",
    "struct": "named_struct('a', 1, 'b', 'x', 'c', CAST(NULL AS DOUBLE))",
    "map": "map('k', 1.5D, 'l', NULL)",
    "nested": "array(named_struct('m', map(1, array('x', NULL)), 'd', DATE'2024-02-29'), NULL)",
}


class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        settings = grpc_settings() if HAS_GRPC else {}
        settings["spark.sql.session.timeZone"] = "America/St_Johns"
        settings["spark.driver.memory"] = "2g"
        cls.session = Session(True, True, **settings)
        cls.workers = {
            channel: CppWorker(cls.session.spark, WORKER, channel=channel) for channel in CHANNELS
        }

    @classmethod
    def tearDownClass(cls):
        cls.session.spark.stop()

    def frame(self, expression):
        spark = self.session.spark
        value = spark.sql(f"SELECT {expression} AS v")
        kind = value.schema["v"].dataType
        null = spark.range(1).select(F.lit(None).cast(kind).alias("v"))
        return value.union(null).union(value).coalesce(1), kind

    def rows(self, df):
        """What Spark itself says of the values: Python has no equal for some of them."""
        said = [F.col("v").isNull().cast("string")]
        kind = df.schema["v"].dataType.simpleString()
        if "map" not in kind and kind != "void":
            said.append(F.hash("v").cast("string"))
        if "interval" not in kind:
            said.append(F.to_json(F.struct("v"), {"ignoreNullFields": "false"}))
        return [tuple(row) for row in df.select(*said).collect()]

    def test_map(self):
        for name, expression in VALUES.items():
            df, _ = self.frame(expression)
            expected = self.rows(df)
            for channel, worker in self.workers.items():
                with self.subTest(type=name, channel=channel):
                    self.assertEqual(self.rows(worker.map_in_arrow(df, "identity")), expected)

    def test_scalar(self):
        for name, expression in VALUES.items():
            df, kind = self.frame(expression)
            expected = self.rows(df)
            for channel, worker in self.workers.items():
                with self.subTest(type=name, channel=channel):
                    identity = worker.udf("identity", returns=kind)
                    self.assertEqual(self.rows(df.select(identity("v").alias("v"))), expected)

    def test_all_in_one_row(self):
        columns = ", ".join(f"{e} AS `{n}`" for n, e in VALUES.items())
        df = self.session.spark.sql(f"SELECT {columns}")
        for channel, worker in self.workers.items():
            with self.subTest(channel=channel):
                out = worker.map_in_arrow(df, "identity")
                self.assertEqual(out.schema, df.schema)
                self.assertEqual(str(out.collect()), str(df.collect()))

    def test_large_types(self):
        spark = self.session.spark
        spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")
        self.addCleanup(spark.conf.unset, "spark.sql.execution.arrow.useLargeVarTypes")
        df, kind = self.frame(VALUES["string"])
        for channel, worker in self.workers.items():
            with self.subTest(channel=channel):
                identity = worker.udf("identity", returns=kind)
                self.assertEqual(self.rows(df.select(identity("v").alias("v"))), self.rows(df))
                self.assertEqual(self.rows(worker.map_in_arrow(df, "identity")), self.rows(df))

    def test_wide_rows(self):
        """A batch is of as many rows as there is room for; over gRPC a row has a bound as well."""

        def lengths(worker, rows, mib):
            df = self.session.spark.range(0, rows, 1, 1).select(F.repeat(F.lit("x"), mib << 20).alias("s"))
            out = worker.map_in_arrow(df, "identity")
            return [row.n for row in out.select(F.length("s").alias("n")).collect()]

        for channel, worker in self.workers.items():
            with self.subTest(channel=channel):
                self.assertEqual(lengths(worker, 12, 8), [8 << 20] * 12)
        if "grpc" in self.workers:
            with self.assertRaisesRegex(Exception, "LimitExceeded: one batch has 1363.* at most 134217728"):
                lengths(self.workers["grpc"], 1, 130)

    if not HAS_GRPC:

        def test_another_spark_has_no_grpc_channel(self):
            with self.assertRaisesRegex(Unsupported, "the gRPC channel needs Spark 4.3.0.* this is 4.2"):
                CppWorker(self.session.spark, WORKER, channel="grpc")


if __name__ == "__main__":
    unittest.main()
