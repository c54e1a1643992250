# SPDX-License-Identifier: Apache-2.0
"""The gRPC channel in a local session whose worker never listens, and whose JVM ends."""

import os
import subprocess
import sys
import tempfile
import unittest

from pyspark.sql import functions as F

from forebay.spark import CppWorker
from support import WORKER, Session, grpc_processes, grpc_settings, wait_until

# Of a process of its own: a query, then one that does not end, whose program ends without a word.
SESSION = """
import os, signal, sys, threading
from forebay.spark import CppWorker
from support import WORKER, Session, grpc_processes, grpc_settings, wait_until
settings = {**grpc_settings(), "spark.python.unix.domain.socket.dir": sys.argv[1]}
spark = Session(True, True, **settings).spark
worker = CppWorker(spark, WORKER, channel="grpc")
assert worker.map_in_arrow(spark.range(5), "identity").count() == 5
slow = worker.map_in_arrow(spark.range(5), "sleep_ms", payload="600000")
threading.Thread(target=slow.count, daemon=True).start()
wait_until(grpc_processes, "a worker")
print("serving", flush=True)
if sys.argv[2] == "killed":
    os.kill(spark.sparkContext._gateway.proc.pid, signal.SIGKILL)
os._exit(0)
"""


class Ends(unittest.TestCase):
    def test_a_program_that_never_listens_is_told_with_its_words(self):
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as script:
            script.write(f'#!/bin/sh\n[ "$1" = --describe ] && exec {WORKER} --describe\n')
            script.write("echo it takes its time; exec sleep 600\n")
        self.addCleanup(os.unlink, script.name)
        os.chmod(script.name, 0o700)
        with Session(True, True, **grpc_settings()) as session:
            worker = CppWorker(session.spark, script.name, channel="grpc")
            with self.assertRaisesRegex(
                Exception,
                r"(?s)'identity' failed in partition 0: DeadlineExceeded: .* did not listen within 10000 ms"
                ".*it takes its time",
            ):
                worker.map_in_arrow(session.spark.range(0, 1, 1, 1), "identity").agg(F.sum("id")).collect()

    def test_nothing_outlives_the_jvm(self):
        for how in ("ended", "killed"):
            with self.subTest(jvm=how), tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [sys.executable, "-c", SESSION, folder, how], stdout=subprocess.PIPE, text=True,
                    timeout=120, check=True,
                )
                self.assertIn("serving", done.stdout)
                wait_until(lambda: not grpc_processes(), "the end of the worker")

                def ours(folder=folder):
                    """The folder of the sockets, and they; Spark has a socket of its own beside it."""
                    found = [
                        os.path.relpath(os.path.join(top, name), folder)
                        for top, folders, files in os.walk(folder)
                        for name in folders + files
                    ]
                    return [name for name in found if name.startswith("forebay-")]

                # Nobody is left to remove the folder of a JVM that was killed.
                most = 1 if how == "killed" else 0
                wait_until(lambda: len(ours()) <= most, "the end of its socket")


if __name__ == "__main__":
    unittest.main()
