"""How do the rows of a table get into a Parquet file, and out of it, with little of them in memory?"""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datamodel.errors import DataLostError
from datamodel.keeping.digests import Content
from datamodel.keeping.reading import Hand, Snapshot
from datamodel.keeping.tables import KeptTable

_GROUP_ROWS = 65_536
_GROUP_BYTES = 16 << 20
"""What is in memory at a time, and in one group of rows of a file."""


def write(path: Path, taken: Snapshot, table: KeptTable, told: Hand) -> Content:
    """Write all rows of a table into a new file, to its last byte on disk.

    Parameters
    ----------
    path
        Of the file.
    taken
        Has the table.
    table
        Which.
    told
        Is given the rows, too.

    Returns
    -------
    Content
        The rows.
    """
    content = Content(table)
    with path.open("wb") as stream:
        with pq.ParquetWriter(stream, table.schema, compression="zstd") as writer:
            group = _Group(writer, table.schema)

            def hand(batch: pa.RecordBatch) -> None:
                content.add(batch)
                group.add(batch)
                told(batch)

            taken.read(table, hand)
            group.end()
        stream.flush()
        os.fsync(stream.fileno())
    return content


class _Group:
    """Rows that wait until there are enough of them."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self.end()

    def end(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
        self._held, self._rows, self._bytes = [], 0, 0


def batches(path: Path, table: KeptTable) -> Iterator[pa.RecordBatch]:
    """The rows in such a file, some at a time.

    Raises
    ------
    DataLostError
        The file cannot be read, or is not one of this table.
    """
    try:
        with pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20) as file:
            if file.schema_arrow.names != table.schema.names:
                raise DataLostError(f"'{path}' has other columns than the table '{table.name}'")
            for batch in file.iter_batches(16_384):
                yield pa.RecordBatch.from_arrays(
                    [
                        column.cast(field.type)
                        for column, field in zip(batch.columns, table.schema, strict=True)
                    ],
                    schema=table.schema,
                )
    except (OSError, pa.ArrowException) as error:
        raise DataLostError(f"the rows of table '{table.name}' in '{path}' cannot be read: {error}") from None
