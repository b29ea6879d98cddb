"""How does an answer become an Arrow IPC stream? One record batch a piece, described in the metadata.

Each field carries its unit, UCD and the like in its metadata, and the schema the VOTable that describes the table
(`VOTABLE_KEY`). Overflow is only known at the end: then an empty batch follows, whose own metadata say
``QUERY_STATUS`` is ``OVERFLOW``. A failure passes through, and the stream ends without its end mark.
"""

from collections.abc import Collection, Generator, Mapping
from itertools import chain

import pyarrow as pa

from datamodel.columns import Column, Rows
from vo_server.formats import votable
from vo_server.formats.batches import Chunks, pieces
from vo_server.formats.characters import wide_columns
from vo_server.formats.document import Document

VOTABLE_KEY = "votable"
"""The key of the schema's metadata under which the VOTable without rows stands."""

OVERFLOW = {"QUERY_STATUS": "OVERFLOW"}


class Sink:
    """A file that keeps what is written to it until it is taken away."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep the data."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Have nothing to do."""

    def close(self) -> None:
        """Have nothing to do: what was written is still to be taken."""

    def taken(self) -> bytes:
        """Everything written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def write(rows: Rows, document: Document) -> Chunks:
    """The stream in chunks, made as they are read.

    Parameters
    ----------
    rows
        The answer; it is closed when the last chunk was read or the chunks are closed.
    document
        What the VOTable in the metadata says.
    """
    return Chunks(rows, _stream(rows, document))


def schema(columns: Collection[Column], metadata: Mapping[str, bytes] | None = None) -> pa.Schema:
    """The columns as Arrow knows them, each with what the VO is told of it."""
    return pa.schema([pa.field(c.name, c.datatype.arrow, metadata=_told(c)) for c in columns], metadata)


def _stream(rows: Rows, document: Document) -> Generator[bytes, None, None]:
    source = pieces(rows)
    first = next(source, None)
    described = votable.metadata(rows.columns, document, wide=wide_columns(rows.columns, first))
    fields = schema(rows.columns, {VOTABLE_KEY: described})
    sink = Sink()
    with pa.ipc.new_stream(sink, fields) as writer:
        for piece in chain([first] if first else [], source):
            writer.write_batch(pa.RecordBatch.from_arrays(piece.columns, schema=fields))
            yield sink.taken()
        if rows.overflow:
            empty = pa.RecordBatch.from_pylist([], schema=fields)
            writer.write_batch(empty, custom_metadata=OVERFLOW)
    yield sink.taken()


def _told(column: Column) -> dict[str, str]:
    told = {
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "xtype": column.votable_xtype,
        "description": column.description,
    }
    return {key: value for key, value in told.items() if value}
