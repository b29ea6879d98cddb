"""How does an answer become pieces of a size that can be encoded at once?"""

from collections.abc import Generator, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column, Rows

PIECE_ROWS = 1 << 15
PIECE_BYTES = 8 << 20


class Chunks(Iterator[bytes]):
    """The bytes of an answer, made as they are read; closing them releases the database.

    A generator that was never started runs no ``finally`` when it is closed, and the answer to a HEAD
    request is never started; so releasing is done here, once, whichever way the reading ends.
    """

    def __init__(self, rows: Rows, chunks: Generator[bytes, None, None]) -> None:
        self._rows = rows
        self._chunks = chunks
        self._open = True

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop writing and release the database; closing again does nothing."""
        if self._open:
            self._open = False
            try:
                self._chunks.close()
            finally:
                self._rows.close()


def pieces(rows: Rows) -> Iterator[pa.RecordBatch]:
    """Batches of at most `PIECE_ROWS` rows and, but for a single huge row, `PIECE_BYTES` bytes.

    The limits keep what an encoder holds in memory constant, and every Arrow offset within 32 bits.
    """
    most = max(1, min(PIECE_ROWS, PIECE_BYTES // _declared_bytes(rows.columns)))
    for batch in rows.batches:
        declared = _declared(batch, rows.columns)
        for start in range(0, max(batch.num_rows, 1), most):
            yield from _halves(declared.slice(start, most))


def payload(array: pa.Array) -> memoryview:
    """The values of a string or binary array end to end, without copying; what NULL holds is unspecified."""
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[array.offset] : ends[array.offset + len(array)]]


def flat_list(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The elements of a list array end to end, and the length of each list as int32; NULL has length 0."""
    return pc.list_flatten(array), pc.fill_null(pc.list_value_length(array), 0)


def _declared_bytes(columns: tuple[Column, ...]) -> int:
    """About how much a row is written as where arrays have a declared size, which is there even for NULL."""
    return 1 + sum(8 * (c.extent.most or 0) for c in columns if c.extent.fixed)


def _declared(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> pa.RecordBatch:
    """The batch with each column in the Arrow type that it was declared to have."""
    types = [column.datatype.arrow for column in columns]
    if batch.schema.types == types:
        return batch
    arrays = [array.cast(wanted) for array, wanted in zip(batch.columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _halves(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or batch.nbytes <= PIECE_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halves(batch.slice(0, middle))
    yield from _halves(batch.slice(middle))
