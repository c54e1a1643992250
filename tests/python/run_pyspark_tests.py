#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs PySpark's own tests of its ZeroCopyByteStream against forebay's, unchanged.

    run_pyspark_tests.py SPARK_SOURCE_TREE

PySpark itself need not be installed: the modules that the test file imports are stood in for.
"""

import sys
import types
import unittest
from pathlib import Path

import forebay

TEST_FILE = Path("python/pyspark/tests/test_zero_copy_byte_stream.py")
CLASS_MODULE = "pyspark.messages.zero_copy_byte_stream"


def stand_in(name, **attributes):
    """A module of that name, and each of its packages, with these attributes."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        module = sys.modules.setdefault(".".join(parts[:depth]), types.ModuleType(parts[depth - 1]))
        module.__path__ = []
    vars(module).update(attributes)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = Path(sys.argv[1]) / TEST_FILE
    if not path.is_file():
        sys.exit(f"{path} is not there: this is no source tree of Spark 4.3 or later")
    stand_in(CLASS_MODULE, ZeroCopyByteStream=forebay.ZeroCopyByteStream)
    module = types.ModuleType("test_zero_copy_byte_stream")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if result.testsRun == 0:
        sys.exit(f"{path} holds no test")
    print(f"PySpark's own tests: {result.testsRun} run against {forebay.ZeroCopyByteStream}, "
          f"{len(result.failures) + len(result.errors)} failed, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
