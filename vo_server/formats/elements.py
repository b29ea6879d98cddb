"""What are the elements of a column of arrays, end to end, as VOTable's binary forms write them?"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from datamodel.errors import ArchiveError
from vo_server.formats.batches import flat_list
from vo_server.formats.characters import narrow, wide

Array = npt.NDArray[Any]

_TRUTH = {True: b"T", False: b"F", None: b"?"}


def missing(column: Column) -> int:
    """The whole number that stands for a missing element: the declared one, else the one furthest out."""
    limits = np.iinfo(column.datatype.arrow.value_type.to_pandas_dtype())
    return int(limits.min or limits.max) if column.null is None else column.null


def element_dtype(column: Column) -> np.dtype[Any]:
    """Of one element of the Arrow list, big-endian; a text has the length of the first dimension."""
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        return np.dtype(f"S{text_length(column) * character_bytes(column)}")
    if pa.types.is_boolean(element):
        return np.dtype("S1")
    dtype: np.dtype[Any] = np.dtype(element.to_pandas_dtype())
    return dtype.newbyteorder(">")


def list_length(column: Column) -> int:
    """How many elements the Arrow list of a value has at the most; only for columns with a bound."""
    most = column.extent.most or 0
    if pa.types.is_string(column.datatype.arrow.value_type):
        return most // max(text_length(column), 1)
    return most * column.datatype.parts


def counted(column: Column) -> tuple[int, int]:
    """By what the length of the Arrow list is multiplied and divided to give the number that VOTable counts."""
    if pa.types.is_string(column.datatype.arrow.value_type):
        return text_length(column), 1
    return 1, column.datatype.parts


def text_length(column: Column) -> int:
    """The characters of each text in an array of texts."""
    return 1 if column.extent.first is None else column.extent.first


def character_bytes(column: Column) -> int:
    """Of one character in the binary forms."""
    return 2 if column.datatype.votable == "unicodeChar" else 1


def elements(array: pa.Array, column: Column) -> tuple[Array, Array]:
    """All elements end to end, and how many of them each value has, NULL none.

    Parameters
    ----------
    array
        Of the column's Arrow type, which is a list.
    column
        What it is; not one of bits.

    Raises
    ------
    ArchiveError
        A text in an array of texts is longer than the column's arraysize says.
    """
    flat, lengths = flat_list(array)
    element = column.datatype.arrow.value_type
    if pa.types.is_string(element):
        made = _texts(flat, column)
    elif pa.types.is_boolean(element):
        made = np.array([_TRUTH[v] for v in flat.to_pylist()], dtype="S1")
    else:
        filler = float("nan") if pa.types.is_floating(element) else missing(column)
        made = pc.fill_null(flat, pa.scalar(filler, element)).to_numpy().astype(element_dtype(column))
    return made, lengths.to_numpy()


def bits(array: pa.Array) -> tuple[npt.NDArray[np.bool_], Array]:
    """The same for a column of bits, one element a bit."""
    flat, lengths = flat_list(array)
    return pc.fill_null(flat, False).to_numpy(zero_copy_only=False), lengths.to_numpy()


def _texts(flat: pa.Array, column: Column) -> Array:
    encode = wide if character_bytes(column) == 2 else narrow
    encoded = encode(flat)
    dtype = element_dtype(column)
    longest = pc.max(pc.binary_length(encoded)).as_py() or 0
    if longest > dtype.itemsize:
        limit = column.votable_arraysize
        raise ArchiveError(
            f"column {column.name}: a text of {longest // character_bytes(column)} characters where "
            f"arraysize is '{limit}'"
        )
    return np.array(encoded.to_pylist(), dtype=dtype)
