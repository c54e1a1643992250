# SPDX-License-Identifier: Apache-2.0
"""Queries that call the functions of functions.cpp. `./dev examples` runs them."""

import argparse
import os
import tempfile

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from forebay.pack import pack
from forebay.spark import CppWorker

CITIES = [
    ("Amsterdam", 52.3728, 4.8936),
    ("Nairobi", -1.2864, 36.8172),
    ("Quito", -0.2202, -78.5123),
    ("Tokyo", 35.6897, 139.6922),
]
NAMES = [("Meyer", "Maier"), ("Straße", "Strasse"), ("kitten", "sitting"), ("same", "same")]


def distances(spark, worker):
    """How far all cities are from each other, with a column function."""
    cities = spark.createDataFrame(CITIES, "city string, latitude double, longitude double")
    one, other = cities.alias("one"), cities.alias("other")
    haversine = worker.udf("haversine")
    return one.join(other, F.col("one.city") < F.col("other.city")).select(
        F.col("one.city").alias("from"),
        F.col("other.city").alias("to"),
        haversine("one.latitude", "one.longitude", "other.latitude", "other.longitude").alias("km"),
    )


def misspellings(spark, worker):
    """How much two spellings differ, in SQL."""
    worker.register("edit_distance")
    spark.createDataFrame(NAMES, "one string, other string").createOrReplaceTempView("names")
    return spark.sql("SELECT one, other, edit_distance(one, other) AS edits FROM names")


def smooth(spark, worker, readings=200, window=5):
    """Each sensor's readings without their spikes: a rolling median for each group."""
    series = spark.range(readings).select(
        (F.col("id") % 4).alias("sensor"),
        F.timestamp_seconds(F.col("id") * 60).cast("timestamp_ntz").alias("at"),
        F.when(F.col("id") % 17 == 0, 1000.0).otherwise(F.sin("id")).alias("value"),
    )
    return worker.apply_in_arrow(series.groupBy("sensor"), "rolling_median", payload=str(window))


def both_languages(spark, worker):
    """A function in C++ and one in Python, side by side in one query."""
    in_miles = F.udf(lambda km: km / 1.609344, "double")
    df = distances(spark, worker)
    return df.select("from", "to", "km", in_miles("km").alias("miles"))


def ship(spark, program, folder):
    """The packed worker of `program`, sent to every executor of the session."""
    archive = os.path.join(folder, "functions.tar.gz")
    pack(program, archive)
    spark.sparkContext.addArchive(archive + "#functions")
    return CppWorker(spark, "functions/" + os.path.basename(program))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the worker, built from functions.cpp")
    parser.add_argument("--master", default="local[*]", help="the cluster (local[*])")
    options = parser.parse_args()
    spark = SparkSession.builder.master(options.master).appName("forebay examples").getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        worker = ship(spark, options.program, folder)
        for query in (distances, misspellings, smooth, both_languages):
            print(query.__doc__)
            query(spark, worker).show(5, truncate=False)
        spark.stop()


if __name__ == "__main__":
    main()
