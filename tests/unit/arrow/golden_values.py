# SPDX-License-Identifier: Apache-2.0
"""Writes the values of Arrow integration files (*.json.gz) as canonical text.

    golden_values.py <folder of json.gz files> <folder to write .txt files to>

Knows nothing of Arrow but its integration format, so that what it writes is independent of any
decoder. canonical.cpp writes the same text from decoded batches, and says what it looks like.
"""

import gzip
import json
import pathlib
import struct
import sys


def hex_text(value):
    return "x" + value.hex()


def with_map_names(field):
    """A map's field with the names that Arrow gives its children, whatever the file calls them: they
    are not part of the type, and Arrow C++ does not keep them."""
    entries = field["children"][0]
    key, value = entries["children"]
    children = [key | {"name": "key"}, value | {"name": "value"}]
    return field | {"children": [entries | {"name": "entries", "children": children}]}


def type_text(field):
    kind = field["type"]
    name = kind["name"]
    if name == "map":
        field = with_map_names(field)
    children = [field_text(child) for child in field.get("children", [])]
    nested = "<" + ",".join(children) + ">"
    if name == "int":
        text = ("int" if kind["isSigned"] else "uint") + str(kind["bitWidth"])
    elif name == "floatingpoint":
        text = {"HALF": "float16", "SINGLE": "float32", "DOUBLE": "float64"}[kind["precision"]]
    elif name == "fixedsizebinary":
        text = f"fixedsizebinary[{kind['byteWidth']}]"
    elif name == "decimal":
        text = f"decimal{kind.get('bitWidth', 128)}({kind['precision']},{kind['scale']})"
    elif name == "date":
        text = {"DAY": "date32", "MILLISECOND": "date64"}[kind["unit"]]
    elif name == "time":
        text = f"time{kind['bitWidth']}[{kind['unit']}]"
    elif name == "timestamp":
        text = f"timestamp[{kind['unit']},{kind.get('timezone', '')}]"
    elif name == "duration":
        text = f"duration[{kind['unit']}]"
    elif name == "interval":
        text = f"interval[{kind['unit']}]"
    elif name == "map":
        text = f"map[{'sorted' if kind['keysSorted'] else 'unsorted'}]" + nested
    elif name == "fixedsizelist":
        text = f"fixedsizelist[{kind['listSize']}]" + nested
    elif name == "union":
        ids = ",".join(str(i) for i in kind["typeIds"])
        text = f"union[{kind['mode']},{ids}]" + nested
    elif name in ("list", "largelist", "listview", "largelistview", "struct", "runendencoded"):
        text = name + nested
    else:
        text = name
    dictionary = field.get("dictionary")
    if dictionary:
        index = type_text({"type": dictionary["indexType"]})
        text = f"dictionary[{index},{'ordered' if dictionary['isOrdered'] else 'unordered'}]<{text}>"
    return text


def metadata_text(holder):
    pairs = sorted((entry["key"], entry["value"]) for entry in holder.get("metadata") or [])
    return ";".join(hex_text(k.encode()) + "=" + hex_text(v.encode()) for k, v in pairs)


def field_text(field):
    nullable = "nullable" if field["nullable"] else "required"
    return f"{hex_text(field['name'].encode())}:{type_text(field)}:{nullable}:{metadata_text(field)}"


def view_bytes(view, variadic, is_text):
    size = view["SIZE"]
    if "INLINED" in view:
        inlined = view["INLINED"]
        return inlined.encode() if is_text else bytes.fromhex(inlined)
    start = view["OFFSET"]
    return bytes.fromhex(variadic[view["BUFFER_INDEX"]])[start:start + size]


def interval_text(value):
    if isinstance(value, dict):
        if "nanoseconds" in value:
            return f"{value['months']}/{value['days']}/{value['nanoseconds']}"
        return f"{value['days']}/{value['milliseconds']}"
    return str(int(value))


def list_texts(name, column, items, count):
    offsets = [int(offset) for offset in column.get("OFFSET", [])]
    if name in ("listview", "largelistview"):
        ends = [start + int(size) for start, size in zip(offsets, column["SIZE"])]
    else:
        ends = offsets[1:]
    return ["[" + ",".join(items[offsets[i]:ends[i]]) + "]" for i in range(count)]


def union_texts(kind, column, children, count):
    number = {type_id: i for i, type_id in enumerate(kind["typeIds"])}
    offsets = column.get("OFFSET") if kind["mode"] == "DENSE" else range(count)
    return [
        f"{type_id}:" + children[number[type_id]][int(offsets[i])]
        for i, type_id in enumerate(column["TYPE_ID"])
    ]


def run_texts(run_ends, values, count):
    texts = []
    for end, value in zip(run_ends, values):
        texts.extend([value] * (int(end) - len(texts)))
    return texts[:count]


def scalar_text(kind, value):
    name = kind["name"]
    if name == "bool":
        return "true" if value else "false"
    if name == "floatingpoint":
        form = {"HALF": "<e", "SINGLE": "<f", "DOUBLE": "<d"}[kind["precision"]]
        return "f" + struct.pack(form, value)[::-1].hex()
    if name in ("utf8", "largeutf8"):
        return hex_text(value.encode())
    if name in ("binary", "largebinary", "fixedsizebinary"):
        return hex_text(bytes.fromhex(value))
    if name == "interval":
        return interval_text(value)
    if name in ("int", "decimal", "date", "time", "timestamp", "duration"):
        return str(int(value))
    raise ValueError(f"unknown type {name}")


def column_texts(field, column, dictionaries):
    """The text of every value of one column of one batch."""
    count = column["count"]
    kind = field["type"]
    name = kind["name"]
    dictionary = field.get("dictionary")
    children = [
        column_texts(child, data, dictionaries)
        for child, data in zip(field.get("children", []), column.get("children", []))
    ]
    if dictionary:
        values = dictionaries[dictionary["id"]]
        validity = column["VALIDITY"]
        texts = [
            values[int(index)] if valid else "null"
            for index, valid in zip(column["DATA"], validity)
        ]
    elif name == "null":
        texts = ["null"] * count
    elif name == "struct":
        texts = ["{" + ",".join(child[i] for child in children) + "}" for i in range(count)]
    elif name in ("list", "largelist", "map", "listview", "largelistview"):
        texts = list_texts(name, column, children[0], count)
    elif name == "fixedsizelist":
        size = kind["listSize"]
        texts = [
            "[" + ",".join(children[0][i * size:(i + 1) * size]) + "]" for i in range(count)
        ]
    elif name == "union":
        texts = union_texts(kind, column, children, count)
    elif name == "runendencoded":
        texts = run_texts(children[0], children[1], count)
    elif name in ("binaryview", "utf8view"):
        variadic = column["VARIADIC_DATA_BUFFERS"]
        validity = column["VALIDITY"]
        texts = [
            hex_text(view_bytes(view, variadic, name == "utf8view")) if valid else "null"
            for view, valid in zip(column["VIEWS"], validity)
        ]
    else:
        texts = [
            scalar_text(kind, value) if valid else "null"
            for value, valid in zip(column["DATA"], column["VALIDITY"])
        ]
    validity = column.get("VALIDITY")
    if validity is not None and name not in ("union", "runendencoded"):
        texts = [text if valid else "null" for text, valid in zip(texts, validity)]
    assert len(texts) == count, (field["name"], len(texts), count)
    return texts


class Dictionaries(dict):
    """The values of each dictionary, made when first asked for: they may hold each other."""

    def __init__(self, document):
        super().__init__()
        self.data = {entry["id"]: entry["data"] for entry in document.get("dictionaries", [])}
        self.fields = {}
        self.find_fields(document["schema"]["fields"])

    def find_fields(self, fields):
        for field in fields:
            self.find_fields(field.get("children", []))
            if "dictionary" in field:
                value_field = {key: value for key, value in field.items() if key != "dictionary"}
                self.fields[field["dictionary"]["id"]] = value_field

    def __missing__(self, number):
        data = self.data[number]
        self[number] = column_texts(self.fields[number], data["columns"][0], self)
        return self[number]


def document_text(document):
    schema = document["schema"]
    lines = ["schema " + metadata_text(schema)]
    lines += ["field " + field_text(field) for field in schema["fields"]]
    dictionaries = Dictionaries(document)
    for batch in document["batches"]:
        lines.append(f"batch {batch['count']}")
        for field, column in zip(schema["fields"], batch["columns"]):
            lines.append("column " + hex_text(field["name"].encode()))
            lines += column_texts(field, column, dictionaries)
    return "\n".join(lines) + "\n"


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    for path in sorted(source.glob("*.json.gz")):
        with gzip.open(path) as file:
            document = json.load(file)
        name = path.name.removesuffix(".json.gz")
        (target / f"{name}.txt").write_text(document_text(document))


if __name__ == "__main__":
    main()
