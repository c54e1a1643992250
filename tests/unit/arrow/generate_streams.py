# SPDX-License-Identifier: Apache-2.0
"""Writes Arrow streams with pyarrow, and beside each the values it was made of as canonical text.

    generate_streams.py <folder>

The text comes from the Python values that the arrays are built from, not from reading anything back.
canonical.cpp writes the same text from decoded batches.
"""

import decimal
import pathlib
import struct
import sys

import numpy as np
import pyarrow as pa

ROWS = 37
# What a batch begins at, and the end: one has no rows.
CUTS = [0, 5, 5, 20, ROWS]


def hex_text(value):
    return "x" + value.hex()


def utf8_text(value):
    return hex_text(value.encode())


def float_text(form):
    return lambda value: "f" + struct.pack(form, value)[::-1].hex()


def list_text(item):
    return lambda values: "[" + ",".join(item(value) for value in values) + "]"


def or_null(text):
    return lambda value: "null" if value is None else text(value)


def sparse(values, every=5):
    """The values with a null now and then."""
    return [None if i % every == every - 1 else value for i, value in enumerate(values)]


class Column:
    """A column: its array, the text of its type and of each of its values."""

    def __init__(self, name, type_text, array, texts, nullable=True):
        assert len(array) == ROWS and len(texts) == ROWS, (name, len(array), len(texts))
        self.name, self.type_text, self.texts, self.nullable = name, type_text, texts, nullable
        self.field = pa.field(name, array.type, nullable)
        self.array = array


def column(name, type_text, data_type, values, text, every=5):
    values = sparse(values, every)
    return Column(name, type_text, pa.array(values, data_type), [or_null(text)(v) for v in values])


def child(name, type_text, nullable=True):
    return f"{utf8_text(name)}:{type_text}:{'nullable' if nullable else 'required'}:"


def words(long=False):
    return [("wörd%d" % i) * (1 + i % 7) + ("long enough to leave the view" if long and i % 3 else "")
            for i in range(ROWS)]


def numbers():
    columns = []
    for bits in (8, 16, 32, 64):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        signed = [low, high, 0, -1] + [(i * 7919) % high - high // 2 for i in range(ROWS - 4)]
        columns.append(column(f"int{bits}", f"int{bits}", getattr(pa, f"int{bits}")(), signed, str))
        unsigned = [0, 2 ** bits - 1] + [i * 31 % high for i in range(ROWS - 2)]
        columns.append(
            column(f"uint{bits}", f"uint{bits}", getattr(pa, f"uint{bits}")(), unsigned, str))
    floats = [i * 0.37 - 3 for i in range(ROWS)]
    columns.append(column("float16", "float16", pa.float16(), [np.float16(v) for v in floats],
                          float_text("<e"), every=ROWS + 1))
    columns.append(column("float32", "float32", pa.float32(), floats, float_text("<f")))
    columns.append(column("float64", "float64", pa.float64(), floats, float_text("<d")))
    columns.append(column("bool", "bool", pa.bool_(), [i % 3 == 0 for i in range(ROWS)],
                          lambda v: "true" if v else "false"))
    columns.append(Column("null", "null", pa.nulls(ROWS), ["null"] * ROWS))
    for bits, precision in ((32, 7), (64, 16), (128, 33), (256, 70)):
        with decimal.localcontext(decimal.Context(prec=80)):
            unscaled = [(10 ** (precision - 1) + i * 12345) * (-1) ** i for i in range(ROWS)]
            values = [decimal.Decimal(v).scaleb(-2) for v in unscaled]
            columns.append(column(
                f"decimal{bits}", f"decimal{bits}({precision},2)",
                getattr(pa, f"decimal{bits}")(precision, 2), values,
                lambda v: str(int(v.scaleb(2, decimal.Context(prec=80))))))
    return columns


def times():
    names = {"s": "SECOND", "ms": "MILLISECOND", "us": "MICROSECOND", "ns": "NANOSECOND"}
    columns = [
        column("date32", "date32", pa.date32(), [i * 400 - 3000 for i in range(ROWS)], str),
        column("date64", "date64", pa.date64(), [i * 86400000 for i in range(ROWS)], str),
        column("mdn", "interval[MONTH_DAY_NANO]", pa.month_day_nano_interval(),
               [(i, -i, i * 10 ** 9) for i in range(ROWS)], lambda v: f"{v[0]}/{v[1]}/{v[2]}"),
    ]
    for unit, name in names.items():
        bits = 32 if unit in ("s", "ms") else 64
        make = pa.time32 if bits == 32 else pa.time64
        ticks = [i * 1001 for i in range(ROWS)]
        columns.append(column(f"time {unit}", f"time{bits}[{name}]", make(unit), ticks, str))
        columns.append(column(f"duration {unit}", f"duration[{name}]", pa.duration(unit),
                              [-t for t in ticks], str))
        for zone in ("", "UTC", "Europe/Berlin"):
            columns.append(column(f"timestamp {unit} {zone}", f"timestamp[{name},{zone}]",
                                  pa.timestamp(unit, tz=zone or None), ticks, str))
    return columns


def strings():
    columns = []
    kinds = (("utf8", pa.utf8()), ("largeutf8", pa.large_utf8()), ("utf8view", pa.string_view()))
    for name, kind in kinds:
        columns.append(column(name, name, kind, words(long=True), utf8_text))
    kinds = (("binary", pa.binary()), ("largebinary", pa.large_binary()),
             ("binaryview", pa.binary_view()))
    for name, kind in kinds:
        columns.append(column(name, name, kind, [bytes(range(i)) for i in range(ROWS)], hex_text))
    columns.append(column("fixed", "fixedsizebinary[3]", pa.binary(3),
                          [bytes([i, i, 255 - i]) for i in range(ROWS)], hex_text))
    return columns


def lists():
    columns = []
    item = child("item", "int32")
    values = [sparse([i * j for j in range(i % 6)], 4) for i in range(ROWS)]
    text = list_text(or_null(str))
    for name, kind in (("list", pa.list_(pa.int32())), ("largelist", pa.large_list(pa.int32())),
                       ("listview", pa.list_view(pa.int32())),
                       ("largelistview", pa.large_list_view(pa.int32()))):
        columns.append(column(name, f"{name}<{item}>", kind, values, text))
    columns.append(column("fixed list", f"fixedsizelist[2]<{item}>", pa.list_(pa.int32(), 2),
                          [[i, None] for i in range(ROWS)], text))
    columns.append(column(
        "list of lists", f"list<{child('item', 'list<' + child('item', 'utf8') + '>')}>",
        pa.list_(pa.list_(pa.utf8())), [[[w], [], [w, w]][:i % 4] for i, w in enumerate(words())],
        list_text(list_text(utf8_text))))
    return columns


def structs():
    data_type = pa.struct([("a", pa.int64()), ("b", pa.utf8())])
    values = [{"a": i, "b": None if i % 2 else w} for i, w in enumerate(words())]
    columns = [column("struct", f"struct<{child('a', 'int64')},{child('b', 'utf8')}>", data_type,
                      values, lambda v: f"{{{v['a']},{or_null(utf8_text)(v['b'])}}}")]
    entries = child("entries", f"struct<{child('key', 'utf8', False)},{child('value', 'int16')}>",
                    False)
    columns.append(column(
        "map", f"map[unsorted]<{entries}>", pa.map_(pa.utf8(), pa.int16()),
        [[("k%d" % j, j if j % 2 else None) for j in range(i % 4)] for i in range(ROWS)],
        list_text(lambda pair: f"{{{utf8_text(pair[0])},{or_null(str)(pair[1])}}}")))

    kinds = [i % 2 for i in range(ROWS)]
    numbers_of = sparse(list(range(ROWS)))
    words_of = sparse(words(), 4)
    union_type = f"{child('0', 'int32')},{child('1', 'utf8')}"
    columns.append(Column(
        "sparse union", f"union[SPARSE,0,1]<{union_type}>",
        pa.UnionArray.from_sparse(pa.array(kinds, pa.int8()),
                                  [pa.array(numbers_of, pa.int32()), pa.array(words_of)]),
        [f"1:{or_null(utf8_text)(words_of[i])}" if kind else f"0:{or_null(str)(numbers_of[i])}"
         for i, kind in enumerate(kinds)]))
    columns.append(Column(
        "dense union", f"union[DENSE,0,1]<{union_type}>",
        pa.UnionArray.from_dense(pa.array(kinds, pa.int8()),
                                 pa.array([i // 2 for i in range(ROWS)], pa.int32()),
                                 [pa.array(numbers_of, pa.int32()), pa.array(words_of)]),
        [f"1:{or_null(utf8_text)(words_of[i // 2])}" if kind
         else f"0:{or_null(str)(numbers_of[i // 2])}" for i, kind in enumerate(kinds)]))

    values = sparse(words()[:8], 3)
    ends = [3, 4, 9, 15, 16, 30, 36, ROWS]
    runs = []
    for end, value in zip(ends, values):
        runs += [or_null(utf8_text)(value)] * (end - len(runs))
    columns.append(Column(
        "runs", f"runendencoded<{child('run_ends', 'int32', False)},{child('values', 'utf8')}>",
        pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values)), runs))

    uuids = [bytes([i] * 16) for i in range(ROWS)]
    extension = Column("uuid", "fixedsizebinary[16]",
                       pa.ExtensionArray.from_storage(pa.uuid(), pa.array(uuids, pa.binary(16))),
                       [hex_text(v) for v in uuids])
    extension.metadata = {b"ARROW:extension:metadata": b"", b"ARROW:extension:name": b"arrow.uuid"}
    return columns + [extension]


def dictionaries():
    values = sparse(words()[:6], 6)
    index = sparse([i * 5 % 6 for i in range(ROWS)])
    texts = ["null" if i is None else or_null(utf8_text)(values[i]) for i in index]
    columns = []
    for index_type in ("int8", "uint16", "int64"):
        array = pa.DictionaryArray.from_arrays(
            pa.array(index, getattr(pa, index_type)()), pa.array(values))
        columns.append(Column(f"dictionary {index_type}",
                              f"dictionary[{index_type},unordered]<utf8>", array, texts))

    inner = pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 1, 1], pa.int8()),
                                           pa.array(["a", "b", "c"]))
    inner_texts = ["x63", "x61", "null", "x62", "x62"]
    lists_of = pa.ListArray.from_arrays(pa.array([0, 2, 2, 5], pa.int32()), inner)
    list_texts = ["[" + ",".join(inner_texts[a:b]) + "]" for a, b in ((0, 2), (2, 2), (2, 5))]
    outer = [i % 3 for i in range(ROWS)]
    item = child("item", "dictionary[int8,unordered]<utf8>")
    columns.append(Column(
        "nested dictionary", f"dictionary[int16,unordered]<list<{item}>>",
        pa.DictionaryArray.from_arrays(pa.array(outer, pa.int16()), lists_of),
        [list_texts[i] for i in outer]))
    return columns


def schema_lines(columns, metadata):
    pairs = lambda entries: ";".join(
        hex_text(key) + "=" + hex_text(value) for key, value in sorted((entries or {}).items()))
    lines = ["schema " + pairs(metadata)]
    for one in columns:
        nullable = "nullable" if one.nullable else "required"
        lines.append(f"field {utf8_text(one.name)}:{one.type_text}:{nullable}:"
                     + pairs(getattr(one, "metadata", None)))
    return lines


def write(folder, name, columns, metadata=None, options=None):
    schema = pa.schema([one.field for one in columns], metadata=metadata)
    lines = schema_lines(columns, metadata)
    with pa.OSFile(str(folder / f"{name}.stream"), "wb") as sink:
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            for start, end in zip(CUTS, CUTS[1:]):
                arrays = [one.array.slice(start, end - start) for one in columns]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                # pyarrow gives a batch without columns no rows.
                lines.append(f"batch {end - start if columns else 0}")
                for one in columns:
                    lines += ["column " + utf8_text(one.name)] + one.texts[start:end]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def write_changing_dictionary(folder, name, deltas):
    """A dictionary that grows, or one that is replaced, from batch to batch."""
    schema = pa.schema([("word", pa.dictionary(pa.int32(), pa.utf8()))])
    lines = ["schema ", f"field {utf8_text('word')}:dictionary[int32,unordered]<utf8>:nullable:"]
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    with pa.OSFile(str(folder / f"{name}.stream"), "wb") as sink:
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            for round_number in range(4):
                known = words()[:3 + 2 * round_number]
                if not deltas:
                    known = [f"{round_number} {word}" for word in known]
                index = [i % len(known) for i in range(10)]
                array = pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(known))
                writer.write_batch(pa.RecordBatch.from_arrays([array], schema=schema))
                lines += ["batch 10", "column " + utf8_text("word")]
                lines += [utf8_text(known[i]) for i in index]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    groups = {"numbers": numbers(), "times": times(), "strings": strings(), "lists": lists(),
              "structs": structs(), "dictionaries": dictionaries()}
    for name, columns in groups.items():
        write(folder, name, columns, metadata={b"made by": b"pyarrow"})
        for codec in ("lz4", "zstd"):
            write(folder, f"{name}-{codec}", columns,
                  options=pa.ipc.IpcWriteOptions(compression=codec))
    for name in ("numbers", "times", "lists", "dictionaries"):
        write(folder, f"{name}-legacy", groups[name],
              options=pa.ipc.IpcWriteOptions(use_legacy_format=True,
                                             metadata_version=pa.ipc.MetadataVersion.V4))
    write(folder, "no-columns", [])
    write_changing_dictionary(folder, "dictionary-deltas", deltas=True)
    write_changing_dictionary(folder, "dictionary-replaced", deltas=False)


if __name__ == "__main__":
    main()
