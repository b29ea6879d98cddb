r"""How is text that is not ASCII carried in VOTable, whose ``char`` is ASCII up to version 1.5?

A text column is declared ``unicodeChar`` where its datatype says so, or where the first piece of the answer
holds a character outside ASCII. Should one turn up later, in a column already declared ``char``, TABLEDATA
carries it all the same, being XML; BINARY2 carries an escape such as ``\xe9``, for astropy refuses a whole
document over a single byte of that kind.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from vo_server.formats.batches import payload


def wide_columns(columns: Sequence[Column], first: pa.RecordBatch | None) -> frozenset[int]:
    """The positions of the columns to be declared ``unicodeChar``, given the first piece if there is any."""
    return frozenset(
        i
        for i, column in enumerate(columns)
        if column.datatype.votable == "unicodeChar"
        or (first is not None and column.datatype.kind == "text" and not is_ascii(first.column(i)))
    )


def is_ascii(array: pa.Array) -> bool:
    """Whether a string array holds nothing but ASCII."""
    return not (np.frombuffer(payload(array), dtype=np.uint8) >= 0x80).any()


def narrow(array: pa.Array) -> pa.Array:
    """ASCII bytes of a string array, a backslash escape for each character that has none; NULL is empty."""
    filled = pc.fill_null(array, "")
    if is_ascii(filled):
        return filled.cast(pa.binary())
    return pa.array((value.encode("ascii", "backslashreplace") for value in filled.to_pylist()), pa.binary())


def wide(array: pa.Array) -> pa.Array:
    """UTF-16BE bytes of a string array; NULL is empty. Half the length of a value is its number of characters."""
    filled = pc.fill_null(array, "")
    data = payload(filled)
    encoded = str(data, "utf-8").encode("utf-16-be")
    ends = _units(np.frombuffer(data, dtype=np.uint8))[_offsets(filled)] * 2
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(encoded)]
    return pa.Array.from_buffers(pa.binary(), len(filled), buffers)


def _units(utf8: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many UTF-16 units there are before each byte and before the end: four bytes of UTF-8 make two units."""
    units = np.zeros(len(utf8) + 1, dtype=np.int64)
    np.cumsum(((utf8 & 0xC0) != 0x80) + (utf8 >= 0xF0).astype(np.int64), out=units[1:])
    return units


def _offsets(array: pa.Array) -> npt.NDArray[np.int32]:
    """Where each value begins in the payload, and where the last one ends."""
    if len(array) == 0:
        return np.zeros(1, dtype=np.int32)
    offsets: npt.NDArray[np.int32] = np.frombuffer(array.buffers()[1], dtype=np.int32)
    ours = offsets[array.offset : array.offset + len(array) + 1]
    from_start: npt.NDArray[np.int32] = ours - ours[0]
    return from_start
