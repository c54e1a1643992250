# SPDX-License-Identifier: Apache-2.0
"""C++ functions in Spark queries.

    worker = CppWorker(spark, "/path/to/forebay-worker")
    haversine = worker.udf("haversine")
    df.select(haversine("lat1", "lon1", "lat2", "lon2"))

Nothing in the session is changed, so that C++ and Python functions can stand side by side in one
query. The worker program is at the same path on every executor, or Spark ships it: see forebay-pack.

CppWorker(.., channel="grpc") calls them over Spark's gRPC channel, for which the session needs the
settings of grpc_conf().
"""

from forebay.spark.grpc import grpc_conf
from forebay.spark.worker import CppWorker

__all__ = ["CppWorker", "grpc_conf"]
