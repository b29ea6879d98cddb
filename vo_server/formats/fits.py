"""How does an answer become a FITS file? By way of a temporary file, for a header says how many rows there are.

Nothing can be written before the last row is known, with the width of all texts and a number that stands for
NULL in each column; so the rows wait in a nameless file, in constant memory, and the first byte comes late. The
primary HDU holds the VOTable that describes the table, as TOPCAT's "FITS-plus" has it (`VOTMETA`), and so UCDs,
utypes, the origin of the data and overflow; the table itself is the first extension.
"""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa

from datamodel.columns import Column, Rows
from datamodel.errors import UsageError
from vo_server.formats import votable
from vo_server.formats.batches import PIECE_BYTES, Chunks, pieces
from vo_server.formats.characters import is_ascii, narrow
from vo_server.formats.document import Document
from vo_server.formats.fits_columns import Laid, Seen, element_type, heap_bytes, lay
from vo_server.formats.fits_header import Card, header, padding

MOST_BYTES = 10_000_000_000
MOST_COLUMNS = 999
_SHORT_HEAP_BYTES = 1 << 31

Pieces = Callable[[], Iterator[pa.RecordBatch]]


def write(rows: Rows, document: Document, *, most_bytes: int = MOST_BYTES) -> Chunks:
    """The file in chunks; the first comes when all rows have been read.

    Parameters
    ----------
    rows
        The answer; it is closed when the last chunk was read or the chunks are closed.
    document
        What the VOTable in the primary HDU says.
    most_bytes
        The temporary file may grow so large.

    Raises
    ------
    UsageError
        While the chunks are read: there are more columns than FITS can have, or more bytes than `most_bytes`.

    Notes
    -----
    Text is ASCII, what is not is escaped as in BINARY2; text that is NULL is empty. A whole number that is NULL
    is TNULL, which no other value has; a bit array is one of logical values.
    """
    return Chunks(rows, _file(rows, document, most_bytes))


def _file(rows: Rows, document: Document, most_bytes: int) -> Generator[bytes, None, None]:
    if len(rows.columns) > MOST_COLUMNS:
        raise UsageError(
            f"the answer has {len(rows.columns)} columns, expected {MOST_COLUMNS} at the most in FITS"
        )
    with tempfile.TemporaryFile() as file:
        seen, wide = _spooled(rows, file, most_bytes)
        heap = sum(map(heap_bytes, seen))
        laid = [lay(each, heap >= _SHORT_HEAP_BYTES) for each in seen]
        yield _primary(votable.metadata(rows.columns, document, wide=wide, overflow=rows.overflow))
        count = seen[0].rows
        row = np.dtype([(str(i), each.dtype, each.shape) for i, each in enumerate(laid)])
        yield header(_cards(laid, row.itemsize, count, heap, document.table_name, rows.overflow))

        def again() -> Iterator[pa.RecordBatch]:
            file.seek(0)
            yield from pa.ipc.open_stream(file)

        yield from _table(laid, row, again)
        yield from _heap(laid, again)
        yield bytes(padding(row.itemsize * count + heap))


def _spooled(rows: Rows, file: IO[bytes], most_bytes: int) -> tuple[list[Seen], frozenset[int]]:
    """Write all rows into the file; what was seen of each column, and which have text beyond ASCII."""
    seen = [Seen(column) for column in rows.columns]
    wide: set[int] = set()
    fields = pa.schema([(column.name, _spool_type(column)) for column in rows.columns])
    with pa.ipc.new_stream(file, fields) as writer:
        for piece in pieces(rows):
            arrays = []
            for i, array in enumerate(piece.columns):
                if pa.types.is_string(array.type) and not is_ascii(array):
                    wide.add(i)
                arrays.append(_narrowed(array))
                seen[i].look(arrays[i])
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=fields))
            if file.tell() > most_bytes:
                raise UsageError(
                    f"the answer is more than {most_bytes} bytes, which is too much for FITS here; ask for fewer "
                    "rows, or for a format that needs no temporary file, such as VOTable or Parquet"
                )
    return seen, frozenset(wide)


def _spool_type(column: Column) -> pa.DataType:
    type = column.datatype.arrow
    element = element_type(type)
    return pa.list_(element) if pa.types.is_list(type) else element


def _narrowed(array: pa.Array) -> pa.Array:
    """Text as ASCII bytes; NULL, which FITS does not tell from it, as empty text."""
    if pa.types.is_string(array.type):
        return narrow(array)
    if pa.types.is_list(array.type) and pa.types.is_string(array.type.value_type):
        offsets = array.offsets
        return pa.ListArray.from_arrays(
            pa.compute.subtract(offsets, offsets[0]), narrow(array.flatten()), mask=array.is_null()
        )
    return array


def _primary(described: bytes) -> bytes:
    """The primary HDU: the bytes of a VOTable."""
    cards: list[Card] = [
        ("SIMPLE", True, "FITS"),
        ("BITPIX", 8, "bytes"),
        ("NAXIS", 1),
        ("NAXIS1", len(described), "bytes of the VOTable"),
        ("VOTMETA", True, "the table is described in VOTable format"),
        ("EXTEND", True, "the table is in the first extension"),
    ]
    return header(cards) + described + bytes(padding(len(described)))


def _cards(
    laid: Sequence[Laid], row_bytes: int, rows: int, heap: int, name: str, overflow: bool
) -> Iterator[Card]:
    yield ("XTENSION", "BINTABLE", "binary table")
    yield ("BITPIX", 8)
    yield ("NAXIS", 2)
    yield ("NAXIS1", row_bytes, "bytes of a row")
    yield ("NAXIS2", rows, "rows")
    yield ("PCOUNT", heap, "bytes of the heap")
    yield ("GCOUNT", 1)
    yield ("TFIELDS", len(laid), "columns")
    yield ("EXTNAME", name)
    if overflow:
        yield ("OVERFLOW", True, "there are more rows than were to be given")
    for n, each in enumerate(laid, 1):
        yield from _column_cards(n, each)


def _column_cards(n: int, laid: Laid) -> Iterator[Card]:
    column = laid.column
    yield (f"TTYPE{n}", column.name)
    yield (f"TFORM{n}", laid.tform)
    if laid.tnull is not None:
        yield (f"TNULL{n}", laid.tnull)
    told = {
        "TDIM": laid.tdim,
        "TUNIT": column.unit,
        "TUCD": column.ucd,
        "TUTYP": column.utype,
        "TXTYP": column.votable_xtype,
        "TCOMM": column.description,
    }
    yield from ((f"{keyword}{n}", value) for keyword, value in told.items() if value)


def _table(laid: Sequence[Laid], row: np.dtype[np.void], again: Pieces) -> Iterator[bytes]:
    """The rows, a piece at a time; a row may be much longer than the values in it are."""
    place, most = 0, max(1, PIECE_BYTES // max(row.itemsize, 1))
    for piece in (each.slice(start, most) for each in again() for start in range(0, each.num_rows, most)):
        made = np.empty(piece.num_rows, row)
        for i, each in enumerate(laid):
            if each.values:
                made[str(i)] = each.values(piece.column(i))
            if each.heap:
                _, lengths = each.heap(piece.column(i))
                ends = place + np.cumsum(lengths * each.item_bytes)
                made[str(i)] = np.stack([lengths, ends - lengths * each.item_bytes], axis=1)
                place = int(ends[-1]) if len(ends) else place
        yield made.tobytes()


def _heap(laid: Sequence[Laid], again: Pieces) -> Iterator[bytes]:
    """The values that the rows point at, in the order in which `_table` placed them."""
    if any(each.heap for each in laid):
        for piece in again():
            for i, each in enumerate(laid):
                if each.heap:
                    yield each.heap(piece.column(i))[0]
