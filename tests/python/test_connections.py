# SPDX-License-Identifier: Apache-2.0
"""Streams that a receiver in C++ fills from a Unix socket."""

import socket
import threading

import pyarrow
import pytest
from pyarrow import ipc

import forebay

MODES = ["threaded", "inline", "automatic"]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s")


def arrow_stream(rows, batches):
    sink = pyarrow.BufferOutputStream()
    batch = pyarrow.record_batch({"x": pyarrow.array(range(rows), pyarrow.int64())})
    with ipc.new_stream(sink, batch.schema) as writer:
        for _ in range(batches):
            writer.write_batch(batch)
    return sink.getvalue()


@pytest.fixture
def served(path, background):
    """Serves bytes to the first who connects at the path."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def serve(data, close=True):
        def run():
            peer, _ = listening.accept()
            peer.sendall(data)
            if close:
                peer.close()
            return peer

        return background(run)

    yield serve
    listening.close()


@pytest.mark.parametrize("mode", MODES)
def test_what_the_peer_sends_is_read_to_its_end(path, served, mode):
    served(bytes(range(256)) * 1000)
    stream = forebay.connect(path, mode=mode, framing="none")
    assert stream.read(4) == b"\x00\x01\x02\x03"
    assert stream.skip(252 + 256 * 998) == 252 + 256 * 998
    assert stream.read(256) == bytes(range(256))
    with pytest.raises(EOFError):
        stream.read(1)
    assert stream.finished


@pytest.mark.parametrize("mode", MODES)
def test_arrow_batches_are_received_where_they_are_decoded(path, served, mode):
    data = arrow_stream(100_000, 20)
    served(data)
    stream = forebay.connect(path, mode=mode)
    reader = ipc.open_stream(stream)
    table = reader.read_all()  # Holds everything, which the bound does not count.
    assert table.equals(ipc.open_stream(data).read_all())
    bodies = 20 * 800_000
    assert stream.stats().bytes_copied < (len(data) - bodies) + 20
    for batch in table.to_batches():
        assert batch.column(0).buffers()[1].address % 64 == 0


def test_more_than_the_bound_is_held_by_views(path, served):
    data = arrow_stream(100_000, 40)
    served(data)
    stream = forebay.connect(path, max_bytes=2 << 20)
    batches = list(ipc.open_stream(stream))
    assert len(batches) == 40
    assert stream.stats().bytes_held >= 39 * 800_000
    del batches
    assert stream.stats().bytes_held < 4 << 20


def test_a_body_as_large_as_the_bound_comes_while_views_are_held(path, served):
    small, large = arrow_stream(1000, 50), arrow_stream(250_000, 2)
    served(small.to_pybytes() + large.to_pybytes())
    stream = forebay.connect(path, max_bytes=2_100_000)
    held = list(ipc.open_stream(stream))
    held += list(ipc.open_stream(stream))
    assert [batch.num_rows for batch in held] == [1000] * 50 + [250_000] * 2


def test_views_of_received_bytes_are_read_only_and_outlive_the_stream(path, served):
    served(b"hello world")
    stream = forebay.connect(path, framing="none")
    view = stream.read(11)
    del stream
    assert view.readonly
    assert view == b"hello world"


def test_a_listener_accepts(path, background):
    with forebay.listen(path) as listener:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            peer.sendall(b"hello")
            stream = listener.accept(framing="none")
            assert stream.read(5) == b"hello"
            with pytest.raises(TimeoutError):
                stream.read(1, timeout=0.01)


def test_nobody_comes(path):
    with forebay.listen(path) as listener:
        with pytest.raises(TimeoutError):
            listener.accept(timeout=0.01)
    with pytest.raises(ValueError):
        listener.accept()


def test_close_ends_a_wait_for_a_peer(path, background):
    listener = forebay.listen(path)
    entered = threading.Event()

    def accept():
        entered.set()
        return listener.accept()

    accepted = background(accept)
    entered.wait()
    listener.close()
    # Cancelled when it waited already, ValueError when it came too late.
    with pytest.raises((forebay.Cancelled, ValueError)):
        accepted.result()


def test_nobody_listens(path):
    with pytest.raises(OSError):
        forebay.connect(path, timeout=0.01)


def test_cancel_ends_a_wait_for_the_peer(path, served, background, until_reader_waits):
    server = served(b"a", close=False)
    stream = forebay.connect(path, framing="none")
    server.result()
    stream.read(1)
    before = stream.stats().reader_waits
    read = background(stream.read, 1)
    until_reader_waits(stream, before)
    stream.cancel()
    with pytest.raises(forebay.Cancelled):
        read.result()


def test_a_received_stream_takes_no_chunks(path, served):
    served(b"a")
    stream = forebay.connect(path, framing="none")
    with pytest.raises(ValueError):
        stream.add_next_chunk(memoryview(b"b"))


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"framing": "csv"}, {"max_bytes": 0}])
def test_options_that_there_are_not(path, served, options):
    served(b"")
    with pytest.raises(ValueError):
        forebay.connect(path, **options)


@pytest.mark.parametrize("mode", MODES)
def test_a_connected_socket_still_sends(mode):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"hello")
        stream = forebay.receive(ours.fileno(), mode=mode, framing="none")
        assert stream.read(5) == b"hello"
        del stream
        ours.sendall(b"back")
        assert theirs.recv(4) == b"back"


def test_a_descriptor_that_is_none():
    with pytest.raises(OSError):
        forebay.receive(-1)
