# SPDX-License-Identifier: Apache-2.0
"""Where and from what a result was made: without these no number is published."""

import datetime
import os
import pathlib
import platform
import re
import resource
import subprocess
import time


def output_of(*command, cwd=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gb():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def compiler_of(build_dir):
    """The compiler that CMake took, and its flags of the build type."""
    cache = pathlib.Path(build_dir) / "CMakeCache.txt"
    entries = dict(re.findall(r"^(\w+):\w+=(.*)$", cache.read_text(), re.M)) if cache.exists() else {}
    name = entries.get("CMAKE_CXX_COMPILER", "c++")
    version = (output_of(name, "--version").splitlines() or ["unknown compiler"])[0]
    build_type = entries.get("CMAKE_BUILD_TYPE", "").upper()
    return f"{version}, {entries.get(f'CMAKE_CXX_FLAGS_{build_type}', '').strip()}"


class Neighbours:
    """What everybody else does with the processors, between construction and cores()."""

    def __init__(self):
        self.begin = self.now()

    @staticmethod
    def now():
        user, nice, system, _, _, irq, softirq, steal = map(
            int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        ticks = user + nice + system + irq + softirq + steal
        own = sum(sum(resource.getrusage(who)[:2])
                  for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK") - own

    def cores(self):
        """Processors that others kept busy, or that were stolen, on average."""
        begin, end = self.begin, self.now()
        return max(0.0, (end[1] - begin[1]) / (end[0] - begin[0]))


def describe(checkout, build_dir):
    commit = output_of("git", "rev-parse", "--short=12", "HEAD", cwd=checkout) or "unknown"
    if output_of("git", "status", "--porcelain", "--untracked-files=no", cwd=checkout):
        commit += " with changes"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_gb(), 1),
        "kernel": platform.release(),
        "system": distribution(),
        "compiler": compiler_of(build_dir),
        "commit": commit,
    }


def as_lines(machine):
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB;"
        f" {machine['system']}, Linux {machine['kernel']}",
        f"{machine['compiler']}; commit {machine['commit']}; {machine['date']};"
        f" others kept {machine['others_cores']:.2f} cores busy meanwhile",
    ]
