# SPDX-License-Identifier: Apache-2.0
"""What is measured: each function does one thing once and returns the seconds, or more, it took."""

import importlib.util
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow
import pyarrow.compute
from pyarrow import ipc

import forebay

SMALL_READS = 200_000
CHUNK_BYTES, READ_BYTES, CHUNKS = 1 << 20, 64 << 10, 1000
COLUMNS, ROWS = 8, 16_384  # 1 MiB a batch


def pyspark_class(site_packages):
    """PySpark's class, without the rest of PySpark."""
    path = Path(site_packages) / "pyspark" / "messages" / "zero_copy_byte_stream.py"
    spec = importlib.util.spec_from_file_location("pyspark_zero_copy_byte_stream", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ZeroCopyByteStream


def small_reads(cls, size):
    stream = cls(memoryview(bytes(SMALL_READS * size)))
    begin = time.perf_counter()
    for _ in range(SMALL_READS):
        stream.read(size)
    return (time.perf_counter() - begin) / SMALL_READS


def slices(size):
    m, p, n = memoryview(bytes(SMALL_READS * size)), 0, size
    begin = time.perf_counter()
    for _ in range(SMALL_READS):
        m[p:p + n]
        p += n
    return (time.perf_counter() - begin) / SMALL_READS


def two_threads(cls):
    memory = bytes(CHUNK_BYTES)
    chunks = [memoryview(memory) for _ in range(CHUNKS)]
    stream = cls()

    def write():
        for chunk in chunks:
            stream.add_next_chunk(chunk)
        stream.finish()

    writer = threading.Thread(target=write)
    begin = time.perf_counter()
    writer.start()
    for _ in range(CHUNKS * CHUNK_BYTES // READ_BYTES):
        stream.read(READ_BYTES)
    seconds = time.perf_counter() - begin
    writer.join()
    return seconds


def arrow_stream(batches):
    """An Arrow stream of so many batches of 1 MiB, and where its messages end."""
    column = pyarrow.array(range(ROWS), pyarrow.int64())
    batch = pyarrow.record_batch({f"c{i}": column for i in range(COLUMNS)})
    sink = pyarrow.BufferOutputStream()
    ends = []
    with ipc.new_stream(sink, batch.schema) as writer:
        ends.append(sink.tell())
        for _ in range(batches):
            writer.write_batch(batch)
            ends.append(sink.tell())
    data = sink.getvalue()
    return data, [end for end in ends if end] + [len(data)]


def sum_all(batch):
    for column in batch.columns:
        pyarrow.compute.sum(column)


def untouched(batch):
    pass


def decode(source, work):
    begin, begin_cpu = time.perf_counter(), time.thread_time()
    for batch in ipc.open_stream(source):
        work(batch)
    return time.perf_counter() - begin, time.thread_time() - begin_cpu


def decode_buffer(data, work):
    return decode(data, work)[0]


def decode_chunks(data, ends, work):
    stream, begin = forebay.ZeroCopyByteStream(), 0
    view = memoryview(data)
    for end in ends:
        if end > begin:
            stream.add_next_chunk(view[begin:end])
        begin = end
    stream.finish()
    seconds = decode(stream, work)[0]
    if stream.stats().bytes_copied:
        raise RuntimeError(f"{stream.stats().bytes_copied} bytes were copied")
    return seconds


SENDER = """
import socket, sys
data = open(sys.argv[2], "rb").read()
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    print("ready", flush=True)
    peer, _ = listening.accept()
    peer.sendall(data)
    peer.close()
"""


def from_socket(folder, path_of_data, receive, work):
    """Wall time and the decoding thread's CPU of one stream from another process."""
    path = folder / "socket"
    path.unlink(missing_ok=True)
    sender = subprocess.Popen([sys.executable, "-c", SENDER, path, path_of_data],
                              stdout=subprocess.PIPE, text=True)
    sender.stdout.readline()
    result = receive(str(path), work)
    sender.wait()
    return result


def as_pyspark(path, work):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return decode(connection.makefile("rb", 65536), work)


def through_receiver(path, work):
    return decode(forebay.connect(path, mode="threaded"), work)


def import_ms():
    """Milliseconds that importing the extension alone takes, by -X importtime."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c",
                           "import forebay; from forebay import _stream"],
                          capture_output=True, text=True, check=True)
    line = [one for one in done.stderr.splitlines() if one.endswith("forebay._stream")][0]
    return int(line.split("|")[1]) / 1000
