# SPDX-License-Identifier: Apache-2.0
"""What happens to a worker when engines die, connections are reset, and signals come at any time."""

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

import grpc
import pyarrow as pa
from foreign import BATCH, Served, Session, cancel, data, eventually, finish, init, words_of

KILLS = int(os.environ.get("FOREBAY_GRPC_KILLS", "8"))
RESETS = int(os.environ.get("FOREBAY_GRPC_RESETS", "1000"))
DESCRIPTORS_MAX = 48


def flood(path):
    """What the engine that is to be killed does: sends, and never reads what comes back."""
    channel = grpc.insecure_channel(f"unix:{path}")
    session = Session(channel, init())
    session.await_init()
    print("init", flush=True)
    large = BATCH.slice(0, 3)
    while True:
        session.send(*[data(large)] * 50)
        time.sleep(0.001)


class Engines(Served, unittest.TestCase):
    def test_that_are_killed_at_random_points_leave_nothing(self):
        worker = self.worker()
        eventually(lambda: worker.sessions() == 0, "a quiet worker")
        descriptors = worker.descriptors()
        chance = random.Random(7)
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
        engines = [subprocess.Popen([sys.executable, __file__, "flood", worker.path],
                                    stdout=subprocess.PIPE, env=environment) for _ in range(KILLS)]
        for engine in engines:
            self.assertEqual(engine.stdout.readline(), b"init\n")
            time.sleep(chance.random() * 0.1)
            engine.kill()
            engine.wait()
            engine.stdout.close()
        eventually(lambda: worker.sessions() == 0, "the end of the sessions of dead engines")
        eventually(lambda: worker.descriptors() <= descriptors, "their descriptors")
        self.assert_says(worker.session(init(), then=[data(), finish()]), "init, data, finish")
        print(f"{KILLS} engines killed")

    def test_that_do_not_read_are_waited_for_and_cancelled(self):
        """The output queue is full: the function stands still, Cancel is seen nevertheless."""
        worker = self.worker()
        mebibyte = pa.record_batch([pa.array(range(1 << 17))], names=["_0"])
        session = worker.session(init(schema=mebibyte.schema))
        session.await_init()
        # More than the output may hold, and less than the input, of whose memory the output is made.
        for requests in ([data(mebibyte)] * 28, [cancel()]):
            session.send(*requests)
            eventually(session.sent, "an engine that has sent what it had")
        said = [words_of(one) for one in session.all()]
        self.assertEqual(said[-1], "cancel")
        # Some of it was there to be dropped.
        self.assertLess(said.count("data"), 28)


class Connections(Served, unittest.TestCase):
    def test_that_are_reset_by_thousands_leave_the_worker_accepting(self):
        """With few descriptors: some of them find none left."""
        worker = self.worker("prlimit", f"--nofile={DESCRIPTORS_MAX}")
        before = worker.sessions()
        open_ones = []
        for count in range(RESETS):
            one = socket.socket(socket.AF_UNIX)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.setblocking(False)
            if one.connect_ex(worker.path) == 0 and count % 3 == 0:
                try:
                    one.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[: count % 24])
                except OSError:
                    pass  # It was closed already, which is as good.
            open_ones.append(one)
            # More than the worker has descriptors for are open at once.
            if len(open_ones) > 2 * DESCRIPTORS_MAX:
                open_ones.pop(0).close()
        for one in open_ones:
            one.close()
        self.assertEqual(before, 0)
        other = worker.connect()
        fresh = Session(other, init(), then=[data(), finish()])
        self.assert_says(fresh, "init, data, finish")
        other.close()
        eventually(lambda: worker.descriptors() < DESCRIPTORS_MAX - 8, "descriptors given back")
        print(f"{RESETS} connections reset, at most {DESCRIPTORS_MAX} descriptors")


class Signals(Served, unittest.TestCase):
    def ended(self, worker):
        return worker.process.poll() is not None

    def test_term_lets_each_phase_end(self):
        """Nothing opened; opened; with data on its way; finished."""
        worker = self.worker()
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 0)
        for phase in ("opened", "data", "finished"):
            with self.subTest(phase):
                worker = self.worker()
                session = worker.session(init())
                session.await_init()
                if phase != "opened":
                    session.send(data())
                    self.assertEqual(words_of(session.next()), "data")
                if phase == "finished":
                    session.send(finish())
                worker.process.send_signal(signal.SIGTERM)
                if phase != "finished":
                    session.send(data(), finish())
                said = [words_of(one) for one in session.all()]
                self.assertEqual(said[-1], "finish")
                self.assertEqual(said.count("data"), 0 if phase == "finished" else 1)
                self.assertEqual(worker.wait(), 0)

    def test_term_twice_ends_each_phase(self):
        for function, argument in (("identity", ""), ("sleep_ms", "600000")):
            with self.subTest(function):
                worker = self.worker()
                session = worker.session(init(function, argument))
                session.await_init()
                session.send(data())
                worker.process.send_signal(signal.SIGTERM)
                # It has heard the first when it refuses another session.
                eventually(lambda worker=worker: self.refuses(worker), "a worker that drains")
                worker.process.send_signal(signal.SIGTERM)
                said = [words_of(one) for one in session.all()]
                self.assertEqual(said[-2:], ["error worker", "cancel"])
                self.assertEqual(worker.wait(), 0)

    @staticmethod
    def refuses(worker):
        try:
            worker.session(cancel()).all()
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE
        return False


if __name__ == "__main__":
    if sys.argv[1:2] == ["flood"]:
        flood(sys.argv[2])
    unittest.main()
