"""How fast does an answer in memory become each format, beside software we did not write and beside gzip?"""

import argparse
import io
import json
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

from bench.encoder import COLUMNS, as_astropy, astropys, made_up
from bench.timing import Target, best_s, verdict
from datamodel.columns import Rows
from vo_server.formats.gzip import Gzip
from vo_server.formats.negotiate import choose

BATCH_ROWS = 1 << 14
FIRST_S = 0.020

FLOORS = {
    "votable/b2": ("astropy", 150.0),
    "votable/b": ("astropy", 150.0),
    "votable/td": ("astropy", 30.0),
    "csv": ("astropy", 3.0),
    "tsv": ("astropy", 3.0),
    "json": ("json.dumps of tuples", 0.7),
    "fits": ("astropy", 1.0),
    "parquet": ("pyarrow", 0.5),
    "arrow": ("pyarrow", 0.2),
}
"""Whose writer each is compared with, and how many times as fast ours must be, rows a second."""


def ours(batch: pa.RecordBatch, name: str) -> Iterable[bytes]:
    """The chunks that we write."""
    batches = (batch.slice(i, BATCH_ROWS) for i in range(0, batch.num_rows, BATCH_ROWS))
    return choose(name).write(Rows(COLUMNS, batches))


def theirs(batch: pa.RecordBatch, few: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """For each format, how many rows the other writer is given, and the writing."""
    part, whole = as_astropy(batch.slice(0, few)), pa.Table.from_batches([batch])
    everything, n = as_astropy(batch), batch.num_rows
    values = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))

    def ipc() -> None:
        with pa.ipc.new_stream(io.BytesIO(), whole.schema) as writer:
            writer.write_table(whole, max_chunksize=BATCH_ROWS)

    return {
        "votable/b2": (few, lambda: astropys(part, "binary2")),
        "votable/b": (few, lambda: astropys(part, "binary2")),  # it writes no NULL in BINARY
        "votable/td": (few, lambda: astropys(part, "tabledata")),
        "csv": (few, lambda: part.write(io.StringIO(), format="ascii.csv")),
        "tsv": (few, lambda: part.write(io.StringIO(), format="ascii.tab")),
        "json": (n, lambda: json.dumps(values)),
        "fits": (n, lambda: _fits(everything)),
        "parquet": (n, lambda: pq.write_table(whole, io.BytesIO())),
        "arrow": (n, ipc),
    }


def _fits(table: Table) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(io.BytesIO(), format="fits")


def first_s(batch: pa.RecordBatch, name: str) -> float:
    """How long after the rows are there the first chunk is."""
    began = time.perf_counter()
    next(iter(ours(batch, name)))
    return time.perf_counter() - began


def gzipped(batch: pa.RecordBatch, name: str) -> str:
    """What compressing takes and gives, in words, with zlib beside it."""
    data = list(ours(batch, name))
    size = sum(map(len, data))
    compressed = sum(map(len, Gzip(iter(data))))
    seconds = best_s(lambda: sum(map(len, Gzip(iter(data)))), 2)
    plain = zlib.compressobj(1, zlib.DEFLATED, 31)
    began = time.perf_counter()
    for chunk in data:
        plain.compress(chunk)
    zlib_s = time.perf_counter() - began
    return (
        f"gzip {compressed / size:4.0%} at {size / seconds / 1e6:4.0f} MB/s (zlib {size / zlib_s / 1e6:3.0f})"
    )


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--astropy-rows", type=int, default=5_000, help="rows given to its slow writers")
    options = parser.parse_args()
    batch = made_up(options.rows)
    others = theirs(batch, options.astropy_rows)
    targets = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (whose, floor) in FLOORS.items():
            sink = Path(folder) / "answer"
            seconds = best_s(lambda n=name, s=sink: s.write_bytes(b"".join(ours(batch, n))))
            count, write = others[name]
            reference = count / best_s(write, 2) / 1e6
            rate = options.rows / seconds / 1e6
            print(
                f"{name:12} {rate:8.3f} Mrow/s {sink.stat().st_size / 1e6:7.1f} MB  {whose} {reference:8.4f} Mrow/s"
                f"  first {first_s(batch, name) * 1e3:6.1f} ms  {gzipped(batch, name)}"
            )
            targets.append(
                Target(f"{name}, rows a second relative to {whose}", rate / reference, floor, "times")
            )
            if not choose(name).is_late:
                soon = FIRST_S / min(first_s(batch, name) for _ in range(5))
                targets.append(Target(f"{name}: 20 ms over the time to the first byte", soon, 1))
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
