"""How are rows brought into order that do not fit into memory? Sorted runs on disk, merged.

Knuth, The Art of Computer Programming, volume 3, section 5.4: but what is merged are blocks of rows, by numpy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

RUN_BYTES = 64 << 20
"""Rows that are held in memory until they are sorted; it takes about three times as much."""

BLOCK_BYTES = 1 << 20
"""What is read of a run at a time."""

BLOCK_ROWS = 16_384
FAN_IN = 100
"""Runs that are merged at a time."""


class Sorter:
    """Rows in the order of a whole number; those of the same number stay in the order in which they came.

    Parameters
    ----------
    folder
        For the runs; who made it removes it.
    key
        The name of a column of int64 without NULLs.
    run_bytes, fan_in
        How much is held in memory, and how many runs are merged at a time.
    """

    def __init__(self, folder: Path, key: str, run_bytes: int = RUN_BYTES, fan_in: int = FAN_IN) -> None:
        self._folder = folder
        self._key = key
        self._run_bytes = run_bytes
        self._fan_in = fan_in
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._runs: list[Path] = []
        self._number = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows; all batches have the same columns."""
        self._held.append(batch)
        self._size += batch.nbytes
        if self._size >= self._run_bytes:
            self._runs.append(self._written(self._sorted()))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All the rows in their order; they can be had once."""
        if not self._runs:
            yield from self._sorted()
            return
        if self._held:
            self._runs.append(self._written(self._sorted()))
        while len(self._runs) > self._fan_in:
            starts = range(0, len(self._runs), self._fan_in)
            self._runs = [self._joined(self._runs[start : start + self._fan_in]) for start in starts]
        yield from _merged(self._runs, self._key)

    def _sorted(self) -> Iterator[pa.RecordBatch]:
        """What is held, in order; it is held no more."""
        held, self._held, self._size = self._held, [], 0
        if not held:
            return
        whole = pa.Table.from_batches(held).combine_chunks()
        held.clear()
        order = np.argsort(whole.column(self._key).to_numpy(), kind="stable")
        step = max(1, min(BLOCK_ROWS, BLOCK_BYTES * whole.num_rows // max(whole.nbytes, 1)))
        for start in range(0, whole.num_rows, step):
            yield _one(whole.take(pa.array(order[start : start + step])))

    def _written(self, batches: Iterator[pa.RecordBatch]) -> Path:
        self._number += 1
        path = self._folder / f"run-{self._number:06d}.arrow"
        first = next(batches)
        with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_file(stream, first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)
        return path

    def _joined(self, runs: list[Path]) -> Path:
        made = self._written(_merged(runs, self._key))
        for run in runs:
            run.unlink()
        return made


class _Run:
    """One sorted run, of which one block is in memory."""

    def __init__(self, path: Path, key: str) -> None:
        self._file = pa.OSFile(str(path))
        self._reader = pa.ipc.open_file(self._file)
        self._key = key
        self._next = 0
        self.block: pa.RecordBatch | None = None
        self.keys: NDArray[Any] = np.empty(0, np.int64)

    def refill(self) -> bool:
        """Have rows, if there are any more; whether there are."""
        while not len(self.keys):
            if self._next == self._reader.num_record_batches:
                self._file.close()
                return False
            self.block = self._reader.get_batch(self._next)
            self.keys = self.block.column(self._key).to_numpy()
            self._next += 1
        return True

    def take(self, last: int) -> pa.RecordBatch:
        """The rows of the block up to a number, which are gone then."""
        assert self.block is not None
        count = int(np.searchsorted(self.keys, last, "right"))
        taken = self.block.slice(0, count)
        self.block, self.keys = self.block.slice(count), self.keys[count:]
        return taken


def _merged(paths: list[Path], key: str) -> Iterator[pa.RecordBatch]:
    """The rows of sorted runs in order.

    No block to come holds a smaller number than the last of a block of its run, so that all up to the
    least of these can go.
    """
    runs = [_Run(path, key) for path in paths]
    while runs := [run for run in runs if run.refill()]:
        last = min(run.keys[-1] for run in runs)
        whole = pa.Table.from_batches([run.take(last) for run in runs]).combine_chunks()
        order = np.argsort(whole.column(key).to_numpy(), kind="stable")
        yield _one(whole.take(pa.array(order)))


def _one(table: pa.Table) -> pa.RecordBatch:
    whole = table.combine_chunks()
    return pa.RecordBatch.from_arrays([column.chunk(0) for column in whole.columns], names=whole.column_names)
