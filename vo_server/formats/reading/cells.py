"""How do values that are written as big-endian bytes become those of a column?

The bytes of a value begin at some place in a buffer, for each row another one; BINARY, BINARY2 and
FITS differ only in how these places are found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from datamodel.slices import texts_at
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.table import refuse
from vo_server.formats.reading.texts import check_lengths, check_text, instants

Array = npt.NDArray[Any]
Buffer = bytes | memoryview

_HALF = 0xD800 >> 11
"""What the units of UTF-16 begin with that are half a character."""

_TRUE, _FALSE, _UNKNOWN = b"TtYy1", b"FfNn0", b"?\0 "
_STATES = np.full(256, 3, np.uint8)
_STATES[list(_TRUE)], _STATES[list(_FALSE)], _STATES[list(_UNKNOWN)] = 1, 0, 2


@dataclass(frozen=True)
class Cells:
    """The values of one column in some rows.

    Attributes
    ----------
    data
        Holds their bytes.
    at
        Where each begins.
    counts
        How many elements, characters or bits each has.
    null
        Which are NULL.
    """

    data: Buffer
    at: Array
    counts: Array
    null: npt.NDArray[np.bool_]


def item_bytes(column: Column) -> int:
    """Of one element or character; 0 for bits in an array, of which eight are a byte."""
    datatype = column.datatype
    if datatype.votable in ("char", "unicodeChar"):
        return 2 if datatype.votable == "unicodeChar" else 1
    if datatype.kind not in ("array", "geometry"):
        return 1 if datatype.kind == "boolean" else datatype.numpy.itemsize
    element = datatype.arrow.value_type
    if pa.types.is_boolean(element):
        return 0 if datatype.votable == "bit" else 1
    return int(np.dtype(element.to_pandas_dtype()).itemsize) * datatype.parts


def sizes(counts: Array, item: int) -> Array:
    """The bytes of so many elements."""
    found: Array = counts * item if item else (counts + 7) // 8
    return found


def decoded(cells: Cells, field: Field) -> pa.Array:
    """The values as an array of the column's Arrow type.

    Raises
    ------
    UsageError
        A value is none of the column; the message quotes it.
    """
    column = field.column
    if column.datatype.kind in ("array", "geometry"):
        return _list(cells, column)
    return _DECODERS[column.datatype.kind](cells, field)


def gathered(data: Buffer, at: Array, dtype: Any) -> Array:
    """The values of a fixed width that begin at some places, aligned or not, in the machine's byte order."""
    wanted = np.dtype(dtype)
    rows = _blocks(data, at, wanted.itemsize)
    values: Array = rows.view(wanted)[:, 0].astype(wanted.newbyteorder("="))
    return values


def texts(cells: Cells, column: Column) -> pa.StringArray:
    """Texts up to their first NUL."""
    if column.datatype.votable == "unicodeChar":
        return _wide(cells, column)
    flat, ends = _joined(cells, 1)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(flat)]
    try:
        made = pa.Array.from_buffers(pa.binary(), len(cells.at), buffers).cast(pa.string())
    except pa.ArrowInvalid:
        refuse(column, flat[:40], "text in ASCII or UTF-8")
    return _cut(made, flat, cells)


def _text(cells: Cells, field: Field) -> pa.StringArray:
    return check_text(texts(cells, field.column), field.column)


def _timestamp(cells: Cells, field: Field) -> pa.StringArray:
    written = pc.utf8_trim_whitespace(texts(cells, field.column))
    return instants(pc.if_else(pc.equal(written, ""), pa.scalar(None, pa.string()), written), field.column)


def _number(cells: Cells, field: Field) -> pa.Array:
    dtype = field.column.datatype.numpy
    values = gathered(cells.data, cells.at, dtype.newbyteorder(">"))
    if field.column.datatype.votable == "bit":
        values = (values != 0).astype(dtype)
    return pa.array(values, mask=cells.null | _set_aside(values, field))


def _set_aside(values: Array, field: Field) -> Array:
    """Which values are the one that stands for NULL."""
    if field.null is None:
        return np.zeros(len(values), dtype=bool)
    try:
        null = float(field.null) if values.dtype.kind == "f" else int(field.null, 0)
    except ValueError:
        refuse(field.column, field.null, "a number as VALUES null")
    if values.dtype.kind != "f" and not np.iinfo(values.dtype).min <= null <= np.iinfo(values.dtype).max:
        return np.zeros(len(values), dtype=bool)
    found: Array = values == null
    return found


def _boolean(cells: Cells, field: Field) -> pa.BooleanArray:
    values, unknown = _truths(gathered(cells.data, cells.at, "u1"), field.column)
    return pa.array(values, mask=cells.null | unknown)


def _truths(letters: Array, column: Column) -> tuple[Array, Array]:
    states = _STATES[letters]
    if (states == 3).any():
        refuse(column, chr(letters[states == 3][0]), "T, F or ?")
    return states == 1, states == 2


_DECODERS: dict[str, Callable[[Cells, Field], pa.Array]] = {
    "number": _number,
    "boolean": _boolean,
    "text": _text,
    "timestamp": _timestamp,
}


def _list(cells: Cells, column: Column) -> pa.ListArray:
    check_lengths(cells.counts[~cells.null], column)
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        return pa.array(_texts_of(cells, column), pa.list_(pa.string()))
    counts = np.where(cells.null, 0, cells.counts)
    values = _bits(cells) if column.datatype.votable == "bit" else _elements(cells, column)
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts * column.datatype.parts, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(cells.null))


def null_where_nothing(made: pa.ListArray, elements: pa.Array, nan_is_null: bool) -> pa.ListArray:
    """Arrays with other elements, NULL where none of these is anything: for forms that have no NULL of arrays."""
    offsets = np.zeros(len(made) + 1, np.int32)
    np.cumsum(pc.list_value_length(made).to_numpy(zero_copy_only=False), out=offsets[1:])
    nothing = elements.is_null(nan_is_null=nan_is_null).to_numpy(zero_copy_only=False)
    before = np.concatenate([[0], np.cumsum(~nothing)])[offsets]
    null = before[1:] == before[:-1]
    lengths = np.diff(offsets)
    kept = np.concatenate([[0], np.cumsum(np.where(null, 0, lengths))]).astype(np.int32)
    if null.any():
        elements = elements.filter(pa.array(np.repeat(~null, lengths)))
    return pa.ListArray.from_arrays(pa.array(kept), elements, mask=pa.array(null))


def _elements(cells: Cells, column: Column) -> pa.Array:
    element = column.datatype.arrow.value_type
    flat, _ = _joined(cells, item_bytes(column))
    if pa.types.is_boolean(element):
        values, unknown = _truths(np.frombuffer(flat, "u1"), column)
        return pa.array(values, mask=unknown)
    dtype = np.dtype(element.to_pandas_dtype())
    numbers = np.frombuffer(flat, dtype.newbyteorder(">")).astype(dtype)
    return pa.array(numbers, mask=None if column.null is None else numbers == column.null)


def _bits(cells: Cells) -> pa.BooleanArray:
    flat, ends = _joined(cells, 0)
    counts = np.where(cells.null, 0, cells.counts)
    spread = np.unpackbits(np.frombuffer(flat, "u1")).astype(bool)
    before = np.cumsum(counts) - counts
    places = np.arange(int(counts.sum())) + np.repeat(ends[:-1].astype(np.int64) * 8 - before, counts)
    return pa.array(spread[places])


def _texts_of(cells: Cells, column: Column) -> list[list[str] | None]:
    """Arrays of texts, each of which has as many bytes as the first dimension says."""
    size = item_bytes(column)
    step = (column.extent.first or 1) * size
    bounds = zip(
        cells.at.tolist(), (cells.at + cells.counts * size).tolist(), cells.null.tolist(), strict=True
    )
    return [
        None if null else [_decoded(cells.data[i : i + step], column).rstrip(" ") for i in range(a, b, step)]
        for a, b, null in bounds
    ]


def _wide(cells: Cells, column: Column) -> pa.StringArray:
    """Texts of UTF-16, decoded all at once where none begins within a character of the one before."""
    flat, ends = _joined(cells, 2)
    units = np.frombuffer(flat, ">u2")
    begins = (ends // 2)[:-1]
    try:
        if _is_second(units[begins[begins < len(units)]]).any():
            raise UnicodeDecodeError("utf-16-be", flat[:2], 0, 2, "half a character")
        whole = flat.decode("utf-16-be").encode()
    except UnicodeDecodeError:
        return pa.array(_each_wide(cells, column), pa.string())
    places = np.zeros(len(units) + 1, np.int32)
    np.cumsum(np.where(units >> 11 == _HALF, 2, 1 + (units > 0x7F) + (units > 0x7FF)), out=places[1:])
    buffers = [None, pa.py_buffer(places[ends // 2]), pa.py_buffer(whole)]
    return _cut(pa.Array.from_buffers(pa.string(), len(cells.at), buffers), whole, cells)


def _is_second(units: Array) -> Array:
    """Which are the second half of a character."""
    found: Array = units >> 10 == 0xDC00 >> 10
    return found


def _each_wide(cells: Cells, column: Column) -> list[str | None]:
    bounds = zip(cells.at.tolist(), (cells.at + cells.counts * 2).tolist(), cells.null.tolist(), strict=True)
    return [None if null else _decoded(cells.data[a:b], column) for a, b, null in bounds]


def _cut(made: pa.StringArray, data: bytes, cells: Cells) -> pa.StringArray:
    """The texts up to their first NUL."""
    if b"\0" in data:
        made = pc.replace_substring_regex(made, r"(?s)\x00.*", "")
    return _nulled(made, cells)


def _decoded(data: Buffer, column: Column) -> str:
    """A text up to its first NUL."""
    encoding = "utf-16-be" if column.datatype.votable == "unicodeChar" else "utf-8"
    try:
        return str(data, encoding).split("\0", 1)[0]
    except UnicodeDecodeError:
        refuse(column, bytes(data[:40]), f"text in {encoding.upper()}")


def _joined(cells: Cells, item: int) -> tuple[bytes, npt.NDArray[np.int32]]:
    """The bytes of all values end to end, NULL none, and where each ends."""
    size = np.where(cells.null, 0, sizes(cells.counts, item))
    ends = np.zeros(len(size) + 1, np.int32)
    np.cumsum(size, out=ends[1:])
    if not size.any():
        return b"", ends
    if (size == size[0]).all():
        return _blocks(cells.data, cells.at, int(size[0])).tobytes(), ends
    if (cells.at[1:] >= (cells.at + size)[:-1]).all():
        return texts_at(cells.data, cells.at, size).buffers()[2].to_pybytes(), ends
    bounds = zip(cells.at.tolist(), (cells.at + size).tolist(), strict=True)
    return b"".join([cells.data[a:b] for a, b in bounds]), ends


def _blocks(data: Buffer, at: Array, width: int) -> Array:
    """The bytes of a fixed width from each place on; shape ``(rows, width)``."""
    if not len(at) or not width:
        return np.zeros((len(at), width), np.uint8)
    everywhere = np.ndarray((len(data) - width + 1, width), np.uint8, data, strides=(1, 1))
    taken: Array = everywhere[at]
    return taken


def _nulled(made: pa.StringArray, cells: Cells) -> pa.StringArray:
    if not cells.null.any():
        return made
    return pc.if_else(pa.array(cells.null), pa.scalar(None, pa.string()), made)
