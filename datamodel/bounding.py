"""How is an answer kept from growing beyond its bytes?"""

import weakref
from collections.abc import Iterator

import pyarrow as pa

from datamodel.columns import Rows


def bounded(rows: Rows, max_bytes: int) -> Rows:
    """The same rows, cut off as by a limit on rows once their values fill `max_bytes`.

    Parameters
    ----------
    rows
        An answer on its way; its `overflow` is set, and the database released, where it is cut.
    max_bytes
        Of the values as they lie in memory, which is about what a binary format writes. The first row comes
        whatever its length.
    """
    rows.batches = _cut(weakref.ref(rows), rows.batches, max_bytes)
    return rows


def _cut(
    answer: "weakref.ref[Rows]", batches: Iterator[pa.RecordBatch], left: int
) -> Iterator[pa.RecordBatch]:
    first = True
    for batch in batches:
        size = batch.nbytes
        if size > left:
            kept = max(batch.num_rows * left // size, int(first))
            if kept < batch.num_rows:
                yield from _last(answer, batch.slice(0, kept))
                return
        left, first = left - size, False
        yield batch


def _last(answer: "weakref.ref[Rows]", batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = answer()
    if rows is not None:
        rows.overflow = True
        rows.close()
    if batch.num_rows:
        yield batch
