"""How do arrays stand in a database: as text, numbers between spaces, on every database alike?

An element that is missing is ``null``, or ``nan`` where it is a floating-point number; an empty array is an
empty text. Arrays of texts are JSON, for a text may hold spaces.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column

KINDS = ("array", "geometry")
"""The kinds of datatype whose values are lists."""

_MISSING = "null"


def stored(array: pa.Array, column: Column) -> pa.Array:
    """A column of a batch as a database keeps it: lists as text, all else as it is.

    Parameters
    ----------
    array
        Of the type ``column.datatype.arrow``.
    column
        What it is.
    """
    if column.datatype.kind not in KINDS:
        return array
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        return pa.array([v if v is None else json.dumps(v) for v in array.to_pylist()], pa.string())
    values = pc.list_flatten(array)
    if pa.types.is_boolean(element):
        values = values.cast(pa.uint8())
    texts = pc.fill_null(values.cast(pa.string()), "nan" if pa.types.is_floating(element) else _MISSING)
    lists = pa.ListArray.from_arrays(_offsets(pc.list_value_length(array)), texts)
    return pc.if_else(array.is_valid(), pc.binary_join(lists, " "), pa.scalar(None, pa.string()))


def lists(texts: pa.StringArray, column: Column) -> pa.ListArray:
    """What `stored` wrote, as lists again.

    Raises
    ------
    pyarrow.ArrowInvalid, ValueError
        A text is none that `stored` writes.
    """
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        read = [v if v is None else json.loads(v) for v in texts.to_pylist()]
        return pa.array(read, column.datatype.arrow)
    trimmed = pc.utf8_trim_whitespace(texts)
    split = pc.utf8_split_whitespace(trimmed)
    words, lengths = pc.list_flatten(split), pc.list_value_length(split)
    if pc.any(pc.equal(trimmed, "")).as_py():
        words = words.filter(pc.not_equal(words, ""))
        lengths = pc.if_else(pc.equal(trimmed, ""), 0, lengths)
    if not pa.types.is_floating(element):
        words = pc.if_else(pc.equal(words, _MISSING), pa.scalar(None, pa.string()), words)
    null = texts.is_null() if texts.null_count else None
    return pa.ListArray.from_arrays(_offsets(lengths), words.cast(element), mask=null)


def one(value: Any, column: Column) -> list[Any]:
    """One value as `lists` reads it, or any sequence of elements.

    Raises
    ------
    TypeError, ValueError
        It is neither.
    """
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        return [str(v) for v in (json.loads(value) if isinstance(value, str) else value)]
    make: Callable[[Any], Any] = float if pa.types.is_floating(element) else int
    if pa.types.is_boolean(element):
        make = _truth
    words = value.split() if isinstance(value, str) else value
    return [None if word is None or word == _MISSING else make(word) for word in words]


def _truth(value: Any) -> bool:
    return bool(int(value))


def _offsets(lengths: pa.Array) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False), out=offsets[1:])
    return pa.array(offsets)
