# SPDX-License-Identifier: Apache-2.0
"""The engine's side by other people's code: grpcio, with messages compiled out of Spark's own files."""

import os
import queue
import socket
import subprocess
import tempfile
import time

import grpc
import pyarrow as pa
from definitions import PACKAGE, Messages, of_spark

WORKER = os.environ["FOREBAY_WORKER"]
SECONDS_MAX = 20
MESSAGES = Messages(of_spark())
SERVICE = f"/{PACKAGE}.UdfWorker"
BATCH = pa.record_batch([pa.array([1, 2, 3]), pa.array([10, 20, 30])], names=["_0", "_1"])


def eventually(is_true, what):
    until = time.monotonic() + SECONDS_MAX
    while not is_true():
        if time.monotonic() > until:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.002)


def request(**fields):
    return MESSAGES.UdfRequest(**fields)


def control(**fields):
    return request(control=MESSAGES.UdfControlRequest(**fields))


def data(batch=BATCH):
    return request(data=MESSAGES.DataRequest(data=batch.serialize().to_pybytes()))


def finish():
    return control(finish=MESSAGES.Finish())


def cancel():
    return control(cancel=MESSAGES.Cancel())


def init(name="identity", argument="", schema=BATCH.schema, **fields):
    payload = MESSAGES.UdfPayload(
        payload=b"FOREBAY1\0" + name.encode() + b"\0" + argument.encode(), format="forebay", name=name)
    return control(init=MESSAGES.Init(**{
        "data_format": 1, "udf": payload, "input_schema": schema.serialize().to_pybytes(), **fields}))


def words_of(response):
    """What a response says, in words: "data", "init", "init protocol", "error user", "cancel" .."""
    if response.WhichOneof("response") == "data":
        return "data"
    kind = response.control.WhichOneof("control")
    said = getattr(response.control, kind)
    if not said.HasField("error"):
        return kind
    return f"{kind} {said.error.WhichOneof('kind')}"


def error_of(response):
    error = getattr(response.control, response.control.WhichOneof("control")).error
    return getattr(error, error.WhichOneof("kind")).message


class Session:
    """One call of Execute. Iterating gives the responses."""

    def __init__(self, channel, *requests, then=()):
        """Sends the requests at once, and others when the worker says that they may come."""
        self._requests = queue.Queue()
        self._then = then
        self.send(*requests)
        self.call = channel.stream_stream(
            f"{SERVICE}/Execute", request_serializer=MESSAGES.UdfRequest.SerializeToString,
            response_deserializer=MESSAGES.UdfResponse.FromString,
        )(iter(self._requests.get, None), timeout=SECONDS_MAX)

    def send(self, *requests):
        for one in requests:
            self._requests.put(one)

    def sent(self):
        """Whether gRPC has taken all that was to be sent."""
        return self._requests.empty()

    def __iter__(self):
        return iter(self.call)

    def next(self):
        return next(self.call)

    def await_init(self):
        """Reads InitResponse, which must be a good one."""
        words = words_of(self.next())
        if words != "init":
            raise AssertionError(f"{words} instead of init")

    def half_close(self):
        self._requests.put(None)

    def all(self):
        """What is still said, to the end of the call. Answers an error with Cancel, as engines do."""
        found = []
        for response in self:
            found.append(response)
            words = words_of(response)
            if words == "init":
                self.send(*self._then)
            if words.startswith("error") or words.startswith("init "):
                self.send(cancel())
        self.half_close()
        return found


class Worker:
    """The program in a process of its own, and a channel to it."""

    def __init__(self, folder, *prefix):
        self.path = os.path.join(folder, "w.sock")
        self.process = subprocess.Popen(
            [*prefix, WORKER, "--id", "a", "--connection", self.path])
        eventually(self.listens, "a worker that listens")
        self.channel = self.connect()

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the worker ended with {self.process.returncode}")
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(self.path) == 0

    def connect(self):
        return grpc.insecure_channel(f"unix:{self.path}", options=[
            ("grpc.max_receive_message_length", 128 << 20), ("grpc.use_local_subchannel_pool", 1)])

    def session(self, *requests, then=()):
        return Session(self.channel, *requests, then=then)

    def manage(self, channel=None, **fields):
        ask = (channel or self.channel).unary_unary(
            f"{SERVICE}/Manage", request_serializer=MESSAGES.WorkerRequest.SerializeToString,
            response_deserializer=MESSAGES.WorkerResponse.FromString)
        return ask(MESSAGES.WorkerRequest(**fields), timeout=SECONDS_MAX)

    def sessions(self):
        answer = self.manage(heartbeat=MESSAGES.Heartbeat())
        return int(answer.heartbeat.metrics["sessions"])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait(self):
        return self.process.wait(SECONDS_MAX)


class Served:
    """Base of test cases: self.worker() gives one that must end well."""

    def worker(self, *prefix):
        folder = tempfile.TemporaryDirectory(prefix="forebay-foreign-")
        self.addCleanup(folder.cleanup)
        worker = Worker(folder.name, *prefix)
        self.addCleanup(self._end, worker)
        return worker

    def _end(self, worker):
        worker.channel.close()
        worker.process.terminate()
        self.assertEqual(worker.wait(), 0)
        self.assertFalse(os.path.exists(worker.path))

    def assert_says(self, session, words, error=""):
        responses = session.all()
        self.assertEqual(", ".join(map(words_of, responses)), words)
        if error:
            texts = [error_of(one) for one in responses if " " in words_of(one)]
            self.assertTrue(texts and texts[0].startswith(error), texts)
        self.assertEqual(session.call.code(), grpc.StatusCode.OK)
        return responses
