# SPDX-License-Identifier: Apache-2.0
"""Writes the inputs that the fuzzers start from.

    make_seeds.py <folder>

Makes <folder>/<fuzzer>/: Arrow streams that pyarrow writes now, those of other implementations where
../shared/data lies beside the checkout, and sequences of calls. None of them is kept.
"""

import pathlib
import random
import shutil
import struct
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


def init_message(numbers):
    """One of Spark's init messages, without the marker and the length that it has from 4.3 on."""
    word = lambda value: struct.pack(">i", value)
    text = lambda value: word(len(value)) + value
    some = lambda make: b"".join(map(bytes, [word(count := numbers.randrange(3)),
                                             *(make() for _ in range(count))]))
    name = lambda: text(numbers.randbytes(numbers.randrange(12)))
    message = word(numbers.choice((0, 1, 7))) + text(b"cpp") + text(b'{"stageId":1}') + name()
    message += some(name)
    server = numbers.randrange(4)
    count = numbers.randrange(3)
    message += bytes([server < 2]) + word(count)
    message += {0: word(4711) + name(), 1: word(-1) + name()}.get(server, b"")
    for _ in range(count):
        old = numbers.randrange(2)
        message += struct.pack(">q", -3 if old else 8) + (b"" if old or server < 2 else name())
    message += word(numbers.choice((0, 101, 207, 209, 250, 300)))
    message += some(lambda: name() + name()) + some(lambda: name() + name())
    argument = lambda: word(numbers.randrange(4)) + numbers.choice((b"\0", b"\1" + name()))
    return message + some(lambda: some(argument) + some(name) + struct.pack(">q", 1))


def channel(numbers, framed):
    """What Spark sends for two tasks, the second one with groups."""
    sink = pyarrow.BufferOutputStream()
    batch = pyarrow.record_batch({"a": [1, 2, 3]})
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream = sink.getvalue().to_pybytes()
    groups = struct.pack(">i", 1) + stream + struct.pack(">i", 0)
    text = b""
    for data in (stream, groups):
        message = init_message(numbers)
        text += (struct.pack(">ii", -8, len(message)) if framed else b"") + message + data
        text += struct.pack(">i", -4)
    return text


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

    (folder / "spark_init").mkdir()
    for i in range(100):
        text = channel(numbers, i % 2 == 0)
        (folder / "spark_init" / f"tasks-{i}").write_bytes(text)
    print(f"{len(files)} Arrow streams, 100 sequences of calls, 100 sessions of Spark's")


if __name__ == "__main__":
    main()
