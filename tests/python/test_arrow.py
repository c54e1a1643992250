# SPDX-License-Identifier: Apache-2.0
"""pyarrow decodes from the stream as from one buffer, without a copy where a chunk holds a body.

The golden streams are not part of the project: they are read from ../shared/data beside the checkout,
or where FOREBAY_TEST_DATA says. Without them these tests skip, and fail where CI is set.
"""

import os
import random
from pathlib import Path

import pyarrow
import pytest
from pyarrow import ipc

from forebay import ZeroCopyByteStream

CHECKOUT = Path(os.environ["FOREBAY_SOURCE_DIR"])
DATA = Path(os.environ.get("FOREBAY_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
GOLDEN = sorted((DATA / "arrow-ipc" / "golden").glob("*.stream"))
# In these pyarrow decodes into memory of its own, or knows of no class for a column.
NOT_LOOKED_INTO = ("compression", "1.0.0-bigendian", "interval")


def generated():
    """A stream with the layouts that have many buffers."""
    columns = {
        "whole": pyarrow.array(range(5000), pyarrow.int64()),
        "nulls": pyarrow.array([None if i % 7 == 0 else i / 3 for i in range(5000)]),
        "text": pyarrow.array([f"row {i}" for i in range(5000)]),
        "lists": pyarrow.array([[i] * (i % 4) for i in range(5000)]),
        "choice": pyarrow.array(["abc"[i % 3] for i in range(5000)]).dictionary_encode(),
    }
    table = pyarrow.table(columns)
    sink = pyarrow.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return sink.getvalue().to_pybytes()


def message_ends(data):
    """Where the messages of an Arrow stream end."""
    source = pyarrow.BufferReader(data)
    ends = []
    while True:
        try:
            ipc.read_message(source)
        except EOFError:
            break
        ends.append(source.tell())
    return ends + [len(data)] if not ends or ends[-1] != len(data) else ends


def chunkings(data):
    """The data in chunks, in several ways, and whether each body lies in one."""
    yield "one chunk", [len(data)], True
    yield "a chunk a message", message_ends(data), True
    for size in (1, 7, 64, 4096) if len(data) < 50_000 else (64, 4096):
        yield f"{size} bytes", list(range(size, len(data), size)) + [len(data)], False
    draw = random.Random(len(data))
    yield "random", sorted(draw.choices(range(len(data)), k=20)) + [len(data)], False


def stream_of(data, ends):
    stream = ZeroCopyByteStream()
    begin = 0
    for end in ends:
        stream.add_next_chunk(memoryview(data)[begin:end])
        begin = end
    stream.finish()
    return stream


def assert_inside(batch, first, last):
    def look(array):
        for buffer in array.buffers():
            if buffer is not None and buffer.size:
                assert first <= buffer.address and buffer.address + buffer.size <= last

    for column in batch.columns:
        look(column)


def check(data, zero_copy=True):
    expected = ipc.open_stream(data)
    batches = list(expected)
    first = pyarrow.py_buffer(data).address
    for name, ends, whole in chunkings(data):
        stream = stream_of(data, ends)
        reader = ipc.open_stream(stream)
        got = list(reader)
        assert reader.schema.equals(expected.schema, check_metadata=True), name
        assert got == batches, name
        assert stream.finished, name
        if whole:
            assert stream.stats().bytes_copied == 0, name
            if zero_copy:
                for batch in got:
                    assert_inside(batch, first, first + len(data))


def test_a_generated_stream_under_every_chunking():
    check(generated())


def test_the_golden_streams_are_there():
    if not GOLDEN:
        assert not os.environ.get("CI"), f"no golden streams in {DATA}"
        pytest.skip(f"no golden streams in {DATA}")
    assert len(GOLDEN) >= 69


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_stream_under_every_chunking(path):
    check(path.read_bytes(), zero_copy=not any(what in path.name for what in NOT_LOOKED_INTO))


def test_batches_outlive_the_stream():
    data = generated()
    stream = stream_of(bytearray(data), message_ends(data))
    table = ipc.open_stream(stream).read_all()
    del stream
    assert table.equals(ipc.open_stream(data).read_all())


def test_a_stream_that_breaks_off_is_an_error_and_no_wait():
    data = generated()
    for end in (3, 100, len(data) // 2):
        with pytest.raises((pyarrow.ArrowInvalid, OSError, EOFError)):
            ipc.open_stream(stream_of(data, [end])).read_all()


def test_an_exception_of_the_writer_comes_through_pyarrow():
    stream = ZeroCopyByteStream(memoryview(generated())[:1000])
    stream.fail(KeyError("the writer's own"))
    with pytest.raises(KeyError, match="the writer's own"):
        ipc.open_stream(stream).read_all()
