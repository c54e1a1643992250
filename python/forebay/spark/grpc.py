# SPDX-License-Identifier: Apache-2.0
"""What a session needs to call C++ functions over Spark's gRPC channel."""

import os

from forebay.errors import Unsupported

# The Spark whose inner classes the jar is compiled for.
SPARK_VERSION = "4.3.0"
JAR = f"forebay-spark-{SPARK_VERSION}.jar"
# What `spark-submit --packages` fetches, as it has to be written there, and what of that is used:
# the rest is part of Spark already, and a second copy on the class path would go first.
PACKAGES = "io.grpc:grpc-netty-shaded:1.76.0,com.google.protobuf:protobuf-java:4.33.5"
DEPENDENCIES = (
    "com.google.protobuf_protobuf-java-4.33.5.jar",
    "io.grpc_grpc-api-1.76.0.jar",
    "io.grpc_grpc-core-1.76.0.jar",
    "io.grpc_grpc-netty-shaded-1.76.0.jar",
    "io.grpc_grpc-util-1.76.0.jar",
    "io.perfmark_perfmark-api-0.27.0.jar",
)
EXTENSIONS = "org.apache.spark.sql.forebay.ForebayExtensions"
_IVY_JARS = "~/.ivy2.5.2/jars"
_CLASS_PATHS = ("spark.driver.extraClassPath", "spark.executor.extraClassPath")


def grpc_conf(jar, dependencies=_IVY_JARS):
    """The settings of a session whose C++ functions go over the gRPC channel.

    `jar` is the file that `./dev jar` makes, `dependencies` the folder into which
    `spark-submit --packages` put the jars that it needs: Spark's default, or `jars` below what
    spark.jars.ivy names. Both are absolute paths that are the same on the driver and on all executors.
    The settings must be there when the JVM of the driver starts. Raises Unsupported for a file that is
    not there.
    """
    folder = os.path.expanduser(os.fspath(dependencies))
    files = [os.path.expanduser(os.fspath(jar)), *(os.path.join(folder, d) for d in DEPENDENCIES)]
    for file in files:
        if not os.path.isabs(file):
            raise Unsupported(
                f"{file} is not an absolute path, which is the same on the driver and all executors"
            )
        if not os.path.isfile(file):
            raise Unsupported(
                f"there is no {file}: ./dev jar makes {JAR}, and spark-submit --packages {PACKAGES} "
                "fetches the others"
            )
    class_path = ":".join(files)
    return {**dict.fromkeys(_CLASS_PATHS, class_path), "spark.sql.extensions": EXTENSIONS}


def check_session(spark):
    """Raises Unsupported, on the driver, when functions of the session cannot go over gRPC."""
    if spark.version != SPARK_VERSION:
        raise Unsupported(
            f"the gRPC channel needs Spark {SPARK_VERSION}, for which its jar is compiled; this is "
            f"{spark.version}"
        )
    provider = _provider(spark)
    if missing := provider.missing(spark._jsparkSession):
        raise Unsupported(
            f"the gRPC channel needs {missing}: start the session with the settings of "
            "forebay.spark.grpc_conf()"
        )
    if spark.sparkContext._jsc.sc().isLocal():
        return
    given = spark.sparkContext.getConf().get(_CLASS_PATHS[1], "")
    names = {os.path.basename(entry) for entry in given.split(":")}
    for needed in (JAR, *DEPENDENCIES):
        if needed not in names:
            raise Unsupported(
                f"the gRPC channel needs {needed} in {_CLASS_PATHS[1]}: start the session with the "
                "settings of forebay.spark.grpc_conf()"
            )


def _provider(spark):
    from py4j.java_gateway import JavaClass

    provider = spark.sparkContext._jvm.org.apache.spark.sql.forebay.Provider
    if not isinstance(provider, JavaClass):
        raise Unsupported(
            f"the gRPC channel needs {JAR} on the driver's class path when its JVM starts: start the "
            "session with the settings of forebay.spark.grpc_conf()"
        )
    return provider
