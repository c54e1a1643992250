# SPDX-License-Identifier: Apache-2.0
"""What the class has beyond PySpark's."""

import io
import subprocess
import sys
import threading
import time

import pytest

import forebay
from forebay import ZeroCopyByteStream


def stream_of(*chunks, finished=True, **options):
    stream = ZeroCopyByteStream(**options)
    for chunk in chunks:
        stream.add_next_chunk(memoryview(chunk))
    if finished:
        stream.finish()
    return stream


# --- Other ways to read --------------------------------------------------------------------------


def test_read_some_stops_at_the_end_of_a_chunk():
    stream = stream_of(b"abcd", b"ef")
    assert stream.read_some(3) == b"abc"
    assert stream.read_some(3) == b"d"
    assert stream.read_some() == b"ef"
    assert stream.read_some() == b""
    assert stream.stats().bytes_copied == 0


def test_read_buffer_gives_fewer_bytes_at_the_end():
    stream = stream_of(b"ab", b"cd")
    assert stream.read_buffer(3) == b"abc"
    assert stream.read_buffer(3) == b"d"
    assert stream.read_buffer(3) == b""
    assert stream.finished


def test_read_buffer_of_everything():
    assert stream_of(b"ab", b"cd").read_buffer() == b"abcd"


def test_readinto_fills_the_buffer_across_chunks():
    stream = stream_of(b"ab", b"cdef")
    buffer = bytearray(5)
    assert stream.readinto(buffer) == 5
    assert buffer == b"abcde"
    assert stream.readinto(buffer) == 1
    assert buffer == b"fbcde"
    assert stream.readinto(buffer) == 0
    assert stream.stats().bytes_copied == 6


def test_readinto_takes_only_what_can_be_written_to():
    stream = stream_of(b"ab")
    with pytest.raises((TypeError, BufferError)):
        stream.readinto(b"ab")
    assert stream.read(2) == b"ab"


def test_peek_consumes_nothing():
    stream = stream_of(b"ab", b"cd")
    assert stream.peek(1) == b"a"
    assert stream.peek(3) == b"abc"
    assert stream.read(4) == b"abcd"
    with pytest.raises(EOFError):
        stream.peek(1)


def test_peek_beyond_the_end_consumes_nothing():
    stream = stream_of(b"ab")
    with pytest.raises(EOFError):
        stream.peek(3)
    assert stream.read(2) == b"ab"


def test_skip_goes_across_chunks_and_stops_at_the_end():
    stream = stream_of(b"ab", b"cd", b"ef")
    assert stream.skip(3) == 3
    assert stream.read(1) == b"d"
    assert stream.skip(10) == 2
    assert stream.finished


def test_iteration_gives_the_chunks():
    stream = stream_of(b"ab", b"cd", b"ef")
    stream.read(1)
    assert [bytes(chunk) for chunk in stream] == [b"b", b"cd", b"ef"]


def test_it_is_a_file_that_can_be_read():
    stream = stream_of(b"ab")
    assert (stream.readable(), stream.writable(), stream.seekable()) == (True, False, False)
    assert not stream.closed
    assert io.BufferedReader(stream).read(1) == b"a"


def test_the_context_manager_closes():
    with stream_of(b"ab") as stream:
        assert stream.read(1) == b"a"
    assert stream.closed
    with pytest.raises(forebay.Cancelled):
        stream.read(1)


# --- Timeouts, ends and signals ------------------------------------------------------------------


@pytest.mark.parametrize("call", [
    lambda stream: stream.read(3, timeout=0.01),
    lambda stream: stream.read_buffer(3, timeout=0.01),
    lambda stream: stream.peek(3, timeout=0.01),
])
def test_a_timeout_consumes_nothing(call):
    stream = stream_of(b"ab", finished=False)
    begin = time.monotonic()
    with pytest.raises(forebay.DeadlineExceeded) as raised:
        call(stream)
    assert time.monotonic() - begin >= 0.01
    assert isinstance(raised.value, TimeoutError)
    assert stream.read(2) == b"ab"


def test_no_time_at_all_reads_what_is_there():
    stream = stream_of(b"ab", finished=False)
    assert stream.read(2, timeout=0) == b"ab"
    with pytest.raises(TimeoutError):
        stream.read(1, timeout=0)


@pytest.mark.parametrize("timeout", ["1", float("nan")])
def test_a_timeout_that_is_none(timeout):
    with pytest.raises((TypeError, ValueError)):
        ZeroCopyByteStream().read(1, timeout=timeout)


def test_cancel_wakes_a_reader(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    read = background(stream.read, 1)
    until_reader_waits(stream)
    stream.cancel()
    with pytest.raises(forebay.Cancelled, match="^Cancelled: "):
        read.result()
    with pytest.raises(forebay.Cancelled):
        stream.add_next_chunk(memoryview(b"a"))


def test_fail_raises_the_exception_itself_after_what_came_before():
    error = KeyError("why")
    stream = stream_of(b"ab", finished=False)
    stream.fail(error)
    assert stream.read(2) == b"ab"
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            stream.read(1)
        assert raised.value is error
    with pytest.raises(ValueError):
        stream.add_next_chunk(memoryview(b"a"))


def test_fail_wakes_a_reader(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    read = background(stream.read, 1)
    until_reader_waits(stream)
    stream.fail(OSError)
    with pytest.raises(OSError):
        read.result()


@pytest.mark.parametrize("what", [None, "text", int])
def test_fail_takes_exceptions_only(what):
    with pytest.raises(TypeError):
        ZeroCopyByteStream().fail(what)


def test_the_first_end_counts():
    stream = stream_of(b"a")
    stream.fail(KeyError())
    stream.read(1)
    with pytest.raises(EOFError):
        stream.read(1)


def test_control_c_ends_a_wait_and_the_stream_goes_on():
    code = """
import forebay, signal, threading
stream = forebay.ZeroCopyByteStream()
def interrupt():
    while stream.stats().reader_waits == 0:
        pass
    signal.raise_signal(signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    stream.read(1)
except KeyboardInterrupt:
    stream.add_next_chunk(memoryview(b"a"))
    print("interrupted, then", bytes(stream.read(1)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "interrupted, then b'a'\n"), done.stderr


def test_a_signal_handler_may_not_use_the_side_that_it_interrupts():
    code = """
import forebay, signal, threading
stream = forebay.ZeroCopyByteStream(max_bytes=4)
stream.add_next_chunk(memoryview(b"full"))
signal.signal(signal.SIGUSR1, lambda *_: stream.finish())
def interrupt():
    while stream.stats().writer_waits == 0:
        pass
    signal.raise_signal(signal.SIGUSR1)
threading.Thread(target=interrupt, daemon=True).start()
try:
    stream.add_next_chunk(memoryview(b"more"))
except RuntimeError:
    stream.finish()
    print(bytes(stream.read(4)), stream.finished)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "b'full' True\n"), done.stderr


# --- The bound -----------------------------------------------------------------------------------


def test_the_writer_waits_at_the_bound(background, until_writer_waits):
    stream = stream_of(bytes(100), finished=False, max_bytes=150)
    add = background(stream.add_next_chunk, memoryview(bytes(100)))
    until_writer_waits(stream)
    assert add.running
    assert stream.stats().bytes_buffered <= 150
    stream.read(100)
    stream.read(100)
    add.result()
    assert stream.stats().bound_hits > 0


def test_a_timeout_at_the_bound_leaves_the_chunk_outside():
    stream = stream_of(bytes(100), finished=False, max_bytes=100)
    with pytest.raises(TimeoutError):
        stream.add_next_chunk(memoryview(b"a"), timeout=0.01)
    stream.finish()
    stream.read(100)
    assert stream.finished


def test_cancel_wakes_a_writer(background, until_writer_waits):
    stream = stream_of(bytes(100), finished=False, max_bytes=100)
    add = background(stream.add_next_chunk, memoryview(b"a"))
    until_writer_waits(stream)
    stream.cancel()
    with pytest.raises(forebay.Cancelled):
        add.result()


def test_one_read_of_more_than_the_bound(background):
    stream = ZeroCopyByteStream(max_bytes=1000)
    read = background(stream.read, 10_000)
    for _ in range(100):
        stream.add_next_chunk(memoryview(bytes(100)))
    assert len(read.result()) == 10_000


def test_a_bound_of_nothing():
    with pytest.raises(ValueError):
        ZeroCopyByteStream(max_bytes=0)


# --- Several threads -----------------------------------------------------------------------------


@pytest.mark.parametrize("max_bytes", [None, 64 << 10])
def test_several_readers_and_writers_lose_and_mix_nothing(background, max_bytes):
    stream = ZeroCopyByteStream(max_bytes=max_bytes)
    records, writers, record_bytes = 4000, 3, 32

    def write(writer):
        for i in range(records):
            record = writer.to_bytes(4, "big") + i.to_bytes(4, "big")
            stream.add_next_chunk(memoryview(record * (record_bytes // 8)))

    def read():
        seen = []
        try:
            while True:
                record = bytes(stream.read(record_bytes))
                assert record == record[:8] * (record_bytes // 8)
                seen.append((record[:4], record[4:8]))
        except EOFError:
            return seen

    readers = [background(read) for _ in range(3)]
    writing = [background(write, writer) for writer in range(writers)]
    for writer in writing:
        writer.result()
    stream.finish()
    seen = [reader.result() for reader in readers]
    assert len({one for some in seen for one in some}) == records * writers
    for some in seen:  # Each reader sees what one writer added in order.
        for writer in range(writers):
            mine = [number for who, number in some if who == writer.to_bytes(4, "big")]
            assert mine == sorted(mine)


def test_a_second_reader_waits_for_its_turn_no_longer_than_it_says(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    first = background(stream.read, 1)
    until_reader_waits(stream)
    with pytest.raises(TimeoutError):
        stream.read(1, timeout=0.01)
    assert not stream.finished
    stream.add_next_chunk(memoryview(b"a"))
    assert first.result() == b"a"


def test_python_goes_on_while_a_thread_waits(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    read = background(stream.read, 1)
    until_reader_waits(stream)  # Runs Python while the other thread is inside.
    assert threading.active_count() > 1
    stream.add_next_chunk(memoryview(b"a"))
    assert read.result() == b"a"
