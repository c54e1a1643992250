# SPDX-License-Identifier: Apache-2.0
"""Where a worker meets Spark: paths that cannot be one, what lies in the way, who may connect, ::1,
and the flags of the command line. No Spark runs here."""

import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

from support import wait_until
from test_worker import SECRET, Daemon, alive, receive, start, text

PATH_BYTES_MAX = 107
# What a daemon adds to its folder: a slash and a name of 128 random bits.
NAME_BYTES = len("/." + 32 * "0" + ".sock")


def run_worker(arguments, **environment):
    process = start(arguments, **environment)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err.decode()


def of_length(folder, size):
    """A path in the folder, of so many bytes."""
    return folder + "/" + "x" * (size - len(folder) - 1)


class UnixPaths(unittest.TestCase):
    def worker(self, path):
        return start(
            ["-m", "pyspark.worker"],
            PYTHON_WORKER_FACTORY_SOCK_PATH=path,
            PYTHON_UNIX_DOMAIN_ENABLED="True",
        )

    def refused(self, path):
        process = self.worker(path)
        _, err = process.communicate(timeout=20)
        return process.returncode, err.decode()

    def daemon_refused(self, folder):
        status, out, err = run_worker(
            ["-m", "pyspark.daemon", "pyspark.worker"],
            PYTHON_WORKER_FACTORY_SOCK_DIR=folder,
            PYTHON_UNIX_DOMAIN_ENABLED="True",
        )
        self.assertEqual(out, b"")
        self.assertEqual(err.count("\n"), 1, err)
        return status, err

    def test_of_107_bytes_work_for_a_worker_and_longer_ones_do_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path = of_length(folder, PATH_BYTES_MAX)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()
                listener.settimeout(20)
                process = self.worker(path)
                connection, _ = listener.accept()
                self.assertEqual(struct.unpack(">i", receive(connection, 4))[0], process.pid)
                connection.close()
                process.communicate(timeout=20)
                self.assertEqual(process.returncode, 0)
            for size in (PATH_BYTES_MAX + 1, 200):
                status, err = self.refused(of_length(folder, size))
                self.assertEqual(status, 2)
                self.assertIn("InvalidConnection: ", err)
                self.assertEqual(err.count("\n"), 1)

    def test_of_107_bytes_work_for_a_daemon_and_longer_ones_do_not(self):
        with tempfile.TemporaryDirectory() as folder:
            for size in (PATH_BYTES_MAX, PATH_BYTES_MAX + 1, 200):
                inner = of_length(folder, size - NAME_BYTES)
                os.mkdir(inner)
                if size == PATH_BYTES_MAX:
                    with Daemon(inner) as daemon:
                        self.assertEqual(len(daemon.address), size)
                        connection, pid, _ = daemon.connect()
                        self.assertTrue(alive(pid))
                        connection.close()
                else:
                    status, err = self.daemon_refused(inner)
                    self.assertEqual(status, 2)
                    self.assertIn("InvalidConnection: ", err)

    def test_that_are_something_else_are_refused_and_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            file, inner, link = (os.path.join(folder, name) for name in ("file", "folder", "link"))
            with open(file, "w", encoding="utf-8") as out:
                out.write("mine")
            os.mkdir(inner)
            os.symlink(os.path.join(folder, "nothing"), link)
            for path in (file, inner, link):
                with self.subTest(path=os.path.basename(path)):
                    status, err = self.refused(path)
                    self.assertEqual(status, 1)
                    self.assertIn(path, err)
            for path in (file, link):
                with self.subTest(folder=os.path.basename(path)):
                    status, err = self.daemon_refused(path)
                    self.assertEqual(status, 1)
                    self.assertIn(path, err)
            with open(file, encoding="utf-8") as left:
                self.assertEqual(left.read(), "mine")
            self.assertEqual(os.readlink(link), os.path.join(folder, "nothing"))
            self.assertEqual(os.listdir(inner), [])
            self.assertEqual(sorted(os.listdir(folder)), ["file", "folder", "link"])

    def test_of_a_killed_daemon_do_not_stop_the_next_one(self):
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(folder) as killed:
                connection, pid, _ = killed.connect()
                killed.process.send_signal(signal.SIGKILL)
                killed.process.wait(20)
                # A worker does not outlive its daemon.
                wait_until(lambda: not alive(pid), "the end of the orphaned worker")
                connection.close()
            stale = os.listdir(folder)
            self.assertEqual(len(stale), 1)
            with Daemon(folder) as daemon:
                connection, pid, _ = daemon.connect()
                self.assertTrue(alive(pid))
                connection.close()
            self.assertEqual(os.listdir(folder), stale)

    def test_in_a_folder_that_others_write_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            status, err = self.daemon_refused(folder)
            self.assertEqual(status, 1)
            self.assertIn("PermissionDenied: ", err)
            self.assertEqual(os.listdir(folder), [])
            os.chmod(folder, 0o777 | stat.S_ISVTX)
            with Daemon(folder) as daemon:
                daemon.connect()[0].close()

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_are_not_served_to_another_user(self):
        with tempfile.TemporaryDirectory() as folder, Daemon(folder) as daemon:
            os.chmod(folder, 0o755)
            os.chmod(daemon.address, 0o666)
            stranger = (
                "import os, socket, sys\n"
                "os.setuid(12345)\n"
                "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
                "try: print(s.recv(4))\n"
                "except ConnectionResetError: print(b'')\n"
            )
            told = subprocess.run(
                [sys.executable, "-c", stranger, daemon.address],
                capture_output=True, text=True, check=True, timeout=60,
            )
            self.assertEqual(told.stdout, "b''\n")
            connection, pid, _ = daemon.connect()
            self.assertTrue(alive(pid))
            connection.close()


class Ipv6(unittest.TestCase):
    def test_daemon_listens_there_when_spark_prefers_it(self):
        with Daemon(SPARK_PREFER_IPV6="True") as daemon:
            port = daemon.address[1]
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 20).close()
            daemon.family, daemon.address = socket.AF_INET6, ("::1", port)
            connection, pid, answer = daemon.connect()
            self.assertEqual(answer, b"ok")
            self.assertTrue(alive(pid))
            connection.close()

    def test_worker_connects_there_and_tells_nobody_else_the_secret(self):
        with socket.socket(socket.AF_INET6) as listener, socket.socket() as other:
            listener.bind(("::1", 0))
            port = listener.getsockname()[1]
            other.bind(("127.0.0.1", port))
            listener.listen()
            other.listen()
            listener.settimeout(20)
            process = start(
                ["-m", "pyspark.worker"],
                PYTHON_WORKER_FACTORY_PORT=str(port),
                PYTHON_WORKER_FACTORY_SECRET=SECRET,
                SPARK_PREFER_IPV6="true",
            )
            connection, _ = listener.accept()
            self.assertEqual(receive(connection, len(text(SECRET))), text(SECRET))
            connection.sendall(text("ok"))
            self.assertEqual(struct.unpack(">i", receive(connection, 4))[0], process.pid)
            connection.close()
            process.communicate(timeout=20)
            other.setblocking(False)
            self.assertRaises(BlockingIOError, other.accept)


class Flags(unittest.TestCase):
    def test_that_are_missing_unknown_or_given_twice_are_status_2(self):
        for arguments in (
            [],
            ["--nothing"],
            ["--record"],
            ["--replay"],
            ["-m"],
            ["-m", "one", "two", "three"],
            ["--describe", "--describe"],
            ["--replay", "a", "--replay", "b"],
            ["--record", "a", "--record", "b", "-m", "pyspark.worker"],
            ["--describe", "-m", "pyspark.worker"],
            ["--spark-version", "4.3.0"],
            ["--replay", "a", "stray"],
        ):
            with self.subTest(arguments=arguments):
                status, out, err = run_worker(arguments)
                self.assertEqual(status, 2, err)
                self.assertEqual(out, b"")
                self.assertTrue(err)


if __name__ == "__main__":
    unittest.main()
