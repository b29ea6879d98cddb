"""How does a batch become rows of BINARY, the serialization before BINARY2 (VOTable 1.4 section 5.3)?

It has no mask: text that is NULL is empty, floating point NaN, and of whole numbers one value is set aside in
each column and told of in ``VALUES null``; an array of fixed length that is NULL has nothing but such elements.
The value is the least one, unless the first piece of the answer has it. Should it turn up later, the table ends
with an error: it must not be read as NULL.
"""

from collections.abc import Callable, Collection, Mapping
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from datamodel.errors import ArchiveError
from vo_server.formats.batches import flat_list
from vo_server.formats.binary2 import Encoder
from vo_server.formats.elements import list_length

_TRIED = 300
"""More values than an unsigned byte has."""


def set_aside(columns: tuple[Column, ...], first: pa.RecordBatch | None) -> dict[int, int]:
    """The value that means NULL in each column of whole numbers, by position.

    Parameters
    ----------
    columns
        What they are.
    first
        The first piece of the answer, if there is any. An unsigned byte has no value to set aside where this
        has all of them, and a bit never has one.
    """
    found = {}
    for i, column in enumerate(columns):
        kind = _element_type(column)
        declared = kind != column.datatype.arrow and column.null is not None
        if pa.types.is_integer(kind) and column.datatype.votable != "bit" and not declared:
            unused = _unused(kind, _flat(first.column(i)) if first else None)
            if unused is not None:
                found[i] = unused
    return found


def encoder(
    columns: tuple[Column, ...], wide: Collection[int], nulls: Mapping[int, int]
) -> Callable[[pa.RecordBatch], memoryview]:
    """What writes batches of the columns, with the given values for NULL."""
    rows = Encoder(columns, wide, mask=False)

    def encode(batch: pa.RecordBatch) -> memoryview:
        arrays = [_without_null(array, columns[i], nulls.get(i)) for i, array in enumerate(batch.columns)]
        return rows(pa.RecordBatch.from_arrays(arrays, names=batch.schema.names))

    return encode


def _element_type(column: Column) -> pa.DataType:
    """The Arrow type of the elements of a column of arrays, or of its values."""
    kind = column.datatype.arrow
    return kind.value_type if pa.types.is_list(kind) else kind


def _flat(array: pa.Array) -> pa.Array:
    return pc.list_flatten(array) if pa.types.is_list(array.type) else array


def _without_null(array: pa.Array, column: Column, null: int | None) -> pa.Array:
    if not pa.types.is_list(array.type):
        return _filled(array, column, null) if pa.types.is_integer(array.type) else array
    if array.null_count and column.extent.fixed:
        if column.datatype.votable == "bit":
            raise ArchiveError(
                f"column {column.name}: there are no bits that stand for NULL; ask for BINARY2"
            )
        nothing = pa.scalar([None] * list_length(column), array.type)
        array = pc.if_else(array.is_null(), nothing, array)
    if (null is None and column.null is not None) or not pa.types.is_integer(array.type.value_type):
        return array
    elements, lengths = flat_list(array)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, _filled(elements, column, null), mask=array.is_null())


def candidates(type: pa.DataType, most: int) -> list[int]:
    """Values of an integer type, those that mean something by themselves last."""
    bits = type.bit_width
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if pa.types.is_signed_integer(type) else (0, 255)
    rising, falling = range(low, min(low + most, high)), range(high, max(high - most, low), -1)
    ordered = chain.from_iterable(zip(rising, falling, strict=False) if low else zip(falling, strict=False))
    return list(dict.fromkeys([*ordered, low]))[:most]


def _unused(type: pa.DataType, array: pa.Array | None) -> int | None:
    tried = candidates(type, _TRIED)
    if array is None:
        return tried[0]
    used = pc.is_in(pa.array(tried, type), value_set=array).to_pylist()
    return next((value for value, is_used in zip(tried, used, strict=True) if not is_used), None)


def _filled(array: pa.Array, column: Column, null: int | None) -> pa.Array:
    if null is not None and pc.any(pc.equal(array, null)).as_py():
        raise ArchiveError(
            f"column {column.name}: the value {null} stands for NULL in this answer, but there is one that is "
            "meant; ask for BINARY2, which sets no value aside"
        )
    if array.null_count and null is None:
        raise ArchiveError(f"column {column.name}: no value is left to stand for NULL; ask for BINARY2")
    return pc.fill_null(array, null or 0)
