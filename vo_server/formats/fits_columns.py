"""How does a column lie in a binary table of FITS, once it is known what all its values are?

What has a width of its own, and text that does not waste much, lies in the rows; of other text and lists a row
holds length and place, and the values lie in the heap behind the rows (FITS 4.0 section 7.3).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from datamodel.errors import ArchiveError
from vo_server.formats.batches import flat_list, payload
from vo_server.formats.binary import candidates

NARROW_CHARACTERS = 64
MOST_WASTE = 4
"""Text lies in the rows if it has no more characters than the one, or takes up to the other times its room."""

_LETTERS = {
    pa.bool_(): ("L", "u1"),
    pa.uint8(): ("B", "u1"),
    pa.int16(): ("I", ">i2"),
    pa.int32(): ("J", ">i4"),
    pa.int64(): ("K", ">i8"),
    pa.float32(): ("E", ">f4"),
    pa.float64(): ("D", ">f8"),
    pa.binary(): ("A", "u1"),
}
_COMPLEX = {"E": "C", "D": "M"}

Values = npt.NDArray[Any]


@dataclass
class Seen:
    """What has been seen of a column so far.

    Attributes
    ----------
    column
        The column, whose values are narrow text, numbers, or lists of either.
    rows, has_null
        How many there are, and whether one or an element of one is NULL.
    total, longest, widest
        Elements of all values, of the longest value, and characters of the widest text in a list of texts.
    unused
        Whole numbers that no value has.
    """

    column: Column
    rows: int = 0
    has_null: bool = False
    total: int = 0
    longest: int = 0
    widest: int = 0
    unused: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        type = element_type(self.column.datatype.arrow)
        if pa.types.is_integer(type):
            self.unused = candidates(type, 8)

    def look(self, array: pa.Array) -> None:
        """Take another piece into account."""
        self.rows += len(array)
        lengths = _lengths(array)
        self.total += int(lengths.sum())
        self.longest = max(self.longest, int(lengths.max(initial=0)))
        elements = pc.list_flatten(array) if _is_list(array.type) else array
        self.has_null = self.has_null or bool(array.null_count or elements.null_count)
        if pa.types.is_binary(elements.type):
            self.widest = max(self.widest, pc.max(pc.binary_length(elements)).as_py() or 0)
        if self.unused:
            used = pc.is_in(pa.array(self.unused, elements.type), value_set=elements).to_pylist()
            self.unused = [value for value, is_used in zip(self.unused, used, strict=True) if not is_used]


@dataclass(frozen=True)
class Laid:
    """A column as it lies in the table.

    Attributes
    ----------
    column
        What it is.
    tform, tdim, tnull
        For the header; None where there is none.
    dtype, shape
        Of its part of a row.
    values
        Makes the parts of the rows; None where they are length and place in the heap.
    heap
        Makes the values in the heap, end to end, and the length of each.
    item_bytes
        Of an element in the heap.
    """

    column: Column
    tform: str
    dtype: str
    shape: tuple[int, ...] = ()
    tdim: str | None = None
    tnull: int | None = None
    values: Callable[[pa.Array], Values] | None = None
    heap: Callable[[pa.Array], tuple[bytes, Values]] | None = None
    item_bytes: int = 1


def element_type(type: pa.DataType) -> pa.DataType:
    """The type of a value, or of the elements where it is a list; text is bytes."""
    element = type.value_type if _is_list(type) else type
    return pa.binary() if pa.types.is_string(element) else element


def lay(seen: Seen, long_heap: bool) -> Laid:
    """How the column lies, given what all its values are.

    Parameters
    ----------
    seen
        After all pieces.
    long_heap
        Whether the heap is so large that places in it need 64 bits.

    Raises
    ------
    ArchiveError
        A list does not have the length that was declared, or no number is left to stand for NULL.
    """
    type = seen.column.datatype.arrow
    is_text = element_type(type) == pa.binary()
    if _is_list(type) and is_text:
        return _texts(seen)
    if in_heap(seen):
        return _in_heap(seen, long_heap)
    return _text(seen) if is_text else _numbers(seen)


def in_heap(seen: Seen) -> bool:
    """Whether the values lie in the heap."""
    type = seen.column.datatype.arrow
    if element_type(type) == pa.binary():
        wasted = seen.longest * seen.rows > MOST_WASTE * seen.total
        return not _is_list(type) and seen.longest > NARROW_CHARACTERS and wasted
    return _is_list(type) and not seen.column.extent.fixed


def heap_bytes(seen: Seen) -> int:
    """How much room the values take in the heap."""
    return seen.total * np.dtype(_letter(seen.column)[1]).itemsize if in_heap(seen) else 0


def _letter(column: Column) -> tuple[str, str]:
    letter, dtype = _LETTERS[element_type(column.datatype.arrow)]
    return (_COMPLEX[letter] if column.datatype.parts == 2 else letter), dtype


def _numbers(seen: Seen) -> Laid:
    column, tnull = seen.column, _tnull(seen)
    letter, dtype = _letter(column)
    if not _is_list(column.datatype.arrow):
        return Laid(column, f"1{letter}", dtype, tnull=tnull, values=lambda a: _elements(a, tnull, dtype))
    width = (column.extent.most or 0) * column.datatype.parts
    tform = f"{width // column.datatype.parts}{letter}"

    def table(array: pa.Array) -> Values:
        flat, lengths = flat_list(array)
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        if (lengths.to_numpy(zero_copy_only=False)[valid] != width).any():
            raise ArchiveError(f"column {column.name}: a value has not the {width} elements of all values")
        missing = pa.nulls(1, flat.type)
        made = np.empty((len(array), width), dtype)
        made[~valid] = _elements(missing, tnull, dtype)
        made[valid] = _elements(flat, tnull, dtype).reshape(-1, width)
        return made

    return Laid(column, tform, dtype, (width,), _tdim(column), tnull, table)


def _in_heap(seen: Seen, long_heap: bool) -> Laid:
    column, tnull = seen.column, _tnull(seen)
    letter, dtype = _letter(column)
    parts = column.datatype.parts
    place, integer = ("Q", ">i8") if long_heap else ("P", ">i4")

    def heap(array: pa.Array) -> tuple[bytes, Values]:
        if pa.types.is_binary(array.type):
            return bytes(payload(pc.fill_null(array, b""))), _lengths(array)
        flat, _ = flat_list(array)
        return _elements(flat, tnull, dtype).tobytes(), _lengths(array) // parts

    item_bytes = np.dtype(dtype).itemsize * parts
    tform = f"1{place}{letter}({seen.longest // parts})"
    return Laid(column, tform, integer, (2,), None, tnull, None, heap, item_bytes)


def _text(seen: Seen) -> Laid:
    width = max(seen.longest, 1)
    return Laid(seen.column, f"{width}A", f"S{width}", values=lambda array: _padded(array, width))


def _texts(seen: Seen) -> Laid:
    """Lists of texts: as many and as wide in every row as the longest list and the widest text need."""
    width, most = max(seen.widest, 1), max(seen.longest, 1)
    if width * most * seen.rows > MOST_WASTE * max(seen.total * width, NARROW_CHARACTERS * seen.rows):
        raise ArchiveError(
            f"column {seen.column.name}: its lists of texts are too uneven for FITS; ask for another format"
        )

    def table(array: pa.Array) -> Values:
        flat, lengths = flat_list(array)
        counts = lengths.to_numpy(zero_copy_only=False)
        made = np.zeros((len(array), most), f"S{width}")
        made[np.arange(most) < counts[:, None]] = _padded(flat, width)
        return made

    return Laid(seen.column, f"{width * most}A", f"S{width}", (most,), f"({width},{most})", values=table)


def _tnull(seen: Seen) -> int | None:
    if not seen.has_null or not pa.types.is_integer(element_type(seen.column.datatype.arrow)):
        return None
    if not seen.unused:
        raise ArchiveError(
            f"column {seen.column.name}: no number is left to stand for NULL in FITS; ask for another format"
        )
    return seen.unused[0]


def _tdim(column: Column) -> str | None:
    sizes = (column.votable_arraysize or "").split("x")
    return f"({','.join(sizes)})" if len(sizes) > 1 else None


def _elements(array: pa.Array, tnull: int | None, dtype: str) -> Values:
    if pa.types.is_boolean(array.type):
        letters = pc.if_else(array, pa.scalar(ord("T"), pa.uint8()), pa.scalar(ord("F"), pa.uint8()))
        return pc.fill_null(letters, 0).to_numpy()  # type: ignore[no-any-return]
    missing: float = float("nan") if pa.types.is_floating(array.type) else tnull or 0
    values = pc.fill_null(array, pa.scalar(missing, array.type)).to_numpy(zero_copy_only=False)
    return values.astype(dtype)  # type: ignore[no-any-return]


def _padded(array: pa.Array, width: int) -> Values:
    filled = pc.ascii_rpad(pc.fill_null(array, b"").cast(pa.string()), width=width, padding="\0")
    return np.frombuffer(payload(filled), dtype=f"S{width}")


def _lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """Elements of each value; 0 for NULL."""
    if _is_list(array.type):
        counted = pc.list_value_length(array)
    elif pa.types.is_binary(array.type):
        counted = pc.binary_length(array)
    else:
        return np.ones(len(array), dtype=np.int64)
    return pc.fill_null(counted, 0).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _is_list(type: pa.DataType) -> bool:
    return bool(pa.types.is_list(type))
