# SPDX-License-Identifier: Apache-2.0
"""From exec to the handshake and to the first output batch: a worker process driven over a Unix
socket, as Spark does it, whatever the worker is written in."""

import contextlib
import glob
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyspark

ROWS = 10_000
_SECONDS_MAX = 60
_MAP_IN_ARROW = 207
_TASK_CONTEXT = {
    "isBarrier": False, "connInfo": -1, "secret": None, "stageId": 0, "partitionId": 0,
    "attemptNumber": 0, "taskAttemptId": 0, "cpus": 1, "cpuAmount": "1", "resources": {},
    "localProperties": {},
}


def _text(value):
    data = value.encode()
    return struct.pack(">i", len(data)) + data


def _input():
    """10,000 rows of 32 bytes."""
    columns = [pa.array(range(ROWS), pa.int64())] + [
        pa.array((float(i * k) for i in range(ROWS)), pa.float64()) for k in (1, 2, 3)
    ]
    rows = pa.StructArray.from_arrays(columns, names=["id", "x", "y", "z"])
    batch = pa.RecordBatch.from_arrays([rows], names=["struct"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _task(command, data):
    none = struct.pack(">i", 0)
    init = none + _text("%d.%d" % sys.version_info[:2]) + _text(json.dumps(_TASK_CONTEXT))
    init += _text(tempfile.gettempdir()) + none + b"\0" + none
    init += struct.pack(">i", _MAP_IN_ARROW) + none + none
    init += struct.pack(">iiibi", 1, 1, 0, 0, 1) + struct.pack(">i", len(command)) + command
    init += bytes(8)
    return struct.pack(">ii", -8, len(init)) + init + data + struct.pack(">i", -4)


def cpp_worker(program):
    """(argv, environment, task) of the C++ worker's identity function."""
    return [program], {}, _task(b"FOREBAY1\0identity\0", _input())


def python_worker():
    """The same of PySpark's worker, with the path that Spark gives it."""
    from pyspark.serializers import CloudPickleSerializer
    from pyspark.sql.types import DoubleType, LongType, StructField, StructType

    fields = [StructField("id", LongType())] + [StructField(n, DoubleType()) for n in "xyz"]
    command = CloudPickleSerializer().dumps((lambda batches: batches, StructType(fields)))
    home = os.path.dirname(pyspark.__file__)
    path = sorted(glob.glob(os.path.join(home, "python", "lib", "*.zip")), reverse=True)
    environment = {"PYTHONPATH": ":".join(path), "PYTHONUNBUFFERED": "YES"}
    return [sys.executable], environment, _task(bytes(command), _input())


def _environment(folder, own):
    return {
        "PATH": os.environ["PATH"], "SPARK_BUFFER_SIZE": "65536", "SPARK_REUSE_WORKER": "1",
        "PYTHON_UNIX_DOMAIN_ENABLED": "True", "SPARK_LOCAL_DIRS": folder, **own,
    }


@contextlib.contextmanager
def _started(argv, **options):
    """A process, which is ended with the block."""
    process = subprocess.Popen(argv, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _word(channel):
    return struct.unpack(">i", channel.read(4))[0]


def _first_batch(channel, task):
    channel.write(task)
    channel.flush()
    marker = _word(channel)
    if marker == -2:
        raise RuntimeError(channel.read(_word(channel)).decode())
    if marker != -6:
        raise RuntimeError(f"the worker answers with {marker}")
    return pa.ipc.open_stream(channel).read_next_batch()


def seconds_of_start(worker):
    """Starts the worker once for one task, and gives the seconds until it has said who it is, and
    until its first output batch. The files that it loads are in memory; nothing else is prepared."""
    argv, own, task = worker
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(folder, "socket")
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(_SECONDS_MAX)
        environment = {**_environment(folder, own), "PYTHON_WORKER_FACTORY_SOCK_PATH": path}
        begin = time.perf_counter()
        with _started([*argv, "-m", "pyspark.worker"], env=environment):
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as channel:
                connection.settimeout(_SECONDS_MAX)
                if _word(channel) <= 0:
                    raise RuntimeError("the worker could not start")
                handshake = time.perf_counter() - begin
                batch = _first_batch(channel, task)
                took = time.perf_counter() - begin
                if batch.num_rows != ROWS:
                    raise RuntimeError(f"{batch.num_rows} rows instead of {ROWS}")
    return handshake, took


def seconds_of_daemon(worker):
    """Starts the worker's daemon once, and gives the seconds until it has said where it listens."""
    argv, own, _ = worker
    with tempfile.TemporaryDirectory() as folder:
        environment = {**_environment(folder, own), "PYTHON_WORKER_FACTORY_SOCK_DIR": folder}
        command = [*argv, "-m", "pyspark.daemon", "pyspark.worker"]
        begin = time.perf_counter()
        with _started(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            size = _word(process.stdout)
            path = process.stdout.read(size).decode()
            took = time.perf_counter() - begin
            if os.path.dirname(path) != folder:
                raise RuntimeError(f"the daemon says that it listens at {path}")
            process.stdin.close()
            process.stdout.close()
    return took
