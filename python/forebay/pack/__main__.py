# SPDX-License-Identifier: Apache-2.0
"""The command line of forebay-pack."""

import argparse
import os
import sys

from forebay.errors import ForebayError
from forebay.pack import pack


def main():
    parser = argparse.ArgumentParser(
        prog="forebay-pack",
        description="Makes one archive of a worker program and the libraries that it needs, for "
        "spark-submit --archives.",
    )
    parser.add_argument("executable", help="the worker program")
    parser.add_argument(
        "--library", action="append", default=[], metavar="FILE",
        help="a shared library with more functions, packed beside the program",
    )
    parser.add_argument(
        "--notice", action="append", default=[], metavar="FILE",
        help="a licence that is to go along and that the command cannot know of",
    )
    parser.add_argument(
        "--grpc", action="store_true", help="pack what serves the gRPC channel too"
    )
    parser.add_argument("--output", metavar="FILE", help="where to (NAME.tar.gz)")
    parser.add_argument("--no-strip", action="store_true", help="keep the symbols for a debugger")
    options = parser.parse_args()
    name = os.path.basename(options.executable)
    output = options.output or name + ".tar.gz"
    try:
        packed = pack(
            options.executable, output, options.library, options.notice, not options.no_strip,
            options.grpc,
        )
    except ForebayError as error:
        print(f"forebay-pack: {error}", file=sys.stderr)
        return 1
    print(f"{output}: {os.path.getsize(output) / 1e6:.1f} MB, {len(packed.files)} files")
    for file in packed.files:
        print(f"  {file}")
    print(f"Needs x86-64 Linux with glibc {'.'.join(map(str, packed.glibc))} or later.")
    for file, symbols in packed.newest_symbols.items():
        print(f"  {file} asks for that with {', '.join(symbols)}")
    print(f"Ship it:  --archives {output}#functions")
    print(f'Use it:   CppWorker(spark, "functions/{name}")')
    return 0


if __name__ == "__main__":
    sys.exit(main())
