# SPDX-License-Identifier: Apache-2.0
"""What the processes below Spark's JVM cost, read from /proc."""

import os

_TICK = os.sysconf("SC_CLK_TCK")


class Processes:
    """The JVM of a session and all that it started."""

    def __init__(self, spark):
        self.jvm = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()

    @staticmethod
    def _stat(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        # parent; own time of user and system; that of children that have ended.
        return int(fields[1]), sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))

    def _workers(self):
        """{pid: seconds of processor time} of all that live below the JVM."""
        known = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    known[int(name)] = self._stat(name)
                except OSError:
                    continue
        below = {self.jvm}
        grown = True
        while grown:
            grown = False
            for pid, (parent, _, _) in known.items():
                if parent in below and pid not in below:
                    below.add(pid)
                    grown = True
        below.remove(self.jvm)
        return {pid: (known[pid][1] + known[pid][2]) / _TICK for pid in below}

    def worker_seconds(self):
        """Processor time of all workers up to now, those that have ended included."""
        return sum(self._workers().values()) + self._stat(self.jvm)[2] / _TICK

    def jvm_seconds(self):
        """Processor time of the JVM up to now."""
        return self._stat(self.jvm)[1] / _TICK

    def peak_mib(self, program):
        """The most resident memory that one worker had which runs the program."""
        peak = 0
        for pid in self._workers():
            try:
                if os.path.realpath(os.readlink(f"/proc/{pid}/exe")) != os.path.realpath(program):
                    continue
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    found = [line for line in file if line.startswith("VmHWM")]
            except OSError:
                continue
            peak = max([peak] + [int(line.split()[1]) for line in found])
        return peak / 1024
