# SPDX-License-Identifier: Apache-2.0
"""CppWorker: the functions of one worker program, in one Spark session."""

from forebay.errors import SignatureError, Unsupported
from forebay.spark.description import Description
from forebay.spark.grpc import check_session
from forebay.spark.shipping import Place

# Spark's numbers for what is done with a function.
_EVAL_TYPES = {
    "map": 207,
    "grouped_map": 209,
    "cogrouped_map": 210,
    "scalar": 250,
    "scalar_iterator": 251,
    "grouped_aggregate": 252,
}
# Those that have a form on the gRPC channel.
_OVER_GRPC = ("map", "scalar", "scalar_iterator")


class CppWorker:
    """The functions of the worker program at `path`, for one session.

    `path` is an absolute path, the same on the driver and all executors, or the name of a program
    that Spark ships: `functions/my-worker` after `--archives my-worker.tar.gz#functions`. The program
    runs once on the driver, to describe its functions, and then on the executors. `libraries` are
    shared libraries with more functions, named like it; `environment` are variables for the worker's
    processes. `broadcasts`, made by spark.sparkContext.broadcast(..), are given to its functions by
    their ids: of bytes, a bytearray and a str the bytes, of every other value the pickle. `channel`
    is "classic", or "grpc", for which the session needs the settings of grpc_conf(); without them it
    is Unsupported, as are functions over groups, and broadcasts.
    """

    def __init__(
        self, spark, path, libraries=(), environment=None, channel="classic", broadcasts=()
    ):
        if not hasattr(spark, "_jsparkSession"):
            raise Unsupported(
                "a Spark Connect session has no gateway to the driver's JVM, through which C++ "
                "functions are made; use a classic session"
            )
        if channel not in ("classic", "grpc"):
            raise Unsupported(f"a channel '{channel}': there are 'classic' and 'grpc'")
        if channel == "grpc":
            if broadcasts:
                raise Unsupported("broadcasts on the gRPC channel, which has no form for them")
            check_session(spark)
        self._channel = channel
        self._spark = spark
        self._jvm = spark.sparkContext._jvm
        program = Place(spark, path)
        libraries = [Place(spark, library) for library in libraries]
        self._path = program.on_executors
        self._libraries = [library.on_executors for library in libraries]
        self._environment = dict(environment or {})
        self._broadcasts = list(broadcasts)
        self._description = Description(
            program.on_driver, [library.on_driver for library in libraries]
        )

    @property
    def channel(self):
        """What its functions are called over, "classic" or "grpc"."""
        return self._channel

    def names(self):
        """(name, kind) of every function."""
        return self._description.names()

    def map_in_arrow(self, df, name, schema=None, payload=b"", barrier=False):
        """A data frame of what the map function makes of the rows of `df`.

        `schema` says what that is, a StructType or DDL; without it, it is the function's own, or
        that of `df` when the function gives what it takes.
        """
        from pyspark.sql import DataFrame

        function = self._description.find(name, "map")
        function.check_columns(df.schema)
        output = self._output(function, schema, df.schema)
        column = self._apply(function, output, payload, [df[c]._jc for c in df.columns])
        return DataFrame(df._jdf.mapInArrow(column, barrier, None), self._spark)

    def apply_in_arrow(self, grouped, name, schema=None, payload=b""):
        """A data frame of what the grouped map function makes of each group of df.groupBy(..)."""
        from pyspark.sql import DataFrame

        function = self._description.find(name, "grouped_map")
        df = grouped._df
        function.check_columns(df.schema)
        output = self._output(function, schema, df.schema)
        column = self._apply(function, output, payload, [df[c]._jc for c in df.columns])
        return DataFrame(grouped._jgd.flatMapGroupsInArrow(column), self._spark)

    def cogroup_in_arrow(self, left, right, name, schema=None, payload=b""):
        """A data frame of what the cogrouped map function makes of each pair of groups of
        left = df1.groupBy(..) and right = df2.groupBy(..)."""
        from pyspark.sql import DataFrame

        function = self._description.find(name, "cogrouped_map")
        function.check_columns(left._df.schema)
        output = self._output(function, schema, left._df.schema)
        columns = [side._df[c]._jc for side in (left, right) for c in side._df.columns]
        column = self._apply(function, output, payload, columns)
        return DataFrame(left._jgd.flatMapCoGroupsInArrow(right._jgd, column), self._spark)

    def udf(self, name, payload=b"", returns=None, kind=None):
        """The function for columns: a scalar, a scalar over an iterator, or a grouped aggregate, the
        first of these that has the name, or the one that `kind` says.

        Columns are cast to the types that the function takes. `returns` is the type of the result
        where the function gives what it takes.
        """
        from pyspark.sql import Column
        from pyspark.sql import functions as F

        function = self._find_column_function(name, kind)
        java_function = self._java_function(function, self._returns(function, returns), payload)

        def call(*columns):
            function.check_count(len(columns))
            given = [F.col(c) if isinstance(c, str) else c for c in columns]
            if function.input is not None:
                given = [c.cast(f.dataType) for c, f in zip(given, function.input.fields)]
            return Column(java_function.apply(self._sequence([c._jc for c in given])))

        call.__name__ = name
        return call

    def register(self, name, sql_name=None, payload=b"", returns=None, kind=None):
        """Makes the function known to SQL, under its own name or another one."""
        function = self._find_column_function(name, kind)
        java_function = self._java_function(function, self._returns(function, returns), payload)
        self._spark._jsparkSession.udf().registerPython(sql_name or name, java_function)

    def _find_column_function(self, name, kind):
        kinds = (kind,) if kind else ("scalar", "scalar_iterator", "grouped_aggregate")
        return self._description.find(name, *kinds)

    def _returns(self, function, returns):
        from pyspark.sql.types import DataType, _parse_datatype_string

        if isinstance(returns, str):
            returns = _parse_datatype_string(returns)
        if function.output is None:
            if not isinstance(returns, DataType):
                raise SignatureError(f"{function} gives what it takes: say which type `returns`")
            return returns
        own = function.output.fields[0].dataType
        if returns is not None and returns != own:
            raise SignatureError(
                f"{function} gives {own.simpleString()}, not {returns.simpleString()}"
            )
        return own

    def _output(self, function, schema, given):
        from pyspark.sql.types import _parse_datatype_string

        if isinstance(schema, str):
            schema = _parse_datatype_string(schema)
        own = function.output
        if schema is None:
            return own if own is not None else given
        if own is not None and _types(own) != _types(schema):
            raise SignatureError(
                f"{function} gives {', '.join(_types(own))}, not {', '.join(_types(schema))}"
            )
        return schema

    def _sequence(self, columns):
        return self._jvm.org.apache.spark.api.python.PythonUtils.toSeq(columns)

    def _apply(self, function, output, payload, columns):
        return self._java_function(function, output, payload).apply(self._sequence(columns))

    def _java_function(self, function, output, payload):
        if self._channel == "grpc" and function.kind not in _OVER_GRPC:
            raise Unsupported(
                f"the {function} has no form on the gRPC channel, which takes kinds "
                f"{', '.join(_OVER_GRPC)}; use the classic channel for it"
            )
        jvm = self._jvm
        spark = self._spark
        environment = jvm.java.util.HashMap()
        environment["FOREBAY_SPARK_VERSION"] = spark.version
        if self._libraries:
            environment["FOREBAY_LIBRARIES"] = ":".join(self._libraries)
        for variable, value in self._environment.items():
            environment[variable] = value
        if self._channel == "grpc":
            # What the jar's rule for the planner looks for.
            environment["FOREBAY_CHANNEL"] = self._channel
        if isinstance(payload, str):
            payload = payload.encode()
        command = b"FOREBAY1\0" + function.name.encode() + b"\0" + payload
        new_list = jvm.java.util.ArrayList
        broadcasts = new_list()
        for broadcast in self._broadcasts:
            broadcasts.append(broadcast._jbroadcast)
        python = jvm.org.apache.spark.api.python.SimplePythonFunction(
            bytearray(command), environment, new_list(), self._path, "cpp", broadcasts,
            spark.sparkContext._javaAccumulator,
        )
        arguments = [
            function.name, python, spark._jsparkSession.parseDataType(output.json()),
            _EVAL_TYPES[function.kind], True,
        ]
        if _version(spark) >= (4, 3):
            arguments += [new_list(), new_list()]
        return jvm.org.apache.spark.sql.execution.python.UserDefinedPythonFunction(*arguments)


def _types(schema):
    return [field.dataType.simpleString() for field in schema.fields]


def _version(spark):
    return tuple(int(part) for part in spark.version.split(".")[:2])
