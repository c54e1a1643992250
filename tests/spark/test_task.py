# SPDX-License-Identifier: Apache-2.0
"""What functions of a shared library see of their task: its context, and broadcasts, as files and
encrypted."""

import os
import pickle
import unittest

from pyspark import InheritableThread, SparkFiles

from forebay import Unsupported
from forebay.spark import CppWorker
from support import WORKER, Session, channel_name, grpc_settings

LIBRARY = os.environ["FOREBAY_TEST_FUNCTIONS"]
# More than the server that decrypts sends at once, and every form of a pickle that is a string alone.
VALUES = [
    b"bytes", b"", b"b" * 300, b"\x80\x05." * 100_000, bytearray(b"bytearray"), "gr\u00fc\u00df",
    {"a": [1, 2.5, None], "b": {1, 2}, "c": "." * 70_000}, list(range(50_000)), None,
]


def given(value):
    """What a function is given of it."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return value.encode() if isinstance(value, str) else pickle.dumps(value, 5)


class Broadcasts(unittest.TestCase):
    def seen(self, spark, broadcasts):
        worker = CppWorker(spark, WORKER, [LIBRARY], broadcasts=broadcasts)
        rows = worker.map_in_arrow(spark.range(0, 4, 1, 1), "broadcasts").collect()
        return {row.id: bytes(row.bytes) for row in rows}

    def check(self, spark):
        broadcasts = [spark.sparkContext.broadcast(value) for value in VALUES]
        expected = {b._jbroadcast.id(): given(value) for b, value in zip(broadcasts, VALUES)}
        self.assertEqual(self.seen(spark, broadcasts), expected)
        # The worker is used again, and told which of them are gone and which one is new.
        new = spark.sparkContext.broadcast(b"new")
        kept = {b._jbroadcast.id(): expected[b._jbroadcast.id()] for b in broadcasts[3:]}
        self.assertEqual(
            self.seen(spark, broadcasts[3:] + [new]), {**kept, new._jbroadcast.id(): b"new"}
        )

    def test_of_files_and_of_the_server_that_decrypts_them(self):
        for encrypted, uds in ((False, True), (True, True), (True, False)):
            with self.subTest(encrypted=encrypted, channel=channel_name(uds, True)):
                settings = {**grpc_settings(), "spark.io.encryption.enabled": str(encrypted).lower()}
                with Session(uds, True, **settings) as session:
                    self.check(session.spark)
                    self.assertEqual(
                        session.spark.sparkContext._encryption_enabled, encrypted
                    )


    def test_are_refused_where_the_channel_has_no_form_for_them(self):
        with Session(True, True, **grpc_settings()) as session:
            broadcast = session.spark.sparkContext.broadcast(b"bytes")
            with self.assertRaisesRegex(Unsupported, "broadcasts on the gRPC channel"):
                CppWorker(session.spark, WORKER, channel="grpc", broadcasts=[broadcast])


class Context(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        settings = {**grpc_settings(), "spark.sql.session.timeZone": "Asia/Kathmandu"}
        session = Session(True, True, **settings)
        cls.addClassCleanup(session.__exit__)
        cls.spark = session.spark
        cls.workers = [
            CppWorker(cls.spark, WORKER, [LIBRARY], channel=channel) for channel in ("classic", "grpc")
        ]

    def test_is_that_of_the_task(self):
        for worker in self.workers:
            with self.subTest(channel=worker.channel):
                self.check_context(worker)

    def check_context(self, worker):
        told = []

        def run():
            self.spark.sparkContext.setLocalProperty("forebay.test", "a \u00fc property")
            told.extend(worker.map_in_arrow(self.spark.range(0, 1, 1, 1), "context").collect())

        thread = InheritableThread(target=run)
        thread.start()
        thread.join(60)
        told = {row.name: row.value for row in told}
        self.assertEqual(told["partition"], "0")
        self.assertEqual(told["attempt"], "0")
        self.assertEqual(told["cpus"], "1")
        self.assertEqual(told["time zone"], "Asia/Kathmandu")
        self.assertEqual(told["files"], SparkFiles.getRootDirectory())
        self.assertEqual(told["property forebay.test"], "a \u00fc property")

    def test_tells_partitions_and_attempts_apart(self):
        for worker in self.workers:
            rows = worker.map_in_arrow(self.spark.range(0, 4, 1, 4), "context").collect()
            for name in ("partition", "task attempt"):
                with self.subTest(channel=worker.channel, name=name):
                    self.assertEqual(len({row.value for row in rows if row.name == name}), 4)


if __name__ == "__main__":
    unittest.main()
