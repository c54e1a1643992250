# SPDX-License-Identifier: Apache-2.0
"""What the Spark tests share: sessions on each channel, and looking at worker processes."""

import os
import tempfile
import time

from pyspark.sql import SparkSession

from forebay.spark import grpc_conf

WORKER = os.environ["FOREBAY_WORKER"]
CHANNELS = [(uds, daemon) for uds in (True, False) for daemon in (True, False)]
SECONDS_MAX = 30

# One for all sessions: Spark keeps the first that it was told, for as long as its JVM lives.
_FOLDER = tempfile.TemporaryDirectory(prefix="forebay-spark-")


def grpc_settings():
    """What the first session of a process needs, since its JVM is that of all later ones."""
    return grpc_conf(os.environ["FOREBAY_SPARK_JAR"], os.environ["FOREBAY_SPARK_IVY"] + "/jars")


def channel_name(uds, daemon):
    return f"{'UDS' if uds else 'TCP'}, {'daemon' if daemon else 'no daemon'}"


class Session:
    """A local session on one channel."""

    def __init__(self, uds, daemon, **settings):
        builder = SparkSession.builder.master("local[2]").appName("forebay")
        fixed = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.python.use.daemon": str(daemon).lower(),
            "spark.python.unix.domain.socket.enabled": str(uds).lower(),
            "spark.python.unix.domain.socket.dir": _FOLDER.name,
        }
        for name, value in {**fixed, **settings}.items():
            builder = builder.config(name, value)
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("OFF")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.spark.stop()

    def socket_files(self, folder=""):
        return sorted(os.listdir(os.path.join(_FOLDER.name, folder)))


def worker_processes(where=WORKER):
    """The process ids of all workers that run the program `where`, or one in that folder."""
    where = os.path.realpath(where)
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            program = os.readlink(f"/proc/{name}/exe")
        except OSError:
            continue
        if program == where or (
            program.startswith(where + os.sep) and os.path.basename(program) == os.path.basename(WORKER)
        ):
            found.append(int(name))
    return found


def grpc_processes(where=WORKER):
    """Those of them that serve the gRPC channel."""
    found = []
    for pid in worker_processes(where):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as command:
                if b"--connection" in command.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found


def wait_until(true, what):
    """Waits for something that another process does, and fails when it does not come to be."""
    end = time.monotonic() + SECONDS_MAX
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come to be within {SECONDS_MAX} s")
        time.sleep(0.05)
