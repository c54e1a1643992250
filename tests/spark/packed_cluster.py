# SPDX-License-Identifier: Apache-2.0
"""A test case with a standalone cluster, a session on it, and a worker that was packed and shipped."""

import os
import unittest

from pyspark.sql import SparkSession

from cluster import Cluster
from forebay.pack import pack
from forebay.spark import CppWorker
from support import WORKER, worker_processes


class PackedOnACluster(unittest.TestCase):
    """`settings` are added to the session's; `channel` is the worker's."""

    settings = {}
    channel = "classic"

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        name = os.path.basename(WORKER)
        archive = os.path.join(cls.cluster.folder.name, name + ".tar.gz")
        pack(WORKER, archive, grpc=cls.channel == "grpc")
        fixed = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "512m",
            "spark.archives": archive + "#functions",
        }
        builder = SparkSession.builder.master(cls.cluster.master)
        for setting, value in {**fixed, **cls.settings}.items():
            builder = builder.config(setting, value)
        cls.spark = builder.getOrCreate()
        cls.spark.sparkContext.setLogLevel("OFF")
        cls.addClassCleanup(cls.spark.stop)
        cls.worker = CppWorker(cls.spark, f"functions/{name}", channel=cls.channel)

    def workers(self):
        return worker_processes(self.cluster.folder.name)
