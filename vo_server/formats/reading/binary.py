"""How do the rows of BINARY and BINARY2 become batches? (VOTable 1.4 sections 5.3 and 5.4)"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pybase64

from datamodel.errors import UsageError
from vo_server.formats.reading.cells import Cells, decoded, item_bytes, null_where_nothing, sizes
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.header import Header, read_tail
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable

Array = npt.NDArray[Any]

_PIECE = 1 << 20
_WHITE = b" \t\r\n"
_LENGTH = struct.Struct(">i")


def batches(header: Header, stream: Readable, limits: Limits) -> Iterator[pa.RecordBatch]:
    """The rows.

    Parameters
    ----------
    header
        What was read so far.
    stream
        The document from there on, in UTF-8.
    limits
        Of the size of a value.

    Raises
    ------
    UsageError
        The document breaks off, has something else than base64, or rows that are not as declared.
    """
    layout = _Layout(header.fields, header.form == "BINARY2", limits)
    held = b""
    for piece in base64_bytes(header, stream):
        held += piece
        found = layout.rows(held)
        if found.count:
            yield layout.batch(held, found)
            held = held[found.end :]
    if held:
        raise UsageError(f"the stream of the VOTable breaks off within a row: {len(held)} bytes are left")


def base64_bytes(header: Header, stream: Readable) -> Iterator[bytes]:
    """What is in the STREAM element, decoded piece by piece; the rest of the document is read, too."""
    encoding = header.stream.get("encoding", "base64").strip().lower()
    if encoding != "base64":
        raise UsageError(f"expected a STREAM with the encoding base64, found '{encoding[:60]}'")
    held, text = b"", header.rest
    while (stop := text.find(b"<")) < 0:
        held += text.translate(None, _WHITE)
        whole = len(held) // 4 * 4 if b"=" not in held else 0
        if whole:
            yield _unarmoured(held[:whole])
            held = held[whole:]
        if len(held) > 2 * _PIECE:
            raise UsageError("the stream of the VOTable goes on after the end of its base64")
        text = stream.read(_PIECE)
        if not text:
            raise UsageError("the VOTable breaks off within its stream")
    held += text[:stop].translate(None, _WHITE)
    if held:
        yield _unarmoured(held)
    read_tail(header, stream, text[stop:])


def _unarmoured(text: bytes) -> bytes:
    try:
        data: bytes = pybase64.b64decode(text, validate=True)
    except ValueError:
        raise UsageError("the stream of the VOTable is not in base64") from None
    return data


@dataclass(frozen=True)
class _Found:
    """Whole rows at the beginning of some bytes.

    Attributes
    ----------
    count
        How many there are.
    starts
        Where each begins.
    at, lengths
        Where each variable value begins, after its length, and its length; shape ``(rows, variable columns)``.
    end
        Where the rows end.
    """

    count: int
    starts: Array
    at: Array
    lengths: Array
    end: int


class _Layout:
    """Where the values of a row are.

    Parameters
    ----------
    fields
        The columns.
    has_mask
        Whether rows begin with a bit for each column, set where it is NULL, as in BINARY2.
    limits
        Of the size of a value.
    """

    def __init__(self, fields: list[Field], has_mask: bool, limits: Limits) -> None:
        self._fields = fields
        self._mask = (len(fields) + 7) // 8 if has_mask else 0
        self._most = limits.cell_bytes
        self._items = [item_bytes(f.column) for f in fields]
        self._widths = [_width(f, item) for f, item in zip(fields, self._items, strict=True)]
        self._skips, self._tail = self._segments()
        if not self._skips and not self._tail:
            raise UsageError("the rows of the VOTable have no bytes")

    def _segments(self) -> tuple[list[tuple[int, int]], int]:
        """For each variable column the bytes of fixed width before it and the size of its items; what is left."""
        skips, skip = [], self._mask
        for width, item in zip(self._widths, self._items, strict=True):
            if width is None:
                skips.append((skip, item))
                skip = 0
            else:
                skip += width
        return skips, skip

    def rows(self, data: bytes) -> _Found:
        """The whole rows at the beginning of some bytes."""
        if not self._skips:
            count = len(data) // self._tail
            none = np.zeros((count, 0), np.int64)
            return _Found(count, np.arange(count) * self._tail, none, none, count * self._tail)
        starts, at, lengths, end = self._walked(data)
        shape = (len(starts), len(self._skips))
        return _Found(
            len(starts),
            np.array(starts, np.int64),
            np.array(at[: shape[0] * shape[1]], np.int64).reshape(shape),
            np.array(lengths[: shape[0] * shape[1]], np.int64).reshape(shape),
            end,
        )

    def _walked(self, data: bytes) -> tuple[list[int], list[int], list[int], int]:
        starts: list[int] = []
        at: list[int] = []
        lengths: list[int] = []
        start, last = 0, len(data)
        length_at = _LENGTH.unpack_from
        while True:
            place = start
            for skip, item in self._skips:
                place += skip
                if place + 4 > last:
                    return starts, at, lengths, start
                (length,) = length_at(data, place)
                place += 4
                at.append(place)
                lengths.append(length)
                size = length * item if item else (length + 7) >> 3
                if length < 0 or size > self._most:
                    raise UsageError(
                        f"a value of the VOTable has {length} elements; {self._most} bytes are allowed"
                    )
                place += size
            place += self._tail
            if place > last:
                return starts, at, lengths, start
            starts.append(start)
            start = place

    def batch(self, data: bytes, found: _Found) -> pa.RecordBatch:
        """The rows as a batch."""
        nulls = self._nulls(data, found)
        place = found.starts + self._mask
        variable = 0
        arrays = []
        for i, (field, width, item) in enumerate(zip(self._fields, self._widths, self._items, strict=True)):
            if width is None:
                at, counts = found.at[:, variable], found.lengths[:, variable]
                variable += 1
                place = at + sizes(counts, item)
            else:
                at, place = place, place + width
                counts = np.full(found.count, field.column.extent.most or 0)
            made = decoded(Cells(data, at, counts, nulls[i]), field)
            if not self._mask and pa.types.is_list(made.type):
                made = null_where_nothing(made, pc.list_flatten(made), nan_is_null=width is not None)
            arrays.append(made)
        return pa.RecordBatch.from_arrays(arrays, names=[f.column.name for f in self._fields])

    def _nulls(self, data: bytes, found: _Found) -> npt.NDArray[np.bool_]:
        """Shape ``(columns, rows)``."""
        if not self._mask:
            return np.zeros((len(self._fields), found.count), dtype=bool)
        everywhere = np.ndarray((len(data) - self._mask + 1, self._mask), np.uint8, data, strides=(1, 1))
        bits = np.unpackbits(everywhere[found.starts], axis=1)[:, : len(self._fields)]
        return np.ascontiguousarray(bits.T).astype(bool)


def _width(field: Field, item: int) -> int | None:
    """The bytes of a value, None where that varies."""
    extent = field.column.extent
    if not extent.fixed or extent.most is None:
        return None
    return int(sizes(np.array([extent.most]), item)[0])
