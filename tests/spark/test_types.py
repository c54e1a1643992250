# SPDX-License-Identifier: Apache-2.0
"""Every type of Spark's there and back through C++, equal to what Spark had, nulls included."""

import unittest

from pyspark.sql import functions as F

from forebay.spark import CppWorker
from support import WORKER, Session

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
        cls.session = Session(True, True, **{"spark.sql.session.timeZone": "America/St_Johns"})
        cls.worker = CppWorker(cls.session.spark, WORKER)

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
            with self.subTest(type=name):
                df, _ = self.frame(expression)
                self.assertEqual(self.rows(self.worker.map_in_arrow(df, "identity")), self.rows(df))

    def test_scalar(self):
        for name, expression in VALUES.items():
            with self.subTest(type=name):
                df, kind = self.frame(expression)
                identity = self.worker.udf("identity", returns=kind)
                self.assertEqual(self.rows(df.select(identity("v").alias("v"))), self.rows(df))

    def test_all_in_one_row(self):
        columns = ", ".join(f"{e} AS `{n}`" for n, e in VALUES.items())
        df = self.session.spark.sql(f"SELECT {columns}")
        out = self.worker.map_in_arrow(df, "identity")
        self.assertEqual(out.schema, df.schema)
        self.assertEqual(str(out.collect()), str(df.collect()))


if __name__ == "__main__":
    unittest.main()
