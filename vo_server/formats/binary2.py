"""How does a batch become BINARY2 rows, and a stream of bytes base64?

A row is a mask with a bit set for each NULL, the first column in the highest bit, then the columns, big-endian
(VOTable 1.4 section 5.4). Columns of fixed width up to and including the length of the next column of
variable width make one structured array; joining these with the variable values, element by element,
gives an Arrow array whose data buffer is the rows, so that nothing is done row by row.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pybase64

from datamodel.arrays import KINDS
from datamodel.columns import Column
from datamodel.errors import ArchiveError
from vo_server.formats.batches import payload
from vo_server.formats.characters import narrow, wide
from vo_server.formats.elements import bits, character_bytes, counted, element_dtype, elements, list_length

_LINE = 3 << 16
_MASK = "mask"


@dataclass(frozen=True)
class _Field:
    """How one column is written.

    Attributes
    ----------
    dtype, shape
        Of what has fixed width: the values, or the length of each value.
    fixed
        Makes the values, first axis rows; None where the width varies.
    variable
        Makes the bytes that follow the length, one value a row without NULL, and the length, which counts
        characters, elements or bits; None where the width is fixed.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fixed: Callable[[pa.Array], npt.NDArray[Any]] | None
    variable: Callable[[pa.Array], tuple[pa.Array, npt.NDArray[Any]]] | None = None


@dataclass(frozen=True)
class _Segment:
    """Neighbouring columns whose fixed parts make one structured array; only the last may be variable."""

    dtype: np.dtype[Any]
    fields: dict[int, _Field]


class Encoder:
    """Writes batches of the given columns as BINARY2 rows.

    Parameters
    ----------
    columns
        What they are.
    wide
        The positions of those that are ``unicodeChar``.
    mask
        Whether a mask of NULLs begins each row; the older BINARY has none.
    """

    def __init__(self, columns: tuple[Column, ...], wide: Collection[int] = (), *, mask: bool = True) -> None:
        self._segments = _planned(tuple(columns), frozenset(wide), mask)

    def __call__(self, batch: pa.RecordBatch) -> memoryview:
        """The rows of a batch whose columns have their declared Arrow types.

        Raises
        ------
        ArchiveError
            A value does not have the length that the column was declared to have.
        """
        parts: list[pa.Array] = []
        for segment in self._segments:
            parts += _parts(segment, batch)
        return payload(pc.binary_join_element_wise(*parts, b"") if len(parts) > 1 else parts[0])


@lru_cache(maxsize=256)
def _planned(columns: tuple[Column, ...], wide: frozenset[int], mask: bool) -> list[_Segment]:
    return _segments([_field(column, i in wide) for i, column in enumerate(columns)], mask)


def base64(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Base64 of the chunks end to end, in lines of at most 256 KiB: padding comes only at the very end."""
    carry = b""
    for chunk in chunks:
        data = memoryview(chunk)
        missing = -len(carry) % 3
        if len(data) < missing:
            carry += bytes(data)
            continue
        whole = missing + (len(data) - missing) // 3 * 3
        lines = [pybase64.b64encode(carry + bytes(data[:missing]))] if carry else []
        lines += [pybase64.b64encode(data[i : min(i + _LINE, whole)]) for i in range(missing, whole, _LINE)]
        carry = bytes(data[whole:])
        yield b"\n".join([*lines, b""])
    if carry:
        yield pybase64.b64encode(carry) + b"\n"


def _parts(segment: _Segment, batch: pa.RecordBatch) -> list[pa.Array]:
    """The structured array as bytes and, where the last column is variable, its values."""
    packed = np.empty(batch.num_rows, dtype=segment.dtype)
    tail = []
    if _MASK in (segment.dtype.names or ()):
        packed[_MASK] = _null_mask(batch)
    for i, field in segment.fields.items():
        if field.fixed:
            packed[str(i)] = field.fixed(batch.column(i))
        if field.variable:
            values, packed[str(i)] = field.variable(batch.column(i))
            tail.append(values)
    return [_as_binary(packed), *tail]


def _null_mask(batch: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    """Shape ``(rows, bytes)``."""
    null = np.zeros((batch.num_columns, batch.num_rows), dtype=bool)
    for i, array in enumerate(batch.columns):
        if array.null_count:
            null[i] = array.is_null().to_numpy(zero_copy_only=False)
    return np.packbits(null, axis=0).T


def _segments(fields: list[_Field], mask: bool) -> list[_Segment]:
    segments = []
    names: list[Any] = [(_MASK, "u1", ((len(fields) + 7) // 8,))] if mask else []
    members: dict[int, _Field] = {}
    for i, field in enumerate(fields):
        names.append((str(i), field.dtype, field.shape))
        members[i] = field
        if field.variable or i == len(fields) - 1:
            segments.append(_Segment(np.dtype(names), members))
            names, members = [], {}
    return segments


def _as_binary(packed: npt.NDArray[Any]) -> pa.Array:
    """An array of records as an Arrow array of their bytes, without copying."""
    width, n = packed.dtype.itemsize, len(packed)
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(packed)])


def _field(column: Column, is_wide: bool) -> _Field:
    kind, extent = column.datatype.kind, column.extent
    if kind in _SCALARS:
        return _SCALARS[kind](column)
    if kind in KINDS:
        make = _BITS if column.datatype.votable == "bit" else _LISTS
        return make[extent.fixed](column)
    if is_wide and column.datatype.votable == "char":
        return _WIDE_TEXT
    if extent.fixed:
        return _fixed_text(column)
    return _WIDE_TEXT if is_wide else _NARROW_TEXT


def _number(column: Column) -> _Field:
    if column.datatype.votable == "bit":
        return _bit(column)
    floating = pa.types.is_floating(column.datatype.arrow)
    null = pa.scalar(float("nan") if floating else 0, column.datatype.arrow)
    return _Field(
        column.datatype.numpy.newbyteorder(">"), (), lambda array: pc.fill_null(array, null).to_numpy()
    )


def _boolean(column: Column) -> _Field:
    def letters(array: pa.Array) -> npt.NDArray[Any]:
        true = array.fill_null(False).to_numpy(zero_copy_only=False)
        written = np.where(true, b"T", b"F")
        written[array.is_null().to_numpy(zero_copy_only=False)] = b"?"
        return written

    return _Field(np.dtype("S1"), (), letters)


def _bit(column: Column) -> _Field:
    """A bit is the first of its byte (VOTable 1.4 section 6.3); astropy looks at the fifth, so both are set."""
    return _Field(np.dtype("u1"), (), lambda array: np.where(pc.fill_null(array, 0).to_numpy() != 0, 0x88, 0))


def _fixed_text(column: Column) -> _Field:
    width = column.extent.most or 0
    size = character_bytes(column)
    encode = wide if size == 2 else narrow

    def padded(array: pa.Array) -> npt.NDArray[Any]:
        written = encode(array)
        _check((pc.max(pc.binary_length(written)).as_py() or 0) // size, width, "<=", column)
        if size > 1 or width == 0:
            return np.array(written.to_pylist(), dtype=f"S{width * size}")
        filled = pc.ascii_rpad(written.cast(pa.string()), width=width, padding="\0")
        return np.frombuffer(payload(filled), dtype=f"S{width}")

    return _Field(np.dtype(f"S{width * size}"), (), padded)


def _fixed_list(column: Column) -> _Field:
    dtype, width = element_dtype(column), list_length(column)
    filler = math.nan if dtype.kind == "f" else 0 if dtype.kind in "iu" else b""

    def table(array: pa.Array) -> npt.NDArray[Any]:
        return _table(array, *elements(array, column), np.full((len(array), width), filler, dtype), column)

    return _Field(dtype, (width,), table)


def _variable_list(column: Column) -> _Field:
    size = element_dtype(column).itemsize
    times, per = counted(column)

    def values(array: pa.Array) -> tuple[pa.Array, npt.NDArray[Any]]:
        flat, lengths = elements(array, column)
        return _binary(flat, lengths * size), lengths * times // per

    return _variable(values)


def _fixed_bits(column: Column) -> _Field:
    width = list_length(column)

    def table(array: pa.Array) -> npt.NDArray[Any]:
        empty = np.zeros((len(array), width), dtype=bool)
        return np.packbits(_table(array, *bits(array), empty, column), axis=1)

    return _Field(np.dtype("u1"), ((width + 7) // 8,), table)


def _variable_bits(column: Column) -> _Field:
    def values(array: pa.Array) -> tuple[pa.Array, npt.NDArray[Any]]:
        flat, lengths = bits(array)
        sizes = (lengths + 7) // 8
        before = np.cumsum(sizes * 8 - lengths) - (sizes * 8 - lengths)
        spread = np.zeros(int(sizes.sum()) * 8, dtype=bool)
        spread[np.arange(len(flat)) + np.repeat(before, lengths)] = flat
        return _binary(np.packbits(spread), sizes), lengths

    return _variable(values)


def _table(
    array: pa.Array,
    flat: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    empty: npt.NDArray[Any],
    column: Column,
) -> npt.NDArray[Any]:
    """Fills `empty`, of shape ``(rows, elements)``, but for the rows that are NULL."""
    width = empty.shape[1]
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    for given in np.unique(lengths[valid]):
        _check(int(given), width, "==", column)
    empty[valid] = flat.reshape(-1, width)
    return empty


def _check(given: int, width: int, relation: str, column: Column) -> None:
    if given > width or (relation == "==" and given != width):
        raise ArchiveError(f"column {column.name}: a value of length {given} where arraysize is '{width}'")


def _variable(values: Callable[[pa.Array], tuple[pa.Array, npt.NDArray[Any]]]) -> _Field:
    return _Field(np.dtype(">i4"), (), None, values)


def _text(encode: Callable[[pa.Array], pa.Array], character_bytes: int) -> _Field:
    def values(array: pa.Array) -> tuple[pa.Array, npt.NDArray[Any]]:
        encoded = encode(array)
        return encoded, pc.binary_length(encoded).to_numpy() // character_bytes

    return _variable(values)


def _binary(flat: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> pa.Array:
    """The bytes of an array, cut into values of the given sizes."""
    offsets = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(flat)])


_SCALARS = {"number": _number, "boolean": _boolean}
_LISTS = {True: _fixed_list, False: _variable_list}
_BITS = {True: _fixed_bits, False: _variable_bits}
_NARROW_TEXT = _text(narrow, 1)
_WIDE_TEXT = _text(wide, 2)
