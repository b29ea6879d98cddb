"""How fast does a catalogue come in, and does it take more memory when it is longer?

Ours is everything between batches of rows and a table that queries know of: HEALPix numbers, the external sort,
statistics, the database's own loading, the indices and the coverage. Compared with the bare loading: the same rows
put into a table without an index through the driver, as fast as that goes. The memory is what the import adds to
that of a process which has imported a short catalogue before.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from bench.databases import present, server
from bench.timing import Target, verdict
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.config import Config
from datamodel.context import Caller
from datamodel.table_rows import fill
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.formats.reading import Reading

COLUMNS = (
    Column("id", "BIGINT", ucd="meta.id;meta.main"),
    Column("ra", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
    Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
    *(Column(f"mag_{band}", "REAL", "mag", "phot.mag") for band in "ugriz"),
    *(Column(f"pm_{axis}", "DOUBLE", "mas/yr", "pos.pm") for axis in ("ra", "dec")),
    Column("flags", "INTEGER"),
    Column("parallax", "DOUBLE", "mas", "pos.parallax"),
)
WARM_ROWS = 200_000
BATCH_ROWS = 50_000
SPEED, MEMORY_MB = 0.25, 500


def batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Stars all over the sky in no order."""
    random = np.random.default_rng(1582)
    for start in range(0, rows, BATCH_ROWS):
        n = min(BATCH_ROWS, rows - start)
        arrays = [pa.array(np.arange(start, start + n)), pa.array(random.uniform(0, 360, n))]
        arrays.append(pa.array(np.degrees(np.arcsin(random.uniform(-1, 1, n)))))
        for column in COLUMNS[3:]:
            arrays.append(pa.array(random.normal(15, 3, n).astype(column.datatype.numpy)))
        yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in COLUMNS])


def bare_s(archive: Archive, rows: int) -> float:
    """The same rows into a table, and nothing else."""
    columns = [sa.Column(c.name, c.datatype.sql()) for c in COLUMNS]
    table = sa.Table("bare", sa.MetaData(), *columns)
    table.create(archive.database.engine)
    began = time.perf_counter()
    fill(archive.database, table, batches(rows))
    took = time.perf_counter() - began
    table.drop(archive.database.engine)
    return took


def ours_s(archive: Archive, name: str, rows: int) -> float:
    """The whole of it."""
    began = time.perf_counter()
    made = bring(archive, Reading(COLUMNS, batches(rows), rows=rows), Given(name), Caller("bench"), "made up")
    assert (made.rows, made.placed) == (rows, rows)
    return time.perf_counter() - began


def memory_mb(which: str) -> float:
    """What Linux says of this process: ``VmRSS`` now, ``VmHWM`` the most since `forget_peak`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1]) / 1024


def forget_peak() -> None:
    """Begin to note the most memory anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=present())
    options = parser.parse_args()
    targets = []
    for kind in options.databases:
        with server(kind) as url, tempfile.TemporaryDirectory() as folder:
            archive = Archive(Config(archive=Path(folder), database_url=url))
            ours_s(archive, "bench.warm", WARM_ROWS)
            bare = bare_s(archive, options.rows)
            forget_peak()
            before = memory_mb("VmRSS")
            ours = ours_s(archive, "bench.stars", options.rows)
            added = memory_mb("VmHWM") - before
            archive.close()
        print(
            f"{kind:10} {options.rows:,} rows  ours {ours:6.1f} s  bare {bare:6.1f} s  memory added {added:4.0f} MB"
        )
        targets.append(Target(f"{kind}: speed relative to bare loading", bare / ours, SPEED, "times"))
        targets.append(
            Target(f"{kind}: {MEMORY_MB} MB over the memory added", MEMORY_MB / max(added, 1), 1, "times")
        )
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
