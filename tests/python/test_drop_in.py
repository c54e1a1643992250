# SPDX-License-Identifier: Apache-2.0
"""What PySpark's ZeroCopyByteStream does, case by case: a program that uses it sees no difference."""

import numpy
import pytest

from forebay import ZeroCopyByteStream


def stream_of(*chunks, finished=True):
    stream = ZeroCopyByteStream(memoryview(chunks[0]) if chunks else None)
    for chunk in chunks[1:]:
        stream.add_next_chunk(memoryview(chunk))
    if finished:
        stream.finish()
    return stream


# --- Reads inside a chunk ------------------------------------------------------------------------


def test_a_whole_chunk():
    assert stream_of(b"hello", finished=False).read(5) == b"hello"


def test_parts_of_a_chunk_and_then_the_end():
    stream = stream_of(b"hello world")
    assert stream.read(5) == b"hello"
    assert stream.read(6) == b" world"
    with pytest.raises(EOFError):
        stream.read(1)


def test_one_chunk_after_the_other():
    stream = stream_of(b"aaa", b"bbb", b"ccc", finished=False)
    assert [bytes(stream.read(3)) for _ in range(3)] == [b"aaa", b"bbb", b"ccc"]


def test_views_are_memoryviews_on_the_chunk():
    chunk = bytearray(b"hello world")
    stream = stream_of(chunk)
    view = stream.read(5)
    assert type(view) is memoryview
    assert view.obj is chunk
    assert (view.format, view.readonly, view.ndim) == ("B", False, 1)
    chunk[0:5] = b"HELLO"
    assert view == b"HELLO"


def test_a_view_of_read_only_memory_is_read_only():
    assert stream_of(b"hello").read(2).readonly


def test_the_size_may_be_given_by_name():
    assert stream_of(b"hello").read(size=2) == b"he"


def test_the_chunk_may_be_given_by_name():
    stream = ZeroCopyByteStream(initial_view=memoryview(b"a"))
    stream.add_next_chunk(chunk=memoryview(b"b"))
    assert stream.read(2) == b"ab"


# --- Reads across chunks -------------------------------------------------------------------------


def test_across_two_chunks():
    assert stream_of(b"aaa", b"bbb", finished=False).read(6) == b"aaabbb"


def test_across_three_chunks():
    assert stream_of(b"ab", b"cd", b"ef", finished=False).read(6) == b"abcdef"


def test_part_of_a_chunk_and_then_across():
    stream = stream_of(b"aabb", b"ccdd", finished=False)
    assert stream.read(2) == b"aa"
    assert stream.read(4) == b"bbcc"
    assert stream.read(2) == b"dd"


def test_across_a_whole_chunk_in_the_middle():
    stream = stream_of(b"aa", b"bb", b"cc", finished=False)
    stream.read(1)
    assert stream.read(5) == b"abbcc"


def test_what_was_copied_may_be_written_to():
    view = stream_of(b"ab", b"cd").read(4)
    view[0] = ord("x")
    assert view == b"xbcd"


# --- The end -------------------------------------------------------------------------------------


def test_an_empty_stream_that_is_finished():
    stream = stream_of()
    assert stream.finished
    with pytest.raises(EOFError):
        stream.read(1)


def test_the_end_after_everything_was_read():
    stream = stream_of(b"data")
    assert not stream.finished
    assert stream.read(4) == b"data"
    assert stream.finished
    with pytest.raises(EOFError):
        stream.read(1)


def test_a_read_beyond_the_end_consumes_what_is_left():
    stream = stream_of(b"data")
    assert stream.read(3) == b"dat"
    assert not stream.finished
    with pytest.raises(EOFError, match="2 bytes.* after 1"):
        stream.read(2)
    assert stream.finished


def test_a_read_across_chunks_beyond_the_end_consumes_what_is_left():
    stream = stream_of(b"ab", b"cd")
    with pytest.raises(EOFError, match="5 bytes.* after 4"):
        stream.read(5)
    assert stream.finished


def test_finished_needs_both_the_end_and_nothing_left():
    stream = stream_of(b"x", finished=False)
    assert not stream.finished
    stream.read(1)
    assert not stream.finished
    stream.finish()
    assert stream.finished


def test_finish_may_be_called_again():
    stream = stream_of(b"x")
    stream.finish()
    assert stream.read(1) == b"x"


def test_finished_is_no_method_and_cannot_be_set():
    stream = stream_of()
    assert stream.finished is True
    with pytest.raises(AttributeError):
        stream.finished = False


# --- Waiting -------------------------------------------------------------------------------------


def test_a_read_waits_for_a_chunk(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    read = background(stream.read, 3)
    until_reader_waits(stream)
    assert read.running
    stream.add_next_chunk(memoryview(b"abc"))
    assert read.result() == b"abc"


def test_a_read_waits_for_the_end(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    read = background(stream.read, 1)
    until_reader_waits(stream)
    assert read.running
    stream.finish()
    with pytest.raises(EOFError):
        read.result()


def test_a_read_across_chunks_waits_for_the_next(background, until_reader_waits):
    stream = stream_of(b"aa", finished=False)
    read = background(stream.read, 4)
    until_reader_waits(stream)
    assert read.running
    assert not stream.finished
    stream.add_next_chunk(memoryview(b"bb"))
    assert read.result() == b"aabb"


# --- Sizes and types -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ZeroCopyByteStream, stream_of, lambda: stream_of(b"x")])
def test_nothing_can_be_read_at_any_time(make):
    view = make().read(0)
    assert type(view) is memoryview
    assert view == memoryview(b"")


def test_a_negative_size():
    with pytest.raises(ValueError):
        ZeroCopyByteStream().read(-1)


@pytest.mark.parametrize("size", [None, "1", 1.5, b"1"])
def test_a_size_that_is_no_integer(size):
    with pytest.raises(TypeError):
        stream_of(b"data").read(size)


@pytest.mark.parametrize("size", [True, numpy.int32(1), numpy.uint64(1)])
def test_what_stands_in_for_an_integer(size):
    assert stream_of(b"data").read(size) == b"d"


@pytest.mark.parametrize("chunk", [None, b"data", bytearray(b"data"), 5, "data"])
def test_a_chunk_that_is_no_memoryview(chunk):
    stream = ZeroCopyByteStream()
    with pytest.raises(TypeError):
        stream.add_next_chunk(chunk)
    stream.add_next_chunk(memoryview(b"ok"))
    assert stream.read(2) == b"ok"


@pytest.mark.parametrize("view", [5, b"data", "data"])
def test_an_initial_view_that_is_none(view):
    with pytest.raises(TypeError):
        ZeroCopyByteStream(initial_view=view)


def test_a_chunk_after_the_end():
    stream = stream_of(b"data")
    with pytest.raises(ValueError):
        stream.add_next_chunk(memoryview(b"more"))
    assert stream.read(4) == b"data"


def test_no_initial_view():
    stream = ZeroCopyByteStream()
    stream.add_next_chunk(memoryview(b"hello"))
    assert stream.read(5) == b"hello"


def test_none_as_the_initial_view():
    stream = ZeroCopyByteStream(initial_view=None)
    stream.add_next_chunk(memoryview(b"test"))
    assert stream.read(4) == b"test"


# --- Chunks of no bytes --------------------------------------------------------------------------


def test_empty_chunks_are_passed_over():
    stream = stream_of(b"", b"ab", b"", b"", b"cd", b"")
    assert stream.read(4) == b"abcd"


def test_an_empty_chunk_counts_as_unread_until_somebody_looks():
    stream = stream_of(b"ab", b"")
    stream.read(2)
    assert not stream.finished
    with pytest.raises(EOFError):
        stream.read(1)
    assert stream.finished


# --- Many chunks, other memory -------------------------------------------------------------------


def test_everything_may_be_added_before_anything_is_read():
    stream = ZeroCopyByteStream()
    for i in range(20_000):
        stream.add_next_chunk(memoryview(i.to_bytes(4, "big")))
    stream.finish()
    assert [int.from_bytes(stream.read(4), "big") for _ in range(20_000)] == list(range(20_000))
    assert stream.finished
    assert stream.stats().bytes_copied == 0


def test_one_read_of_more_chunks_than_the_ring_holds():
    stream = ZeroCopyByteStream()
    data = bytes(range(256)) * 64
    for byte in range(len(data)):
        stream.add_next_chunk(memoryview(data)[byte:byte + 1])
    stream.finish()
    assert stream.read(len(data)) == data
    assert stream.finished


def test_a_waiting_read_of_more_chunks_than_the_ring_holds(background, until_reader_waits):
    stream = ZeroCopyByteStream()
    data = bytes(range(256)) * 64
    read = background(stream.read, len(data))
    until_reader_waits(stream)
    for byte in range(len(data)):
        stream.add_next_chunk(memoryview(data)[byte:byte + 1])
    assert read.result() == data


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "f8", "?", "S3"])
def test_items_of_any_kind_are_taken_by_bytes(dtype):
    array = numpy.arange(6).astype(dtype).reshape(2, 3)
    stream = stream_of(memoryview(array))
    view = stream.read(array.nbytes)
    assert view.format == "B"
    assert view == array.tobytes()
    assert stream.stats().bytes_copied == 0


def test_memory_with_holes_is_copied():
    stream = stream_of(memoryview(b"abcdef")[::2], memoryview(numpy.arange(6, dtype="u1")[::3]))
    assert stream.read(5) == b"ace\x00\x03"


def test_a_memoryview_that_is_released_later():
    with memoryview(bytearray(b"data")) as view:
        stream = stream_of(view)
    assert stream.read(4) == b"data"


def test_a_memoryview_that_was_released():
    view = memoryview(b"data")
    view.release()
    with pytest.raises(ValueError):
        ZeroCopyByteStream().add_next_chunk(view)
