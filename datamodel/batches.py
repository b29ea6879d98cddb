"""How do the values that a driver gives become Arrow arrays of the declared types?

Both databases must give the same arrays for the same values: booleans may come as numbers, timestamps as text
or `datetime`, geometry as text of numbers. A value that its column cannot hold is an error, as it is
one on PostgreSQL, and never quietly something else.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.arrays import lists, one
from datamodel.columns import Column
from datamodel.errors import UsageError

BATCH_ROWS = 16_384
BATCH_BYTES = 4 << 20
"""A batch ends about where it reaches either."""

FIRST_ROWS = 4
"""How many rows to fetch while it is not known how wide they are."""

_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError)


def record_batch(rows: Sequence[Any], columns: Sequence[Column]) -> pa.RecordBatch:
    """Rows as a driver or SQLAlchemy gives them, as one Arrow batch of the columns' types.

    Parameters
    ----------
    rows
        Sequences of values, one for each column.
    columns
        Describes the values.

    Raises
    ------
    UsageError
        A value is none of its column's type; the message names the column and quotes the value.
    """
    values: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = [_array(v, c) for v, c in zip(values, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Some batches of the same columns as one."""
    if len(batches) == 1:
        return batches[0]
    arrays = [pa.concat_arrays(parts) for parts in zip(*(b.columns for b in batches), strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=batches[0].schema.names)


def next_step(batch: pa.RecordBatch, most_rows: int) -> int:
    """How many rows to fetch after `batch`, so that wide rows do not fill the memory."""
    return int(min(most_rows, 1 + (BATCH_BYTES // 2) * batch.num_rows // max(batch.nbytes, 1)))


def dali_times(texts: pa.StringArray, column: Column) -> pa.StringArray:
    """Timestamps as DALI 1.1 section 3.3.3 has them: ``YYYY-MM-DDThh:mm:ss.sss``, UTC, cut and not rounded."""
    cut = pc.replace_substring(pc.utf8_slice_codeunits(texts, 0, 23), " ", "T")
    if pc.all(pc.equal(pc.utf8_length(cut), 23), min_count=0).as_py():
        return cut
    return pa.array([v if v is None else _dali_time(v, column) for v in texts.to_pylist()], pa.string())


def vectors(texts: pa.StringArray, column: Column) -> pa.ListArray:
    """Numbers between spaces, as lists; see `datamodel.arrays`."""
    try:
        return lists(texts, column)
    except (pa.ArrowInvalid, ValueError):
        values = [v if v is None else _elements(v, column) for v in texts.to_pylist()]
        return pa.array(values, column.datatype.arrow)


def narrowed(values: np.ndarray[Any, Any], null: np.ndarray[Any, Any] | None, column: Column) -> pa.Array:
    """Numbers of any numpy type in the column's; what is null, if anything is, is not looked at.

    Raises
    ------
    UsageError
        A number is outside the integer type of the column.
    """
    wanted = column.datatype.numpy
    if values.dtype == wanted:
        return pa.array(values, mask=null)
    if wanted.kind in "iu":
        limits = np.iinfo(wanted)
        values = values if null is None else np.where(null, 0, values)
        unfit = ~((values >= limits.min) & (values <= limits.max))
        if unfit.any():
            _refuse(values[unfit][0].item(), column)
    with np.errstate(over="ignore"):
        return pa.array(values.astype(wanted), mask=null)


def _array(values: Sequence[Any], column: Column) -> pa.Array:
    try:
        return _READERS[column.datatype.kind](values, column)
    except _UNFIT:
        one = _ONE[column.datatype.kind]
        return pa.array([v if v is None else one(v, column) for v in values], column.datatype.arrow)


def _plain(values: Sequence[Any], column: Column) -> pa.Array:
    return pa.array(values, column.datatype.arrow)


def _timestamps(values: Sequence[Any], column: Column) -> pa.Array:
    return dali_times(pa.array(values, pa.string()), column)


def _vectors(values: Sequence[Any], column: Column) -> pa.Array:
    return vectors(pa.array(values, pa.string()), column)


_READERS: dict[str, Callable[[Sequence[Any], Column], pa.Array]] = {
    "number": _plain,
    "text": _plain,
    "boolean": _plain,
    "timestamp": _timestamps,
    "geometry": _vectors,
    "array": _vectors,
}


def _number(value: Any, column: Column) -> int | float:
    """The number that a value is, cut where the column is one of integers."""
    try:
        if column.datatype.numpy.kind == "f":
            return float(value)
        whole = value if isinstance(value, int) else math.trunc(value)
    except (TypeError, ValueError, OverflowError):
        _refuse(value, column)
    limits = np.iinfo(column.datatype.numpy)
    return int(whole) if limits.min <= whole <= limits.max else _refuse(value, column)


def _truth(value: Any, column: Column) -> bool:
    return bool(value) if isinstance(value, int | float) else _refuse(value, column)


def _dali_time(value: Any, column: Column) -> str:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        _refuse(value, column)
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _elements(value: Any, column: Column) -> list[Any]:
    try:
        elements = one(value, column)
        pa.array(elements, column.datatype.arrow.value_type)
    except _UNFIT:
        _refuse(value, column)
    return elements


_ONE: dict[str, Callable[[Any, Column], Any]] = {
    "number": _number,
    "text": lambda value, _column: str(value),
    "boolean": _truth,
    "timestamp": _dali_time,
    "geometry": _elements,
    "array": _elements,
}


def _refuse(value: Any, column: Column) -> NoReturn:
    quoted = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}..."
    raise UsageError(f"column '{column.name}': {quoted} is outside what {column.type} can hold")
