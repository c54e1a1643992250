# SPDX-License-Identifier: Apache-2.0
"""One run of one mode: a fresh sender and a fresh receiver process, joined by a Unix socket."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import tempfile
import threading

# A run that takes longer hangs.
SECONDS_MAX = 300
# Modes that receive nothing.
FROM_MEMORY = ("decode",)
# Modes in which the receiver is a worker, which listens, and the sender its engine.
OVER_GRPC = ("grpc-receive", "grpc", "grpc-slices")


class RunFailed(Exception):
    """A process failed; the text says what it said."""


@dataclasses.dataclass
class Settings:
    """What all runs of a table share."""

    program: pathlib.Path
    stream: pathlib.Path
    pace: float = 0.0  # GB/s; none when zero
    work: int = 1
    workers: int | None = None
    budget_bytes: int = 32 << 20


def selftest(program):
    """Raises RunFailed when the query's arithmetic is wrong."""
    finished(started([program, "selftest"], []), "the self-test")


def started(command, killed_together):
    process = subprocess.Popen([str(word) for word in command], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    killed_together.append(process)
    return process


def finished(process, what):
    _, errors = process.communicate()
    if process.returncode:
        raise RunFailed(f"{what} ended with {process.returncode}: {errors.strip()}")


def wait_for_listener(process, what):
    if not process.stdout.readline():
        finished(process, what)
        raise RunFailed(f"{what} does not listen")


def run_once(settings, mode, on_bytes=lambda count: None, trace=None):
    """Runs the mode and returns the receiver's figures, with the sender's under "sender"."""
    processes = []
    with tempfile.TemporaryDirectory(prefix="forebay-tpch-") as folder, \
            contextlib.ExitStack() as at_exit:
        folder = pathlib.Path(folder)

        def kill():
            for process in processes:
                process.kill()

        watchdog = threading.Timer(SECONDS_MAX, kill)
        watchdog.start()
        at_exit.callback(watchdog.cancel)
        at_exit.callback(kill)

        receive = [settings.program, "receive", "--mode", mode, "--work", settings.work,
                   "--budget", settings.budget_bytes, "--json", folder / "figures"]
        if settings.workers:
            receive += ["--workers", settings.workers]
        if trace:
            receive += ["--trace", trace]
        sender = None
        if mode in FROM_MEMORY:
            receive += ["--file", settings.stream]
        else:
            receive += ["--socket", folder / "socket"]
        send = [settings.program, "send", "--socket", folder / "socket", "--file", settings.stream,
                "--pace", settings.pace]
        if mode in OVER_GRPC:
            receiver = started(receive, processes)
            wait_for_listener(receiver, "the receiver")
            sender = started([*send, "--grpc"], processes)
        else:
            if mode not in FROM_MEMORY:
                sender = started(send, processes)
                wait_for_listener(sender, "the sender")
            receiver = started(receive, processes)
        for line in receiver.stdout:
            on_bytes(json.loads(line)["bytes"])
        finished(receiver, f"the receiver ({mode})")
        figures = json.loads((folder / "figures").read_text())
        if sender:
            figures["sender"] = json.loads(sender.stdout.readlines()[-1])
            finished(sender, "the sender")
        on_bytes(figures["bytes"])
        return figures
