"""How does an answer become a Parquet file, streamed? With VOParquet 1.0 metadata (IVOA Note, 2025).

A group of rows is written when it is large enough, so that memory is bounded by a group. What is known only at the
end, the VOTable that tells of overflow included, goes into the footer, where Parquet has its metadata
anyway. A failure passes through: a Parquet file without its footer is none.
"""

from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa

from datamodel.columns import Rows
from vo_server.formats import votable
from vo_server.formats.arrow import Sink, schema
from vo_server.formats.batches import Chunks, pieces
from vo_server.formats.characters import wide_columns
from vo_server.formats.document import Document

GROUP_ROWS = 1 << 17
GROUP_BYTES = 16 << 20
"""A group of rows ends where it reaches either."""

VERSION_KEY, VERSION = "IVOA.VOTable-Parquet.version", "1.0"
CONTENT_KEY = "IVOA.VOTable-Parquet.content"


def write(rows: Rows, document: Document) -> Chunks:
    """The file in chunks, made as they are read.

    Parameters
    ----------
    rows
        The answer; it is closed when the last chunk was read or the chunks are closed.
    document
        What the VOTable in the metadata says.

    Notes
    -----
    Timestamps are text as DALI writes it, so that the columns are those which the VOTable describes.
    """
    return Chunks(rows, _file(rows, document))


def _file(rows: Rows, document: Document) -> Generator[bytes, None, None]:
    from pyarrow.parquet import ParquetWriter  # a tenth of a second, which only this format costs

    fields, sink = schema(rows.columns), Sink()
    text = [column.name for column in rows.columns if pa.types.is_string(column.datatype.arrow)]
    wide: frozenset[int] = frozenset()
    with ParquetWriter(sink, fields, compression="snappy", use_dictionary=text) as writer:
        yield sink.taken()
        for group in _groups(pieces(rows)):
            for piece in group:
                wide |= wide_columns(rows.columns, piece)
            table = pa.Table.from_batches(
                [pa.RecordBatch.from_arrays(piece.columns, schema=fields) for piece in group]
            )
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
            yield sink.taken()
        described = votable.metadata(rows.columns, document, wide=wide, overflow=rows.overflow)
        writer.add_key_value_metadata({VERSION_KEY: VERSION, CONTENT_KEY: described.decode()})
    yield sink.taken()


def _groups(source: Iterator[Any]) -> Iterator[list[Any]]:
    group: list[Any] = []
    for piece in source:
        group.append(piece)
        if sum(p.num_rows for p in group) >= GROUP_ROWS or sum(p.nbytes for p in group) >= GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
