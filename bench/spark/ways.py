# SPDX-License-Identifier: Apache-2.0
"""The same work in C++ and in Python: what the Spark benchmark runs, as {way: query}."""

import math
import warnings

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

# PySpark says at each function that it was not tried with this pandas.
warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")

EARTH_KM = 6371.0088
ROW, PANDAS = "Python row function", "pandas function"


def haversine_of_row(latitude1, longitude1, latitude2, longitude2):
    lat1, lat2 = math.radians(latitude1), math.radians(latitude2)
    y = math.sin((lat2 - lat1) / 2)
    x = math.sin(math.radians(longitude2 - longitude1) / 2)
    a = y * y + math.cos(lat1) * math.cos(lat2) * x * x
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(a)))


def haversine_of_series(
    latitude1: pd.Series, longitude1: pd.Series, latitude2: pd.Series, longitude2: pd.Series
) -> pd.Series:
    lat1, lon1, lat2, lon2 = (
        np.radians(s.to_numpy()) for s in (latitude1, longitude1, latitude2, longitude2)
    )
    y, x = np.sin((lat2 - lat1) / 2), np.sin((lon2 - lon1) / 2)
    a = y * y + np.cos(lat1) * np.cos(lat2) * x * x
    return pd.Series(2 * EARTH_KM * np.arcsin(np.minimum(1.0, np.sqrt(a))))


def edits_of_row(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(diagonal + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def edits_of_series(one: pd.Series, other: pd.Series) -> pd.Series:
    return pd.Series(
        process.cpdist(one, other, scorer=Levenshtein.distance, dtype=np.int64, workers=1)
    )


def numbers(spark, rows):
    """Rows of 32 bytes."""
    return spark.range(0, rows, 1, 2).select(
        "id", *((F.col("id") * k).cast("double").alias(n) for k, n in enumerate("xyz", 1))
    )


def places(spark, rows):
    """Pairs of places anywhere."""
    def spread(step, half):
        return ((F.col("id") * step) % (half * 2_000_000)) / 1_000_000 - half

    return spark.range(0, rows, 1, 2).select(
        spread(7919_0013, 90).alias("latitude1"), spread(1299_7091, 180).alias("longitude1"),
        spread(1548_5863, 90).alias("latitude2"), spread(3245_2843, 180).alias("longitude2"),
    )


def identity(spark, worker, rows):
    df = numbers(spark, rows)
    return {
        "C++": lambda: worker.map_in_arrow(df, "identity"),
        "PySpark's worker": lambda: df.mapInArrow(lambda batches: batches, df.schema),
    }


def _columns(df, functions):
    return {
        way: lambda function=function: df.select(function(*df.columns).alias("result"))
        for way, function in functions.items()
    }


def haversine(spark, worker, rows):
    return _columns(places(spark, rows), {
        "C++": worker.udf("haversine"),
        "C++, vectorised": worker.udf("haversine_vectorised"),
        ROW: F.udf(haversine_of_row, "double", useArrow=True),
        PANDAS: F.pandas_udf(haversine_of_series, "double"),
    })


def edit_distance(pairs, worker):
    return _columns(pairs, {
        "C++": worker.udf("edit_distance"),
        ROW: F.udf(edits_of_row, "long", useArrow=True),
        PANDAS: F.pandas_udf(edits_of_series, "long"),
    })
