# SPDX-License-Identifier: Apache-2.0
"""A standalone Spark cluster on this machine: a master and two workers in processes of their own."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time

import pyspark

_SECONDS_MAX = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster(contextlib.AbstractContextManager):
    """Ends each of its processes by its id."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="forebay-cluster-")
        self.processes = []
        port = free_port()
        self.master = f"spark://127.0.0.1:{port}"
        self.start("master", "Master", "--port", str(port))
        self.wait_for(port)
        # As far as Spark knows, each on a host of its own.
        for name, host in (("worker-1", "127.0.0.1"), ("worker-2", "127.0.0.2")):
            self.start(
                name, "Worker", "-c", "1", "-m", "1G",
                "-d", os.path.join(self.folder.name, name), self.master, host=host,
            )

    def wait_for(self, port):
        end = time.monotonic() + _SECONDS_MAX
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"no Spark master within {_SECONDS_MAX} s")
            time.sleep(0.05)

    def start(self, name, role, *arguments, host="127.0.0.1"):
        home = os.path.dirname(pyspark.__file__)
        command = [
            os.path.join(home, "bin", "spark-class"),
            f"org.apache.spark.deploy.{role.lower()}.{role}",
            "--host", host, "--webui-port", str(free_port()), *arguments,
        ]
        environment = {**os.environ, "SPARK_HOME": home, "SPARK_LOCAL_IP": host}
        with open(os.path.join(self.folder.name, name + ".log"), "wb") as log:
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
            )

    def executors(self):
        """The executors' processes: children of the workers, which start them again."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                where = os.readlink(f"/proc/{name}/cwd")
                with open(f"/proc/{name}/cmdline", "rb") as command:
                    is_executor = b"CoarseGrainedExecutorBackend" in command.read()
            except OSError:
                continue
            if is_executor and where.startswith(self.folder.name):
                found.append(int(name))
        return found

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(30)
        self.folder.cleanup()

    def __exit__(self, *error):
        self.stop()
