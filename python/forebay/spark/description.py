# SPDX-License-Identifier: Apache-2.0
"""What a worker program says of its functions."""

import json
import subprocess

from forebay.errors import SignatureError, WorkerError

_SECONDS_MAX = 30


class Function:
    """One function: its name, its kind, and its columns, or None where it takes any."""

    def __init__(self, fields):
        from pyspark.sql.types import StructType

        def schema(value):
            return None if value is None else StructType.fromJson(value)

        self.name = fields["name"]
        self.kind = fields["kind"]
        self.input = schema(fields["input"])
        self.output = schema(fields["output"])

    def __str__(self):
        return f"{self.kind} function '{self.name}'"

    def check_columns(self, schema):
        """Raises SignatureError when a data frame is not what the function takes."""
        if self.input is None:
            return
        given = [field.dataType.simpleString() for field in schema.fields]
        taken = [field.dataType.simpleString() for field in self.input.fields]
        if given != taken:
            raise SignatureError(
                f"{self} takes {', '.join(taken)} and is called with {', '.join(given)}"
            )

    def check_count(self, count):
        """Raises SignatureError when so many columns are not what the function takes."""
        if self.input is not None and count != len(self.input.fields):
            raise SignatureError(
                f"{self} takes {len(self.input.fields)} columns and is called with {count}"
            )


class Description:
    """The functions of a worker program, by asking it."""

    def __init__(self, path, libraries):
        command = [path, "--describe"]
        for library in libraries:
            command += ["--library", library]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=_SECONDS_MAX, check=False, text=True
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorkerError(f"{path} cannot be run: {error}") from error
        if done.returncode != 0:
            raise WorkerError(f"{path} ended with {done.returncode}: {done.stderr.strip()}")
        try:
            functions = json.loads(done.stdout)["functions"]
        except (ValueError, KeyError) as error:
            raise WorkerError(f"{path} does not describe its functions: {error}") from error
        self._functions = {(f["name"], f["kind"]): Function(f) for f in functions}

    def find(self, name, *kinds):
        """The function of that name and the first of the kinds that there is one of."""
        for kind in kinds:
            if (name, kind) in self._functions:
                return self._functions[name, kind]
        known = sorted(n for n, k in self._functions if k in kinds)
        raise SignatureError(
            f"the worker has no {' or '.join(kinds)} function '{name}'; it has "
            + (", ".join(known) or "none")
        )

    def names(self):
        """The names of all functions, with their kinds."""
        return sorted(self._functions)
