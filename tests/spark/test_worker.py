# SPDX-License-Identifier: Apache-2.0
"""The worker as a process, with this test in Spark's place: handshakes, a daemon's life, crashes,
recording, and the command line. No Spark runs here."""

import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import pyarrow as pa

from support import WORKER, wait_until

SECRET = "a secret"
BARRIER_SECRET = "another one, of a barrier"


def text(value):
    data = value.encode()
    return struct.pack(">i", len(data)) + data


def start(arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON_", "FOREBAY_"))}
    return subprocess.Popen(
        [WORKER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**inherited, **environment},
    )


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Daemon:
    """A daemon, and connections to it."""

    def __init__(self, folder=None, **environment):
        if folder:
            environment.update(
                PYTHON_WORKER_FACTORY_SOCK_DIR=folder, PYTHON_UNIX_DOMAIN_ENABLED="True"
            )
        else:
            environment.update(PYTHON_WORKER_FACTORY_SECRET=SECRET)
        self.process = start(["-m", "pyspark.daemon", "pyspark.worker"], **environment)
        head = struct.unpack(">i", self.process.stdout.read(4))[0]
        self.address = self.process.stdout.read(head).decode() if folder else ("127.0.0.1", head)
        self.family = socket.AF_UNIX if folder else socket.AF_INET

    def connect(self, secret=SECRET):
        connection = socket.socket(self.family)
        connection.settimeout(20)
        connection.connect(self.address)
        pid = struct.unpack(">i", receive(connection, 4))[0]
        if self.family == socket.AF_UNIX:
            return connection, pid, None
        connection.sendall(text(secret))
        size = struct.unpack(">i", receive(connection, 4))[0]
        return connection, pid, receive(connection, size)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {size} bytes")
        data += part
    return data


class DaemonLife(unittest.TestCase):
    def test_gives_each_connection_a_process_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder, Daemon(folder) as daemon:
            first, first_pid, _ = daemon.connect()
            second, second_pid, _ = daemon.connect()
            self.assertNotEqual(first_pid, second_pid)
            self.assertTrue(alive(first_pid) and alive(second_pid))
            self.assertEqual(os.stat(daemon.address).st_mode & 0o777, 0o600)
            first.close()
            wait_until(lambda: not alive(first_pid), "the end of the first worker")
            self.assertTrue(alive(second_pid))
            second.close()

    def test_kills_the_worker_that_it_is_told_to_and_nobody_else(self):
        with Daemon() as daemon:
            connection, pid, answer = daemon.connect()
            self.assertEqual(answer, b"ok")
            bystander = subprocess.Popen(["sleep", "60"])
            daemon.process.stdin.write(struct.pack(">ii", bystander.pid, pid))
            daemon.process.stdin.flush()
            self.assertEqual(connection.recv(1), b"")
            wait_until(lambda: not alive(pid), "the end of the worker")
            self.assertTrue(alive(bystander.pid))
            bystander.kill()
            bystander.wait()
            again, _, answer = daemon.connect()
            self.assertEqual(answer, b"ok")
            again.close()
            connection.close()

    def test_ends_with_its_standard_input_and_takes_all_with_it(self):
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(folder) as daemon:
                connection, pid, _ = daemon.connect()
            self.assertEqual(daemon.process.returncode, 0)
            self.assertFalse(alive(pid))
            self.assertEqual(os.listdir(folder), [])
            connection.close()

    def test_ends_on_sigterm(self):
        with tempfile.TemporaryDirectory() as folder, Daemon(folder) as daemon:
            connection, pid, _ = daemon.connect()
            daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(daemon.process.wait(20), 0)
            self.assertFalse(alive(pid))
            self.assertEqual(os.listdir(folder), [])
            connection.close()

    def test_refuses_wrong_secrets_and_reads_nothing_of_the_session(self):
        with Daemon() as daemon:
            for wrong in ("", "a Secret", SECRET + "s"):
                connection, pid, answer = daemon.connect(wrong)
                self.assertEqual(answer, b"err")
                self.assertEqual(connection.recv(1), b"")
                wait_until(lambda pid=pid: not alive(pid), "the end of the refused worker")
                connection.close()
            connection, _, answer = daemon.connect()
            self.assertEqual(answer, b"ok")
            connection.close()


class Start(unittest.TestCase):
    def test_registers_for_membarrier_before_libraries_start_threads(self):
        # Behind them it waits for the kernel. Time itself would be no test: machines are busy.
        dynamic = subprocess.run(
            ["readelf", "-d", WORKER], capture_output=True, text=True, check=True, timeout=60
        )
        self.assertIn("(PREINIT_ARRAY)", dynamic.stdout)


class CommandLine(unittest.TestCase):
    def run_worker(self, arguments, **environment):
        process = start(arguments, **environment)
        out, err = process.communicate(timeout=20)
        return process.returncode, out.decode(errors="replace"), err.decode()

    def test_wrong_arguments_are_status_2_with_usage(self):
        for arguments in ([], ["--nothing"], ["--replay"], ["--describe", "-m", "pyspark.worker"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_worker(arguments)[0], 2)

    def test_wrong_environment_is_status_2_and_names_the_variable(self):
        for port in ("0", "65536", "99999", "-1", "80x", ""):
            with self.subTest(port=port):
                status, _, err = self.run_worker(
                    ["-m", "pyspark.worker"],
                    PYTHON_WORKER_FACTORY_PORT=port,
                    PYTHON_WORKER_FACTORY_SECRET=SECRET,
                )
                self.assertEqual(status, 2)
                self.assertIn("InvalidConnection: ", err)
                self.assertEqual(err.count("\n"), 1)
        status, _, err = self.run_worker(["-m", "pyspark.worker"])
        self.assertEqual(status, 2)
        self.assertIn("PYTHON_WORKER_FACTORY_SECRET is not set", err)
        status, _, err = self.run_worker(
            ["-m", "pyspark.worker"],
            PYTHON_WORKER_FACTORY_SOCK_PATH="/tmp/" + "x" * 200,
            PYTHON_UNIX_DOMAIN_ENABLED="True",
        )
        self.assertEqual(status, 2)

    def test_description_is_all_of_stdout(self):
        status, out, _ = self.run_worker(["--describe"])
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("{") and out.endswith("}\n"))

    def test_replay_tells_what_is_wrong_with_a_recording(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack(">i", -42))
            file.flush()
            status, out, _ = self.run_worker(["--replay", file.name])
        self.assertEqual(status, 1)
        self.assertIn("ProtocolError: instead of START_OF_INIT_MESSAGE (-8) came -42", out)


def map_task(stream, name, payload="", context="{}"):
    """One task of Spark's with a map function."""
    none = struct.pack(">i", 0)
    init = none + text("cpp") + text(context) + text("/tmp") + none + b"\0" + none
    init += struct.pack(">i", 207) + none + none
    init += struct.pack(">iiibi", 1, 1, 0, 0, 1) + text(f"FOREBAY1\0{name}\0{payload}") + bytes(8)
    return struct.pack(">ii", -8, len(init)) + init + stream + struct.pack(">i", -4)


class Memory(unittest.TestCase):
    def test_of_a_worker_stays_within_64_mib_at_batches_of_10000_rows(self):
        columns = [pa.array(range(10_000)) for _ in range(4)]
        rows = pa.StructArray.from_arrays(columns, names=list("abcd"))
        batch = pa.RecordBatch.from_arrays([rows], names=["struct"])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            for _ in range(500):  # More than twice what a worker may have.
                writer.write_batch(batch)
        task = map_task(sink.getvalue().to_pybytes(), "identity")
        with tempfile.TemporaryDirectory() as folder, Daemon(folder) as daemon:
            connection, pid, _ = daemon.connect()
            sender = threading.Thread(target=connection.sendall, args=(task,))
            sender.start()
            size, end = 0, b""
            while end != struct.pack(">iii", -1, 0, -4):
                part = connection.recv(1 << 20)
                self.assertTrue(part)
                size, end = size + len(part), (end + part)[-12:]
            sender.join()
            self.assertGreater(size, 128 << 20)
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                peak = next(line for line in status if line.startswith("VmHWM:"))
            self.assertLess(int(peak.split()[1]), 64 << 10)
            connection.close()


class Recording(unittest.TestCase):
    def test_replayed_gives_the_same_answer_and_holds_no_secret(self):
        rows = pa.StructArray.from_arrays([pa.array(range(50_000))], names=["id"])
        batch = pa.RecordBatch.from_arrays([rows], names=["struct"])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            for _ in range(4):
                writer.write_batch(batch)
        context = '{"isBarrier":true,"secret":"%s"}' % BARRIER_SECRET
        task = map_task(sink.getvalue().to_pybytes(), "add", "5", context)
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(FOREBAY_RECORD=folder) as daemon:
                connection, pid, _ = daemon.connect()
                sender = threading.Thread(target=connection.sendall, args=(task,))
                sender.start()
                answer = b""
                while not answer.endswith(struct.pack(">iii", -1, 0, -4)):
                    answer += receive(connection, 1) + connection.recv(1 << 20)
                sender.join()
                connection.close()
                wait_until(lambda: not alive(pid), "the end of the worker")
            recorded = os.path.join(folder, f"{pid}.channel")
            with open(recorded, "rb") as file:
                crossed_out = ("x" * len(BARRIER_SECRET)).encode()
                self.assertEqual(file.read(), task.replace(BARRIER_SECRET.encode(), crossed_out))
            again = os.path.join(folder, "again")
            process = start(["--replay", recorded, "--output", again])
            process.communicate(timeout=20)
            self.assertEqual(process.returncode, 0)
            with open(again, "rb") as file:
                replayed = file.read()
        # All but the figures, which are times.
        figures = 6 * 8 + 3 * 4
        self.assertEqual(replayed[:-figures], answer[:-figures])
        result = pa.ipc.open_stream(answer[4:]).read_all().column(0).combine_chunks().field(0)
        self.assertEqual(result.to_pylist()[:3] + result.to_pylist()[-1:], [5, 6, 7, 50_004])


class Crash(unittest.TestCase):
    def test_leaves_a_backtrace_where_spark_looks_for_it(self):
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(PYTHON_FAULTHANDLER_DIR=folder) as daemon:
                connection, pid, answer = daemon.connect()
                self.assertEqual(answer, b"ok")
                report = os.path.join(folder, str(pid))
                # The handler is in place once the worker reads; a wrong start makes it answer.
                connection.sendall(struct.pack(">i", -42))
                receive(connection, 8)
                os.kill(pid, signal.SIGSEGV)
                wait_until(lambda: not alive(pid), "the end of the worker")
                connection.close()
            with open(report, encoding="utf-8", errors="replace") as file:
                self.assertIn("fatal signal SIGSEGV", file.readline())
                self.assertGreater(len(file.readlines()), 2)


if __name__ == "__main__":
    unittest.main()
