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
        for name in ("worker-1", "worker-2"):
            self.start(
                name, "Worker", "-c", "1", "-m", "1G",
                "-d", os.path.join(self.folder.name, name), self.master,
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

    def start(self, name, role, *arguments):
        home = os.path.dirname(pyspark.__file__)
        command = [
            os.path.join(home, "bin", "spark-class"),
            f"org.apache.spark.deploy.{role.lower()}.{role}",
            "--host", "127.0.0.1", "--webui-port", str(free_port()), *arguments,
        ]
        environment = {**os.environ, "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1"}
        with open(os.path.join(self.folder.name, name + ".log"), "wb") as log:
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
            )

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(30)
        self.folder.cleanup()

    def __exit__(self, *error):
        self.stop()
