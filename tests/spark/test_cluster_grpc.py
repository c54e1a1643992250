# SPDX-License-Identifier: Apache-2.0
"""The tests of a standalone cluster once more, over gRPC, and what a session may lack for it."""

import os
import tempfile
import unittest

import test_cluster
from forebay import Unsupported
from forebay.spark import CppWorker
from packed_cluster import PackedOnACluster
from support import WORKER, Session, grpc_processes, grpc_settings, wait_until

TASKS = 250


class OverGrpc(test_cluster.OnACluster):
    channel = "grpc"

    @classmethod
    def setUpClass(cls):
        cls.sockets = tempfile.TemporaryDirectory(prefix="forebay-sockets-")
        cls.addClassCleanup(cls.sockets.cleanup)
        folder = {"spark.python.unix.domain.socket.dir": cls.sockets.name}
        cls.settings = {**test_cluster.OnACluster.settings, **grpc_settings(), **folder}
        super().setUpClass()

    def tearDown(self):
        # A process serves one task, or ends with its executor, and takes its socket with it.
        wait_until(lambda: not self.workers(), "the end of all workers")
        sockets = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.sockets.name)
            for name in names
        ]
        self.assertEqual(sockets, [])

    def workers(self):
        return grpc_processes(self.cluster.folder.name)

    def serving(self):
        return self.workers()

    def test_many_small_tasks(self):
        seen = set()
        out = self.worker.map_in_arrow(self.numbers(TASKS), "identity")
        thread, result = self.start(out)
        while thread.is_alive():
            for pid in self.workers():
                try:
                    seen.add(os.readlink(f"/proc/{pid}/exe"))
                except OSError:
                    continue
        self.assertEqual(result, [test_cluster.ROWS * (test_cluster.ROWS - 1) // 2])
        # Each executor ran what was shipped to it.
        self.assertEqual(
            {os.path.relpath(p, self.cluster.folder.name).split(os.sep)[0] for p in seen},
            {"worker-1", "worker-2"},
        )


class WithoutTheJarOnExecutors(PackedOnACluster):
    settings = {**grpc_settings(), "spark.executor.extraClassPath": "/elsewhere/other.jar"}

    def test_is_unsupported_on_the_driver(self):
        with self.assertRaisesRegex(
            Unsupported, "needs forebay-spark-4.3.0.jar in spark.executor.extraClassPath"
        ):
            CppWorker(self.spark, f"functions/{os.path.basename(WORKER)}", channel="grpc")


class WithoutTheExtension(unittest.TestCase):
    def test_is_unsupported_on_the_driver(self):
        # The JVM still has the settings of the session that it was started for.
        settings = {**grpc_settings(), "spark.sql.extensions": "", "spark.archives": ""}
        with Session(True, True, **settings) as session:
            with self.assertRaisesRegex(Unsupported, "needs spark.sql.extensions=org.apache.spark.sql."):
                CppWorker(session.spark, WORKER, channel="grpc")


if __name__ == "__main__":
    unittest.main()
