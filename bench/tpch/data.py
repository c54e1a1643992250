# SPDX-License-Identifier: Apache-2.0
"""TPC-H lineitem as an Arrow stream on disk, made once for each scale factor."""

import contextlib
import dataclasses
import datetime
import decimal
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

ROWS_PER_BATCH = 10_000
# Whoever changes what is written changes this too, so that no old file is taken for a new one.
LAYOUT = 1


@dataclasses.dataclass
class Lineitem:
    """The stream, and what is known of it without Forebay."""

    file: pathlib.Path
    scale: float
    rows: int
    bytes: int
    batches: int
    revenue: str  # query 6, answered by pyarrow from the Parquet file


def default_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "forebay" / "tpch"


def lineitem(folder, scale, console, progress):
    """The stream of that scale factor: from the folder, or made now."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"lineitem-sf{scale:g}-v{LAYOUT}"
    facts = folder / f"{name}.json"
    stream = folder / f"{name}.arrows"
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not facts.exists():
            console.print(f"Making TPC-H lineitem, scale factor {scale:g}, in {folder}")
            make(stream, facts, scale, console, progress)
        made = Lineitem(file=stream, scale=scale, **json.loads(facts.read_text()))
    console.print(f"Data: {stream} ({made.rows:,} rows, {made.bytes / 1e9:.2f} GB)")
    return made


def make(stream, facts, scale, console, progress):
    with tempfile.TemporaryDirectory(dir=stream.parent) as folder:
        folder = pathlib.Path(folder)
        console.print("  tpchgen-cli generates Parquet")
        generate_parquet(folder, scale)
        parquet = folder / "lineitem.parquet"
        console.print("  pyarrow answers query 6 from it")
        revenue = query6(parquet)
        console.print(f"  pyarrow writes the Arrow stream, {ROWS_PER_BATCH:,} rows a batch")
        rows, batches = write_stream(parquet, folder / "stream", progress)
        size = (folder / "stream").stat().st_size
        os.replace(folder / "stream", stream)
        known = {"rows": rows, "bytes": size, "batches": batches, "revenue": str(revenue)}
        (folder / "facts").write_text(json.dumps(known))
        os.replace(folder / "facts", facts)


def generate_parquet(folder, scale):
    generator = pathlib.Path(sys.executable).parent / "tpchgen-cli"
    subprocess.run(
        [generator, "parquet", "--quiet", f"--scale-factor={scale:g}", "--tables=lineitem",
         f"--output-dir={folder}"],
        check=True)


def query6(parquet):
    """Independent of Forebay and of its C++ query: decimal arithmetic of pyarrow."""
    columns = ["l_shipdate", "l_discount", "l_quantity", "l_extendedprice"]
    total = decimal.Decimal("0.0000")
    with contextlib.closing(pq.ParquetFile(parquet)) as file:
        for batch in file.iter_batches(batch_size=1 << 20, columns=columns):
            shipdate, discount, quantity, price = (batch[name] for name in columns)
            matches = pc.and_(
                pc.and_(pc.greater_equal(shipdate, datetime.date(1994, 1, 1)),
                        pc.less(shipdate, datetime.date(1995, 1, 1))),
                pc.and_(pc.and_(pc.greater_equal(discount, decimal.Decimal("0.05")),
                                pc.less_equal(discount, decimal.Decimal("0.07"))),
                        pc.less(quantity, decimal.Decimal("24.00"))))
            amounts = pc.multiply(price.filter(matches), discount.filter(matches))
            total += pc.sum(amounts).as_py() or 0
    return total


def plain_schema(schema):
    """Without views, dictionaries and metadata."""
    def plain(kind):
        return pa.string() if pa.types.is_string_view(kind) else kind
    return pa.schema([pa.field(f.name, plain(f.type), f.nullable) for f in schema])


def rebatched(batches, rows):
    """The same rows, so many at a time."""
    kept, kept_rows = [], 0
    for batch in batches:
        while batch.num_rows:
            part = batch.slice(0, rows - kept_rows)
            batch = batch.slice(part.num_rows)
            kept.append(part)
            kept_rows += part.num_rows
            if kept_rows == rows:
                yield pa.concat_batches(kept) if len(kept) > 1 else kept[0]
                kept, kept_rows = [], 0
    if kept:
        yield pa.concat_batches(kept)


def write_stream(parquet, stream, progress):
    with contextlib.closing(pq.ParquetFile(parquet)) as file:
        rows = file.metadata.num_rows
        schema = plain_schema(file.schema_arrow)
        plain = (batch.cast(schema) for batch in file.iter_batches(batch_size=ROWS_PER_BATCH))
        task = progress.add_task("writing", total=rows)
        written = 0
        with ipc.new_stream(stream, schema) as writer:
            for batch in rebatched(plain, ROWS_PER_BATCH):
                writer.write_batch(batch)
                written += 1
                progress.advance(task, batch.num_rows)
        progress.remove_task(task)
    return rows, written
