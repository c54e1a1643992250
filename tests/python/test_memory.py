# SPDX-License-Identifier: Apache-2.0
"""Who keeps what alive: chunks, views, streams, and threads at the end of the interpreter."""

import gc
import subprocess
import sys
import weakref

import pytest

from forebay import ZeroCopyByteStream

READS = 1_000_000


class Chunk(bytearray):
    """Bytes that can be watched."""


def test_a_chunk_lives_as_long_as_any_view_of_it():
    chunk = Chunk(b"hello world")
    watched = weakref.ref(chunk)
    stream = ZeroCopyByteStream(memoryview(chunk))
    stream.add_next_chunk(memoryview(b"next"))
    del chunk
    first, second = stream.read(5), stream.read(6)
    stream.read(2)
    del first
    assert watched() is not None
    assert second == b" world"
    del second
    assert watched() is None


def test_views_outlive_the_stream():
    stream = ZeroCopyByteStream(memoryview(Chunk(b"ab")))
    stream.add_next_chunk(memoryview(b"cd"))
    inside, across = stream.read(1), stream.read(3)
    del stream
    gc.collect()
    assert (inside, across) == (b"a", b"bcd")


def test_unread_chunks_go_with_the_stream():
    chunk = Chunk(b"hello")
    watched = weakref.ref(chunk)
    stream = ZeroCopyByteStream(memoryview(chunk))
    del chunk, stream
    assert watched() is None


def test_cancel_lets_unread_chunks_go():
    chunk = Chunk(b"hello")
    watched = weakref.ref(chunk)
    stream = ZeroCopyByteStream(memoryview(chunk))
    del chunk
    stream.cancel()
    assert watched() is None


def test_a_chunk_whose_end_runs_code_that_uses_the_stream():
    stream = ZeroCopyByteStream()
    seen = []

    class Nosy(bytearray):
        def __del__(self):
            seen.append(stream.stats().bytes_in)
            stream.add_next_chunk(memoryview(b"from the end of a chunk"))

    stream.add_next_chunk(memoryview(Nosy(b"ab")))
    stream.add_next_chunk(memoryview(b"cd"))
    stream.read(2)
    stream.read(2)
    assert stream.read(23) == b"from the end of a chunk"
    assert len(seen) == 1


def test_a_stream_that_failed_with_an_exception_that_knows_it_is_collected():
    stream = ZeroCopyByteStream()
    watched = weakref.ref(stream)
    error = ValueError("cycle")
    error.stream = stream
    stream.fail(error)
    del stream, error
    gc.collect()
    assert watched() is None


def test_a_million_reads_leave_nothing_behind():
    def blocks():
        gc.collect()
        return sys.getallocatedblocks()

    def read_everything(reads):
        stream = ZeroCopyByteStream(max_bytes=1 << 20)
        data = memoryview(bytes(8 * 1024))
        for _ in range(reads // 1024 // 2):
            stream.add_next_chunk(data)
            for _ in range(1024):
                stream.read(4)
                stream.peek(4)
                stream.skip(4)
        stream.add_next_chunk(data[:3])
        stream.add_next_chunk(data[:5])
        stream.read(8)
        for bad in (-1, None):
            try:
                stream.read(bad)
            except (TypeError, ValueError):
                pass

    read_everything(READS // 100)
    before = blocks()
    if before == 0:
        pytest.skip("this interpreter does not count its blocks (PYTHONMALLOC)")
    references = sys.getrefcount(None)
    read_everything(READS)
    assert blocks() - before < 100
    assert sys.getrefcount(None) - references < 100


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_the_interpreter_exits_while_daemon_threads_wait_in_streams():
    done = run("""
import forebay, threading
full = forebay.ZeroCopyByteStream(memoryview(b"a"), max_bytes=1)
empty = forebay.ZeroCopyByteStream()
for call in (lambda: empty.read(1), lambda: empty.read(1),
             lambda: full.add_next_chunk(memoryview(b"b"))):
    threading.Thread(target=call, daemon=True).start()
while not (empty.stats().reader_waits and full.stats().writer_waits):
    pass
print("left")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_the_interpreter_exits_while_daemon_threads_read_and_write():
    done = run("""
import forebay, threading
stream = forebay.ZeroCopyByteStream(max_bytes=4096)
def write():
    while True: stream.add_next_chunk(memoryview(bytes(1000)))
def read():
    while True: stream.read(700)
for call in (write, write, read, read):
    threading.Thread(target=call, daemon=True).start()
while stream.stats().bytes_in < 1_000_000: pass
print("left")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_streams_and_views_that_are_left_at_the_exit():
    done = run("""
import forebay
stream = forebay.ZeroCopyByteStream(memoryview(b"abcdef"))
stream.add_next_chunk(memoryview(b"gh"))
views = [stream.read(2), stream.read(5)]
import builtins
builtins.kept = (stream, views)
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
