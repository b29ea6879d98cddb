"""How does PostgreSQL give an answer fastest: COPY in binary form, decoded a batch at a time?

The format is described in PostgreSQL's manual under COPY, "Binary Format", and the messages under "Message
Formats", CopyData: one that the server sends holds one row. So the lengths of the messages say where rows
start, and each column of a batch is gathered by numpy or Arrow at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.batches import dali_times, narrowed, vectors
from datamodel.columns import Column
from datamodel.slices import texts_at

HEADER_BYTES = 19
"""The header has a fixed length, unless the server says more in it than any does yet; it comes with the first row."""
TRAILER = b"\xff\xff"
"""What follows the last row."""

_EPOCH_US = 946_684_800_000_000  # 2000-01-01, from which PostgreSQL counts
_NEVER = np.iinfo("i8").max

Array = np.ndarray[Any, Any]
Buffer = bytes | bytearray

_NUMBERS = {16: "?", 20: ">i8", 21: ">i2", 23: ">i4", 700: ">f4", 701: ">f8"}
_TIMES = {1114: ">i8", 1184: ">i8"}
_TEXTS = frozenset((19, 25, 1042, 1043))
_DIRECT: dict[str, frozenset[int]] = {
    "number": frozenset(_NUMBERS),
    "boolean": frozenset(_NUMBERS),
    "text": _TEXTS,
    "geometry": _TEXTS,
    "array": _TEXTS,
    "timestamp": frozenset(_TIMES) | _TEXTS,
}
"""Which types of PostgreSQL, by their numbers, are decoded here as which kind of datatype."""

_CASTS: dict[tuple[str, int], tuple[str, int]] = {
    ("f", 25): ("float8", 701),
    ("f", 1700): ("float8", 701),
    ("i", 25): ("int8", 20),
    ("i", 1700): ("int8", 20),
    ("u", 25): ("int8", 20),
    ("u", 1700): ("int8", 20),
    ("boolean", 25): ("bool", 16),
    ("timestamp", 1082): ("timestamp", 1114),
    ("text", 18): ("text", 25),
    ("text", 2950): ("text", 25),
}
"""What the database is asked to cast to: by kind of datatype (of a number, kind of numpy type) and type."""


_WIDEST: dict[str, tuple[str, int]] = {
    "f": ("float8", 701),
    "i": ("int8", 20),
    "u": ("int8", 20),
    "boolean": ("bool", 16),
    "timestamp": ("timestamp", 1114),
    "text": ("text", 25),
    "geometry": ("text", 25),
    "array": ("text", 25),
}
"""The same for a field of the right kind whose type is not known."""


_STORED: dict[str, tuple[str, int]] = {"f4": ("float4", 700), "i2": ("int2", 21), "i4": ("int4", 23)}
"""The same for a number that is kept as the type, by numpy's name."""


@dataclass(frozen=True)
class RowsOfCopy:
    """Rows in COPY's binary form, without its header and trailer.

    Attributes
    ----------
    data
        Has them, and eight bytes more at its end.
    begins, ends
        Where each begins and ends in the data. It has the number of fields in two bytes, and for each field its
        length in four (-1 is NULL) and its bytes.
    """

    data: Buffer
    begins: Array
    ends: Array

    @classmethod
    def of(cls, rows: list[bytes]) -> "RowsOfCopy":
        """Rows that are given one by one."""
        ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
        begins = np.concatenate(([0], ends[:-1]))
        return cls(b"".join((*rows, bytes(8))), begins, ends)


def decode(rows: RowsOfCopy, columns: Sequence[Column], types: Sequence[int]) -> pa.RecordBatch:
    """Some rows as one Arrow batch of the columns' types.

    Parameters
    ----------
    rows
        As the server sends them.
    columns
        Describes the fields.
    types
        The numbers (OID) of the fields' types on the server.

    Raises
    ------
    UsageError
        A value is none of its column's type.
    """
    data, at = rows.data, rows.begins
    if not (_gathered(data, at, ">i2") == len(columns)).all():
        raise ValueError(f"rows of COPY that have not {len(columns)} fields")
    at = at + 2
    arrays = []
    for column, type_ in zip(columns, types, strict=True):
        size = _gathered(data, at, ">i4").astype(np.int32)
        at += 4
        null = size < 0 if size.min() < 0 else None
        if null is not None:
            size[null] = 0
        arrays.append(_field(data, at, size, null, column, type_))
        at += size
    if not np.array_equal(at, rows.ends):
        raise ValueError("rows of COPY that do not end where their last field does")
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def receivable(columns: Sequence[Column], types: Sequence[int]) -> tuple[list[str], list[int]] | None:
    """What each field must be cast to, or "", and the types then, so that `decode` knows them; None if none do."""
    wanted: list[tuple[str, int]] = []
    for column, type_ in zip(columns, types, strict=True):
        kind = column.datatype.kind
        cast = _CASTS.get((column.datatype.numpy.kind if kind == "number" else kind, type_))
        if cast is None and type_ not in _DIRECT[kind]:
            return None
        wanted.append(cast or ("", type_))
    return [cast for cast, _ in wanted], [type_ for _, type_ in wanted]


def received(columns: Sequence[Column], stored: bool = False) -> tuple[list[str], list[int]]:
    """What each field must be cast to so that `decode` knows it, whatever its type is, and the types then.

    A field must be of its column's kind; the widest type of each kind holds all that the others do. Where the
    fields are `stored` columns, they are of their own types.
    """
    wanted = []
    for datatype in (c.datatype for c in columns):
        kind = datatype.numpy.kind if datatype.kind == "number" else datatype.kind
        wanted.append(_STORED.get(datatype.numpy.str[1:], _WIDEST[kind]) if stored else _WIDEST[kind])
    return [cast for cast, _ in wanted], [type_ for _, type_ in wanted]


def _gathered(data: Buffer, at: Array, dtype: str) -> Array:
    """The values of a fixed width that start at some bytes, aligned or not."""
    width = np.dtype(dtype).itemsize
    everywhere = np.ndarray((len(data) - width + 1,), dtype, data, strides=(1,))
    taken: Array = everywhere[at]
    return taken


def _field(data: Buffer, at: Array, size: Array, null: Array | None, column: Column, type_: int) -> pa.Array:
    if type_ in _TEXTS:
        texts = texts_at(data, at, size, null)
        convert = _OF_TEXT.get(column.datatype.kind)
        return convert(texts, column) if convert else texts
    if type_ in _TIMES:
        return _timestamps(_gathered(data, at, ">i8"), null)
    values = _gathered(data, at, _NUMBERS[type_])
    if column.datatype.kind == "boolean":
        return pa.array(values != 0, mask=null)
    return narrowed(values.astype(values.dtype.newbyteorder("=")), null, column)


_OF_TEXT: dict[str, Callable[[pa.StringArray, Column], pa.Array]] = {
    "timestamp": dali_times,
    "geometry": vectors,
    "array": vectors,
}


def _timestamps(microseconds: Array, null: Array | None) -> pa.StringArray:
    """DALI text of microseconds since 2000; what is infinite is NULL."""
    counted = microseconds.astype(np.int64)
    never = (counted == _NEVER) | (counted == -_NEVER - 1)
    null = never if null is None else never | null
    milliseconds = (np.where(null, 0, counted) + _EPOCH_US) // 1000
    written = pa.array(milliseconds, pa.timestamp("ms"), mask=null).cast(pa.string())
    return pc.replace_substring(written, " ", "T")
