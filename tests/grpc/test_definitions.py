# SPDX-License-Identifier: Apache-2.0
"""Our definitions against those that Spark carries: every message, field, oneof, enum and service."""

import unittest

from definitions import NAMES, of_spark, of_this_checkout
from google.protobuf import descriptor_pb2

FIELD = descriptor_pb2.FieldDescriptorProto


def field_of(message, field):
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
    return {
        "number": field.number,
        "type": FIELD.Type.Name(field.type),
        "label": FIELD.Label.Name(field.label),
        "type_name": field.type_name,
        "oneof": oneof,
        "optional": field.proto3_optional,
        "packed": field.options.packed if field.options.HasField("packed") else None,
        "default": field.default_value,
    }


def message_of(prefix, message, found):
    name = f"{prefix}.{message.name}"
    found[f"message {name}"] = {
        "fields": {field.name: field_of(message, field) for field in message.field},
        "oneofs": sorted(oneof.name for oneof in message.oneof_decl),
        "reserved": [(span.start, span.end) for span in message.reserved_range],
        "reserved names": list(message.reserved_name),
        "map entry": message.options.map_entry,
    }
    for nested in message.nested_type:
        message_of(name, nested, found)
    for enum in message.enum_type:
        enum_of(name, enum, found)


def enum_of(prefix, enum, found):
    found[f"enum {prefix}.{enum.name}"] = {value.name: value.number for value in enum.value}


def method_of(method):
    return {
        "input": method.input_type,
        "output": method.output_type,
        "streams": (method.client_streaming, method.server_streaming),
    }


def contents(descriptors):
    """Everything that counts on the wire, by name, and the file that it stands in."""
    found = {}
    for file in descriptors.file:
        things = {}
        for message in file.message_type:
            message_of(file.package, message, things)
        for enum in file.enum_type:
            enum_of(file.package, enum, things)
        for service in file.service:
            things[f"service {file.package}.{service.name}"] = {
                method.name: method_of(method) for method in service.method
            }
        found[file.name] = {"syntax": file.syntax, "things": things}
    return found


class Definitions(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ours = contents(of_this_checkout())
        cls.theirs = contents(of_spark())

    def test_the_same_files(self):
        self.assertEqual(sorted(self.ours), sorted(NAMES))
        self.assertEqual(sorted(self.theirs), sorted(NAMES))

    def test_every_message_enum_and_service_is_equal(self):
        compared = fields = 0
        for name in NAMES:
            self.assertEqual(self.ours[name]["syntax"], self.theirs[name]["syntax"])
            theirs = self.theirs[name]["things"]
            self.assertEqual(sorted(self.ours[name]["things"]), sorted(theirs))
            for thing, content in theirs.items():
                with self.subTest(thing):
                    self.assertEqual(self.ours[name]["things"][thing], content)
                compared += 1
                fields += len(content.get("fields", ()))
        # What Spark 4.3.0 has: nothing was lost on the way here, on both sides alike.
        self.assertEqual((compared, fields), (43, 90))

    def test_a_difference_is_seen(self):
        changed = of_this_checkout()
        for file in changed.file:
            for message in file.message_type:
                if message.name == "UdfPayload":
                    message.field[0].number = 7
        self.assertNotEqual(contents(changed), self.theirs)


if __name__ == "__main__":
    unittest.main()
