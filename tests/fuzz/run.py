# SPDX-License-Identifier: Apache-2.0
"""Runs fuzzers for a time or for a number of executions, and prints what they did.

    run.py --build-dir build/fuzz [--seconds N | --runs N] [--jobs N] [name...]

Inputs come from three folders: the corpus that grew in the build folder, the seeds (make_seeds.py),
and the regressions, which are always run. An input that breaks a law, takes more than 2 seconds or
more than 256 MiB ends its fuzzer; it is left in the build folder, and the exit status is 1. To keep
it, copy it to tests/fuzz/regressions/<name>/.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SECONDS_MAX, RESIDENT_MIB_MAX = 2, 256
# Longest inputs that libFuzzer makes: longer ones are no better, and slower.
BYTES_MAX = {"framing": 1024, "receive": 4096, "arrow": 4096, "stream": 256,
             "spark_init": 1024}


def figure(text, name):
    found = re.search(rf"^stat::{name}: +(\d+)", text, re.M)
    return int(found.group(1)) if found else 0


def fuzz(folder, name, limits):
    """The executions of one fuzzer, and whether it ended well."""
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    command = [
        folder / f"{name}_fuzz", f"-max_len={BYTES_MAX[name]}", f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={RESIDENT_MIB_MAX}", "-print_final_stats=1", "-verbosity=1", *limits,
        f"-artifact_prefix={folder}/{name}-", corpus, folder / "seeds" / name,
        HERE / "regressions" / name,
    ]
    log = folder / f"{name}_fuzz.log"
    with log.open("wb") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode
    text = log.read_text(errors="replace")
    runs, rate = figure(text, "number_of_executed_units"), figure(text, "average_exec_per_sec")
    passed = status == 0 and runs > 0
    print(f"{name:10} {runs:>12,} executions {rate:>9,} /s {figure(text, 'peak_rss_mb'):>5} MiB  "
          f"{'ok' if passed else 'FAILED'}", flush=True)
    if not passed:
        print("\n".join(text.splitlines()[-60:]))
    return passed


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--build-dir", type=pathlib.Path, required=True)
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--runs", type=int, help="executions of each, in place of seconds")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("name", nargs="*", choices=[*BYTES_MAX, []])
    options = arguments.parse_args()
    folder = options.build_dir.resolve() / "tests" / "fuzz"
    names = options.name or [name for name in BYTES_MAX if (folder / f"{name}_fuzz").is_file()]
    limits = [f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}"]
    if not (folder / "seeds").is_dir():
        subprocess.run([sys.executable, HERE / "make_seeds.py", folder / "seeds"], check=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda name: fuzz(folder, name, limits), names))
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
