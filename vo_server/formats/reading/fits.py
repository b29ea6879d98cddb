"""How is a FITS binary table read, in a memory that stays the same, however its header lies?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.formats.reading.cells import Cells, gathered, item_bytes, sizes
from vo_server.formats.reading.encodings import Utf8
from vo_server.formats.reading.fits_columns import FitsColumn, fits_column, values
from vo_server.formats.reading.fits_header import Cards, Extension, extensions
from vo_server.formats.reading.header import Header, read_header
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Source
from vo_server.formats.reading.table import Reading, check_rows, counted, described
from vo_server.formats.reading.texts import as_declared

_BATCH_BYTES = 2 << 20
_BATCH_ROWS = 1 << 15
_TOLD = {
    "AUTHOR": "creator",
    "REFERENC": "article",
    "ORIGIN": "publisher",
    "DATE": "publication_date",
    "LICENSE": "rights",
    "CREATOR": "creator",
}
"""Which cards say where the data come from, and how the VO calls that."""


def read(source: Source, limits: Limits) -> Reading:
    """The first binary table of a FITS file; of a FITS-plus file, with what its VOTable says of it.

    Raises
    ------
    UsageError
        The file has no binary table, is broken, or exceeds the limits.
    """
    return extension(source, limits, None)


def extension(source: Source, limits: Limits, wanted: int | str | None) -> Reading:
    """One binary table.

    Parameters
    ----------
    source
        The file.
    limits
        What it may be.
    wanted
        The number of the extension, 0 the primary one; its EXTNAME; or None for the first binary table.
    """
    file = source.anywhere()
    found, tables = None, []
    plus: list[Header] = []
    for number, unit in enumerate(extensions(file, limits)):
        if number == 0 and unit.header.is_true("VOTMETA"):
            plus = _plus(file, unit, limits)
        if unit.header.text("XTENSION") in ("BINTABLE", "A3DTABLE"):
            tables.append(unit.header.text("EXTNAME"))
            if wanted in (None, number) or (isinstance(wanted, str) and wanted == tables[-1]):
                found = unit
                break
    if found is None:
        what = "no binary table" if wanted is None else f"no binary table '{wanted}'"
        told = f"; it has {', '.join(map(repr, tables))}" if tables else ""
        raise UsageError(f"the FITS file has {what}{told}")
    return _table(file, found, limits, plus[len(tables) - 1 :][:1])


def _table(file: BinaryIO, unit: Extension, limits: Limits, plus: Sequence[Header]) -> Reading:
    cards = unit.header
    rows, width = cards.whole("NAXIS2"), cards.whole("NAXIS1")
    check_rows(rows, limits)
    columns = _columns(cards, width, limits)
    if (cards.whole("NAXIS"), cards.number("BITPIX"), cards.whole("GCOUNT", 1)) != (2, 8, 1):
        raise UsageError("the header of the FITS table has other axes than those of a table")
    held = file.seek(0, 2) - unit.data
    if rows * width > held:
        raise UsageError(
            f"the FITS header tells of {rows} rows of {width} bytes, but the file breaks off after {max(held, 0)}"
        )
    names = described([c.column for c in columns], limits)
    columns = [replace(c, column=n) for c, n in zip(columns, names, strict=True)]
    reader = _Rows(file, unit, columns, limits)
    reading = Reading(
        names,
        counted(reader.batches(rows, width), limits),
        cards.text("EXTNAME"),
        "",
        rows,
        tuple((told, text) for card, told in _TOLD.items() if (text := cards.text(card))),
    )
    return _told(reading, plus[0]) if plus else reading


def _columns(cards: Cards, width: int, limits: Limits) -> list[FitsColumn]:
    count = cards.whole("TFIELDS")
    if count > min(limits.columns, 999):
        raise UsageError(f"the table has {count} columns; {min(limits.columns, 999)} are allowed")
    columns: list[FitsColumn] = []
    at = 0
    for number in range(1, count + 1):
        columns.append(fits_column(cards, number, at))
        at += columns[-1].width
    if at > width:
        raise UsageError(f"the columns of the FITS table take {at} bytes of a row, but NAXIS1 says {width}")
    return [c for c in columns if c.width]


class _Rows:
    """Reads the rows of a table a piece at a time, and what they point at in the heap."""

    def __init__(self, file: BinaryIO, unit: Extension, columns: list[FitsColumn], limits: Limits) -> None:
        self._file = file
        self._unit = unit
        self._columns = columns
        self._limits = limits
        cards = unit.header
        table = cards.whole("NAXIS1") * cards.whole("NAXIS2")
        gap = cards.whole("THEAP", table)
        end = unit.data + table + cards.whole("PCOUNT", 0)
        self._heap = _Heap(file, unit.data + gap, end) if any(c.descriptor for c in columns) else None

    def batches(self, rows: int, width: int) -> Iterator[pa.RecordBatch]:
        step = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(width, 1)))
        for first in range(0, rows, step):
            count = min(step, rows - first)
            self._file.seek(self._unit.data + first * width)
            data = self._file.read(count * width)
            if len(data) < count * width:
                raise UsageError("the FITS file breaks off within its rows")
            yield from self._pieces(data, np.arange(count, dtype=np.int64) * width)

    def _pieces(self, data: bytes, starts: npt.NDArray[Any]) -> Iterator[pa.RecordBatch]:
        """The rows in one batch, or in several where they point at much."""
        heavy = self._heap_bytes(data, starts)
        if len(starts) > 1 and heavy > 4 * _BATCH_BYTES:
            middle = len(starts) // 2
            yield from self._pieces(data, starts[:middle])
            yield from self._pieces(data, starts[middle:])
            return
        arrays = [values(c, self._cells(c, data, starts)) for c in self._columns]
        yield pa.RecordBatch.from_arrays(arrays, names=[c.column.name for c in self._columns])

    def _heap_bytes(self, data: bytes, starts: npt.NDArray[Any]) -> int:
        heavy = 0
        for column in self._columns:
            if column.descriptor:
                counts, _ = self._descriptors(column, data, starts)
                heavy += int(sizes(counts, item_bytes(column.raw.column)).sum())
        return heavy

    def _cells(self, column: FitsColumn, data: bytes, starts: npt.NDArray[Any]) -> Cells:
        null = np.zeros(len(starts), dtype=bool)
        if column.descriptor and self._heap is not None:
            counts, at = self._descriptors(column, data, starts)
            return self._heap.cells(counts, at, null, item_bytes(column.raw.column), column.column)
        counts = np.full(len(starts), column.raw.column.extent.most or 0)
        return Cells(data, starts + column.at, counts, null)

    def _descriptors(
        self, column: FitsColumn, data: bytes, starts: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """How many elements each value has, and where in the heap."""
        half = np.dtype(column.descriptor).itemsize
        counts = gathered(data, starts + column.at, column.descriptor).astype(np.int64)
        at = gathered(data, starts + column.at + half, column.descriptor).astype(np.int64)
        item = item_bytes(column.raw.column)
        most = self._limits.cell_bytes // max(item, 1)
        if ((counts < 0) | (counts > most)).any():
            raise UsageError(
                f"column '{column.column.name}': a value tells of more than the {most} elements that are allowed"
            )
        return counts, at


class _Heap:
    """What follows the rows of a table: the values of variable length."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._size = max(0, min(end, file.seek(0, 2)) - start)

    def cells(
        self,
        counts: npt.NDArray[Any],
        at: npt.NDArray[Any],
        null: npt.NDArray[np.bool_],
        item: int,
        column: Column,
    ) -> Cells:
        """The cells, with their bytes read from the file."""
        size = sizes(counts, item)
        used = size > 0
        if (used & ((at < 0) | (at > self._size - size))).any():
            raise UsageError(
                f"column '{column.name}': a value is said to be beyond the end of the FITS table"
            )
        if not used.any():
            return Cells(b"", np.zeros(len(at), np.int64), counts, null)
        first, last = int(at[used].min()), int((at + size)[used].max())
        if last - first <= 8 * int(size.sum()) + _BATCH_BYTES:
            return Cells(self._bytes(first, last - first), np.where(used, at - first, 0), counts, null)
        pieces = [self._bytes(int(a), int(s)) for a, s in zip(at, size, strict=True)]
        return Cells(b"".join(pieces), np.cumsum(size) - size, counts, null)

    def _bytes(self, at: int, size: int) -> bytes:
        self._file.seek(self._start + at)
        return self._file.read(size)


def _plus(file: BinaryIO, unit: Extension, limits: Limits) -> list[Header]:
    """The tables that the VOTable in the primary unit of a FITS-plus file describes; none if it is broken."""
    if unit.size > limits.header_bytes:
        return []
    file.seek(unit.data)
    try:
        return read_header(Utf8(BytesIO(file.read(unit.size).rstrip(b"\0 "))), limits, all_tables=True)
    except UsageError:
        return []


def _told(reading: Reading, header: Header) -> Reading:
    """The table with what its VOTable says, where that is of as many columns."""
    given = [field.column for field in header.fields]
    if len(given) != len(reading.columns):
        return reading
    columns = tuple(map(_described_as, reading.columns, given))
    return replace(
        reading,
        columns=columns,
        batches=(as_told(batch, columns) for batch in reading.batches),
        name=header.name or reading.name,
        description=header.description,
        infos=tuple(header.infos),
    )


def as_told(batch: pa.RecordBatch, columns: Sequence[Column]) -> pa.RecordBatch:
    """The batch with its columns as a VOTable tells of them, which are of the same Arrow types.

    Raises
    ------
    UsageError
        A value is none that the VOTable tells of.
    """
    arrays = [as_declared(array, column) for array, column in zip(batch.columns, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def _described_as(own: Column, given: Column) -> Column:
    """The column as its FIELD describes it, as far as its values are of that datatype."""
    if own.datatype.arrow != given.datatype.arrow:
        told = {name: getattr(given, name) for name in ("name", "unit", "ucd", "utype", "description")}
        return replace(own, **told)
    if given.datatype.votable in ("char", "unicodeChar") and not _has_room(own, given):
        own_size = own.votable_arraysize
        given = replace(given, arraysize=None if own_size == given.datatype.arraysize else own_size)
    return given if own.null is None else replace(given, null=own.null)


def _has_room(own: Column, given: Column) -> bool:
    """Whether texts may be as long as they are here, where escapes stand for what is not ASCII."""
    if given.datatype.kind == "array":
        return (given.extent.first or 1) >= (own.extent.first or 1)
    most = given.extent.most
    return most is None or (own.extent.most is not None and own.extent.most <= most)
