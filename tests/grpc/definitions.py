# SPDX-License-Identifier: Apache-2.0
"""Definition files as descriptors: this checkout's, and those that the installed Spark carries."""

import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

NAMES = ("common.proto", "udf_message.proto", "udf_service.proto", "worker_spec.proto")
PACKAGE = "org.apache.spark.udf.worker"


def compile_folder(folder):
    """The descriptors of the definition files in a folder, as protoc gives them."""
    with tempfile.NamedTemporaryFile(suffix=".descriptors") as out:
        subprocess.run(
            ["protoc", f"--proto_path={folder}", f"--descriptor_set_out={out.name}", *NAMES], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())


def of_this_checkout():
    return compile_folder(Path(os.environ["FOREBAY_SOURCE_DIR"]) / "proto")


def of_spark():
    """From the jar with Spark's worker protocol, of the only Spark in .venv-spark."""
    folder = Path(os.environ["FOREBAY_SOURCE_DIR"]) / ".venv-spark"
    (jar,) = folder.glob("lib/python3*/site-packages/pyspark/jars/spark-udf-worker-proto_*.jar")
    with tempfile.TemporaryDirectory() as extracted, zipfile.ZipFile(jar) as archive:
        for name in NAMES:
            archive.extract(name, extracted)
        return compile_folder(extracted)


class Messages:
    """Message classes made of descriptors: Messages(of_spark()).UdfRequest(...)."""

    def __init__(self, descriptors):
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptors.file:
            self._pool.Add(file)

    def __getattr__(self, name):
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
