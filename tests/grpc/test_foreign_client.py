# SPDX-License-Identifier: Apache-2.0
"""The worker program and an engine that shares nothing with it: sessions, errors, orders."""

import time
import unittest
import zlib

import grpc
import pyarrow as pa
from definitions import Messages, of_spark
from foreign import (
    BATCH, MESSAGES, Served, cancel, control, data, eventually, finish, init, request, words_of,
)


def later_messages():
    """As engines after Spark 4.3.0 have them: metrics are a message of numbers."""
    descriptors = of_spark()
    for file in descriptors.file:
        for message in file.message_type:
            if message.name != "FinishResponse":
                continue
            (metrics,) = (field for field in message.field if field.number == 1)
            metrics.label = metrics.LABEL_OPTIONAL
            (entry,) = message.nested_type
            entry.Clear()
            entry.name = metrics.type_name.rpartition(".")[2]
            for number, name in ((1, "bytes_in"), (4, "rows_out"), (5, "batches_in")):
                entry.field.add(name=name, number=number, type=metrics.TYPE_UINT64,
                                label=metrics.LABEL_OPTIONAL)
    return Messages(descriptors)


def read(response, schema=BATCH.schema):
    return pa.ipc.read_record_batch(pa.py_buffer(response.data.data), schema)


class ForeignSessions(Served, unittest.TestCase):
    def test_batches_come_back_as_the_function_makes_them(self):
        worker = self.worker()
        said = self.assert_says(
            worker.session(init("add", "7"), then=[data(), data(), finish()]),
            "init, data, data, finish")
        expected = pa.record_batch(
            [pa.array([8, 9, 10]), pa.array([10, 20, 30])], names=["_0", "_1"])
        for response in said[1:3]:
            self.assertTrue(read(response).equals(expected))
        self.assertEqual(dict(said[-1].control.finish.metrics).get("rows_out"), "6")
        large = pa.record_batch([pa.array(range(1 << 19))], names=["_0"])
        said = self.assert_says(
            worker.session(init(schema=large.schema), then=[data(large), data(large), finish()]),
            "init, data, data, finish")
        self.assertTrue(read(said[2], large.schema).equals(large))
        self.assert_says(worker.session(init(), then=[finish()]), "init, finish")

    def test_metrics_are_read_by_both_kinds_of_engine(self):
        said = self.worker().session(init(), then=[data(), data(), finish()]).all()
        texts = dict(said[-1].control.finish.metrics)
        self.assertEqual((texts["rows_out"], texts["batches_in"]), ("6", "2"))
        later = later_messages().UdfResponse.FromString(said[-1].SerializeToString())
        numbers = later.control.finish.metrics
        self.assertEqual((numbers.rows_out, numbers.batches_in), (6, 2))
        self.assertEqual(str(numbers.bytes_in), texts["bytes_in"])

    def test_each_type_comes_back_as_it_was(self):
        worker = self.worker()
        columns = {
            "bool": pa.array([True, None, False]),
            "i8": pa.array([1, None, -3], pa.int8()),
            "i32": pa.array([1, None, -3], pa.int32()),
            "f64": pa.array([1.5, None, float("inf")]),
            "text": pa.array(["", None, "\u00e4\U0001f600"]),
            "large": pa.array(["", None, "b"], pa.large_string()),
            "bytes": pa.array([b"", None, b"\0\1"]),
            "day": pa.array([0, None, -1], pa.date32()),
            "moment": pa.array([0, None, 7], pa.timestamp("us", "UTC")),
            "money": pa.array([1, None, 3], pa.decimal128(38, 18)),
            "list": pa.array([[], None, [1, None]], pa.list_(pa.int64())),
            "struct": pa.array([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int64())])),
            "map": pa.array([[], None, [("k", 1)]], pa.map_(pa.string(), pa.int64())),
        }
        batch = pa.record_batch(columns)
        said = self.assert_says(
            worker.session(init(schema=batch.schema),
                           then=[data(batch), data(batch.slice(1, 1)), finish()]),
            "init, data, data, finish")
        self.assertTrue(read(said[1], batch.schema).equals(batch))
        self.assertTrue(read(said[2], batch.schema).equals(batch.slice(1, 1)))

    def test_payload_in_chunks_is_put_together_and_checked(self):
        worker = self.worker()
        bytes_ = b"FOREBAY1\0add\x005"

        def opened(crc32, size=len(bytes_)):
            payload = MESSAGES.UdfPayload(
                payload=bytes_[:4], format="forebay", payload_size=size, payload_crc32=crc32)
            chunks = [MESSAGES.PayloadChunk(data=bytes_[4:9]),
                      MESSAGES.PayloadChunk(data=bytes_[9:], last=True)]
            return [init(udf=payload, is_chunking_payload=True), *(control(payload=c) for c in chunks)]

        crc32 = zlib.crc32(bytes_)
        said = self.assert_says(
            worker.session(*opened(crc32), then=[data(), finish()]), "init, data, finish")
        self.assertEqual(read(said[1])[0].to_pylist(), [6, 7, 8])
        for wrong in (opened(crc32 ^ 1), opened(crc32, -1), opened(crc32, len(bytes_) - 1)):
            self.assert_says(worker.session(*wrong), "init protocol, cancel", "ProtocolError")

    def test_what_breaks_the_protocol_is_told_in_it(self):
        worker = self.worker()
        chunk = control(payload=MESSAGES.PayloadChunk(data=b"x"))
        empty = request(data=MESSAGES.DataRequest())
        for words, first, *then in (
            ("init protocol, cancel", data()),
            ("init protocol, cancel", finish()),
            ("init protocol, cancel", request()),
            ("init, error protocol, cancel", init(), init()),
            ("init, error protocol, cancel", init(), chunk),
            ("init, error protocol, cancel", init(), empty),
            ("init protocol, cancel", init(data_format=0)),
            ("init protocol, cancel", init(data_format=99)),
            ("init protocol, cancel", init(protocol_version=999)),
        ):
            with self.subTest(words=words, requests=[str(one)[:40] for one in (first, *then)]):
                self.assert_says(worker.session(first, then=then), words, "ProtocolError")
        for early in (data(), finish(), init(), control(payload=MESSAGES.PayloadChunk())):
            with self.subTest(early=str(early)[:40]):
                self.assert_says(worker.session(init(is_chunking_payload=True), early),
                                 "init protocol, cancel", "ProtocolError")
        self.assert_says(worker.session(init(), then=[data(), finish()]), "init, data, finish")

    def test_finish_and_cancel_in_any_order_end_once(self):
        worker = self.worker()
        for first, *then in ((cancel(),), (init(), cancel()), (init(), data(), cancel())):
            said = worker.session(first, then=then).all()
            self.assertEqual(words_of(said[-1]).split()[0], "cancel")
        for then in [[finish(), cancel()]] * 200 + [[finish(), finish()]] * 20:
            said = [words_of(one).split()[0] for one in worker.session(init(), then=then).all()]
            self.assertEqual(len([word for word in said if word in ("finish", "cancel")]), 1, said)
            self.assertIn(said[-1], ("finish", "cancel"))

    def test_message_beyond_the_limit_breaks_the_call_alone(self):
        worker = self.worker()
        session = worker.session(init())
        session.await_init()
        session.send(request(data=MESSAGES.DataRequest(data=bytes((128 << 20) + 1))))
        with self.assertRaises(grpc.RpcError) as raised:
            session.all()
        self.assertEqual(raised.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        session.half_close()
        self.assert_says(worker.session(init(), then=[data(), finish()]), "init, data, finish")

    def test_manage_answers_while_sessions_are_busy(self):
        worker = self.worker()
        sessions = [worker.session(init("sleep_ms", "600000")) for _ in range(8)]
        for session in sessions:
            session.await_init()
            session.send(data(), data())
        eventually(lambda: worker.sessions() == 8, "eight sessions")
        other = worker.connect()
        took = []
        for _ in range(50):
            begin = time.monotonic()
            answer = worker.manage(other, heartbeat=MESSAGES.Heartbeat())
            took.append(time.monotonic() - begin)
            self.assertEqual(answer.WhichOneof("manage"), "heartbeat")
        print(f"heartbeats beside 8 busy sessions: at most {max(took) * 1e3:.1f} ms")
        self.assertLess(max(took), 0.1)
        answer = worker.manage(shutdown=MESSAGES.ShutdownRequest(cancel_sessions=True))
        self.assertEqual(answer.WhichOneof("manage"), "shutdown")
        for session in sessions:
            self.assertEqual([words_of(one) for one in session.all()][-2:], ["error worker", "cancel"])
        other.close()
        self.assertEqual(worker.wait(), 0)


if __name__ == "__main__":
    unittest.main()
