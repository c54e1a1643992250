# SPDX-License-Identifier: Apache-2.0
"""Where a program is, on the driver and on the executors."""

import os

from forebay.errors import WorkerError


class Place:
    """A file by its absolute path, which is the same everywhere, or by the name under which Spark
    ships it: what `--archives workers.tar.gz#functions` brings is `functions/..`, what `--files`
    brings has its own name.

    Spark unpacks what it ships below the folder of SparkFiles. On an executor of a cluster that is
    the working folder of the executor, from which it starts workers, with or without a daemon: a
    relative path leads there. A driver, and with it the executor of a local session, has a folder
    of its own: an absolute path leads there.
    """

    def __init__(self, spark, name):
        name = os.fspath(name)
        if os.path.isabs(name):
            self.on_driver = self.on_executors = name
            return
        from pyspark import SparkFiles

        context = spark.sparkContext
        self.on_driver = os.path.join(SparkFiles.getRootDirectory(), name)
        if not os.path.exists(self.on_driver):
            raise WorkerError(
                f"nothing was shipped as {name}: add it with --archives, --files or "
                "sparkContext.addArchive, or give an absolute path"
            )
        self.on_executors = (
            self.on_driver if context._jsc.sc().isLocal() else os.path.join(".", name)
        )
