#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the package from its sdist into each Python on the PATH and runs the tests there.

    every_python.py WORK_FOLDER

The sdist is built into a wheel as a user's pip does it, in isolation. From CPython 3.12 the wheel
is one for every later version.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import scikit_build_core.build

VERSIONS = [(3, minor) for minor in range(10, 14)]
STABLE_FROM = (3, 12)
WHEEL_BYTES_MAX = 2 << 20
NEEDED_BY_TESTS = ["numpy", "pyarrow", "pytest"]
TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent.parent


def starts(executable):
    probe = subprocess.run([executable, "-c", "import venv, ensurepip"], capture_output=True)
    return probe.returncode == 0


def check_wheel(wheel, version):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    extensions = [name for name in names if name.endswith(".so")]
    own = f"cp{version[0]}{version[1]}"
    if version >= STABLE_FROM:
        assert "-cp312-abi3-" in wheel.name, wheel.name
        assert extensions == ["forebay/_stream.abi3.so"], extensions
    else:
        assert f"-{own}-{own}-" in wheel.name, wheel.name
        assert len(extensions) == 1 and f"cpython-{version[0]}{version[1]}" in extensions[0]
    assert {"forebay/py.typed", "forebay/_stream.pyi", "forebay/spark/worker.py"} <= set(names)
    assert wheel.stat().st_size <= WHEEL_BYTES_MAX, wheel.stat().st_size


def run_tests(executable, version, sdist, folder):
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, sdist], check=True)
    wheel, = folder.glob("*.whl")
    check_wheel(wheel, version)
    subprocess.run([*pip, "install", wheel, *NEEDED_BY_TESTS], check=True)
    environment = os.environ | {"FOREBAY_SOURCE_DIR": str(CHECKOUT)}
    environment.pop("PYTHONPATH", None)
    subprocess.run([python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", TESTS],
                   check=True, env=environment, cwd=folder)
    return wheel


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(CHECKOUT)
    sdist = work / scikit_build_core.build.build_sdist(str(work))
    tested, absent = [], []
    for version in VERSIONS:
        name = f"python{version[0]}.{version[1]}"
        executable = shutil.which(name)
        if executable is None or not starts(executable):
            absent.append(name)
            continue
        wheel = run_tests(executable, version, sdist, work / name)
        tested.append(f"{name} ({wheel.name}, {wheel.stat().st_size:,} bytes)")
    print(f"tested: {', '.join(tested) or 'none'}")
    print(f"not on the PATH, or do not start: {', '.join(absent) or 'none'}")
    return 0 if tested else 1


if __name__ == "__main__":
    sys.exit(main())
