# SPDX-License-Identifier: Apache-2.0
"""Builds the jar for Spark's gRPC channel with what comes with PySpark: the packages that it needs are
fetched by spark-submit, and the compiler is one of PySpark's own jars.

Runs in an environment that has PySpark, from which Spark's version is taken.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import pyspark

SOURCES = pathlib.Path(__file__).resolve().parent / "src"
sys.path.append(str(SOURCES.parent.parent / "python"))

from forebay.spark.grpc import DEPENDENCIES, PACKAGES, SPARK_VERSION  # noqa: E402

SPARK = pathlib.Path(pyspark.__file__).parent
COMPILER = "scala.tools.nsc.Main"
# The same jar of the same sources.
TIME = (1980, 1, 1, 0, 0, 0)


def fetch(ivy):
    """Has spark-submit fetch the packages; it needs something to run as well."""
    jars = ivy / "jars"
    if all((jars / name).is_file() for name in DEPENDENCIES):
        return jars
    command = [
        str(SPARK / "bin" / "spark-submit"), "--master", "local[1]", "--packages", PACKAGES,
        "--conf", f"spark.jars.ivy={ivy}", "--class", COMPILER, "spark-internal", "-version",
    ]
    done = subprocess.run(
        command, env={**os.environ, "SPARK_HOME": str(SPARK)}, capture_output=True, text=True,
        check=False,
    )
    missing = [name for name in DEPENDENCIES if not (jars / name).is_file()]
    if missing:
        sys.exit(f"{done.stdout}{done.stderr}spark-submit --packages has not fetched {missing}")
    return jars


def compile_into(folder, dependencies):
    class_path = [str(jar) for jar in (SPARK / "jars").glob("*.jar")]
    class_path += [str(dependencies / name) for name in DEPENDENCIES]
    sources = sorted(str(source) for source in SOURCES.rglob("*.scala"))
    command = ["java", "-Xss8m", "-XX:TieredStopAtLevel=1", "-cp", str(SPARK / "jars" / "*"), COMPILER]
    options = ["-deprecation", "-Xlint:unused", "-Werror", "-d", folder]
    done = subprocess.run([*command, *options, "-cp", ":".join(class_path), *sources], check=False)
    if done.returncode != 0:
        sys.exit("the Scala compiler failed")


def pack(folder, jar):
    root = pathlib.Path(folder)
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.class")}
    files["META-INF/LICENSE"] = SOURCES.parent.parent / "LICENSE"
    jar.parent.mkdir(parents=True, exist_ok=True)
    whole = jar.with_suffix(".part")
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, TIME), files[name].read_bytes(), zipfile.ZIP_DEFLATED)
    whole.replace(jar)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jar", type=pathlib.Path, help="what is made")
    parser.add_argument("--ivy", type=pathlib.Path, required=True, help="where packages are fetched to")
    options = parser.parse_args()
    if pyspark.__version__ != SPARK_VERSION:
        sys.exit(f"the jar is for Spark {SPARK_VERSION}, and this environment has {pyspark.__version__}")
    dependencies = fetch(options.ivy.resolve())
    with tempfile.TemporaryDirectory() as folder:
        compile_into(folder, dependencies)
        pack(folder, options.jar)


if __name__ == "__main__":
    main()
