"""How does a batch become BINARY2 rows, and a stream of bytes base64?

A row is a mask with a bit set for each NULL, the first column in the highest bit, then the columns, big-endian
(VOTable 1.4 section 5.4). Columns of fixed width up to and including the length of the next column of
variable width make one structured array; joining these with the variable values, element by element,
gives an Arrow array whose data buffer is the rows, so that nothing is done row by row.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pybase64

from datamodel.columns import Column
from datamodel.errors import ArchiveError
from vo_server.formats.batches import flat_list, payload
from vo_server.formats.characters import narrow, wide

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
        Makes the bytes that follow the length, one value a row without NULL; None where the width is fixed.
    item_bytes
        How many of those bytes the length counts as one.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fixed: Callable[[pa.Array], npt.NDArray[Any]] | None
    variable: Callable[[pa.Array], pa.Array] | None = None
    item_bytes: int = 1


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
        self._segments = _segments([_field(column, i in wide) for i, column in enumerate(columns)], mask)

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
            values = field.variable(batch.column(i))
            packed[str(i)] = pc.binary_length(values).to_numpy() // field.item_bytes
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
    kind = column.datatype.kind
    if kind in _SCALARS:
        return _SCALARS[kind](column)
    is_fixed = (column.votable_arraysize or "").isdigit() and not is_wide
    if kind == "geometry":
        return _fixed_list(column) if is_fixed else _VARIABLE_LIST
    return _fixed_text(column) if is_fixed else _WIDE_TEXT if is_wide else _NARROW_TEXT


def _number(column: Column) -> _Field:
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


def _fixed_text(column: Column) -> _Field:
    width = int(column.votable_arraysize or "1")

    def padded(array: pa.Array) -> npt.NDArray[Any]:
        written = narrow(array)
        _check(pc.max(pc.binary_length(written)).as_py() or 0, width, "<=", column)
        filled = pc.ascii_rpad(written.cast(pa.string()), width=width, padding="\0")
        return np.frombuffer(payload(filled), dtype=f"S{width}")

    return _Field(np.dtype(f"S{width}"), (), padded)


def _fixed_list(column: Column) -> _Field:
    width = int(column.votable_arraysize or "1")

    def table(array: pa.Array) -> npt.NDArray[Any]:
        elements, lengths = flat_list(array)
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        for given in np.unique(lengths.to_numpy()[valid]):
            _check(int(given), width, "==", column)
        values = np.full((len(array), width), np.nan)
        values[valid] = _doubles(elements).reshape(-1, width)
        return values

    return _Field(np.dtype(">f8"), (width,), table)


def _check(given: int, width: int, relation: str, column: Column) -> None:
    if given > width or (relation == "==" and given != width):
        raise ArchiveError(f"column {column.name}: a value of length {given} where arraysize is '{width}'")


def _variable(values: Callable[[pa.Array], pa.Array], item_bytes: int) -> _Field:
    return _Field(np.dtype(">i4"), (), None, values, item_bytes)


def _list_bytes(array: pa.Array) -> pa.Array:
    elements, lengths = flat_list(array)
    offsets = np.zeros(len(array) + 1, dtype=np.int32)
    np.cumsum(lengths.to_numpy() * 8, out=offsets[1:])
    data = _doubles(elements).astype(">f8")
    return pa.Array.from_buffers(pa.binary(), len(array), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _doubles(elements: pa.Array) -> npt.NDArray[np.float64]:
    return pc.fill_null(elements, float("nan")).to_numpy()  # type: ignore[no-any-return]


_SCALARS = {"number": _number, "boolean": _boolean}
_NARROW_TEXT = _variable(narrow, 1)
_WIDE_TEXT = _variable(wide, 2)
_VARIABLE_LIST = _variable(_list_bytes, 8)
