# SPDX-License-Identifier: Apache-2.0
"""Writes the inputs that the fuzzers start from.

    make_seeds.py <folder>

Makes <folder>/<fuzzer>/: Arrow streams that pyarrow writes now, those of other implementations where
../shared/data lies beside the checkout, and sequences of calls. None of them is kept.
"""

import pathlib
import random
import shutil
import sys

import pyarrow

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(CHECKOUT / "tests" / "unit" / "arrow"))
import generate_streams  # noqa: E402

DATA = CHECKOUT.parent / "shared" / "data" / "arrow-ipc"
FRAMED = ("framing", "receive", "arrow")


def streams(folder):
    """Files with Arrow streams: made now, and those of others that are there."""
    made = folder / "made"
    made.mkdir()
    # A column each: small inputs are tried, and changed where it matters, more often.
    groups = (generate_streams.numbers, generate_streams.times, generate_streams.strings,
              generate_streams.lists, generate_streams.structs, generate_streams.dictionaries)
    for group in groups:
        for column in group():
            name = column.name.replace(" ", "-").replace("/", "-")
            for codec in (None, "lz4", "zstd"):
                generate_streams.write(made, f"{name}-{codec}", [column],
                                       options=pyarrow.ipc.IpcWriteOptions(compression=codec))
    generate_streams.write_changing_dictionary(made, "dictionary-deltas", deltas=True)
    generate_streams.write_changing_dictionary(made, "dictionary-replaced", deltas=False)
    files = sorted(made.glob("*.stream"))
    if DATA.is_dir():
        files += sorted((DATA / "golden").glob("*.stream"))
        files += sorted(path for path in (DATA / "malformed").iterdir() if path.is_file())
    return files


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = streams(folder)
    for name in FRAMED:
        (folder / name).mkdir()
        for path in files:
            shutil.copy(path, folder / name / f"{path.parent.name}-{path.name}")
    shutil.rmtree(folder / "made")

    (folder / "stream").mkdir()
    numbers = random.Random(1)
    for i in range(100):
        (folder / "stream" / f"calls-{i}").write_bytes(numbers.randbytes(6 + 5 * (1 + i % 40)))
    print(f"{len(files)} Arrow streams, 100 sequences of calls")


if __name__ == "__main__":
    main()
