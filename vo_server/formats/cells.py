"""How is a column of values written as text, one cell a row, in TABLEDATA, CSV and TSV alike?"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from vo_server.formats.batches import flat_list, payload
from vo_server.formats.elements import missing, text_length

Edit = Callable[[pa.Array], pa.Array]


def cells(batch: pa.RecordBatch, columns: tuple[Column, ...], edit: Edit) -> list[pa.Array]:
    """Each column as an array of text, in which NULL is still NULL.

    Parameters
    ----------
    batch
        Columns in their declared Arrow types.
    columns
        What they are.
    edit
        Escapes or quotes a text column; numbers need neither.

    Notes
    -----
    Floating point has the fewest digits that read back as the same number; what is not finite is ``NaN``,
    ``+Inf`` and ``-Inf`` (VOTable 1.4 section 6). A list is its elements with a space between them; one of
    texts has each filled up with spaces to the length that the arraysize declares, and nothing between.
    """
    return [
        _WRITERS[column.datatype.kind](array, column, edit)
        for array, column in zip(batch.columns, columns, strict=True)
    ]


def lines(row: list[pa.Array], before: str, between: str, after: str) -> bytes:
    """Rows of cells with text before, between and after them; NULL is nothing at all."""
    joined = pc.binary_join_element_wise(*row, between, null_handling="replace", null_replacement="")
    return bytes(payload(pc.binary_join_element_wise(before, joined, after, "")))


def _floats(array: pa.Array) -> pa.Array:
    written = array.cast(pa.string())
    if pc.all(pc.is_finite(array)).as_py() is not False:
        return written
    infinite = pc.if_else(pc.greater(array, 0), "+Inf", "-Inf")
    return pc.if_else(pc.is_nan(array), "NaN", pc.if_else(pc.is_inf(array), infinite, written))


def _numbers(array: pa.Array, column: Column, edit: Edit) -> pa.Array:
    return _floats(array) if pa.types.is_floating(array.type) else array.cast(pa.string())


def _lists(array: pa.Array, column: Column, edit: Edit) -> pa.Array:
    flat, lengths = flat_list(array)
    if pa.types.is_string(flat.type):
        width = text_length(column)
        separator, texts = "", edit(pc.utf8_rpad(pc.fill_null(flat, ""), width=width, padding=" "))
    else:
        separator, texts = " ", _elements(flat, column)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), separator)
    return pc.if_else(array.is_valid(), joined, pa.scalar(None, pa.string()))


def _elements(flat: pa.Array, column: Column) -> pa.Array:
    if pa.types.is_floating(flat.type):
        return pc.fill_null(_floats(flat), "NaN")
    if not pa.types.is_boolean(flat.type):
        return pc.fill_null(flat, pa.scalar(missing(column), flat.type)).cast(pa.string())
    true, false = "10" if column.datatype.votable == "bit" else "TF"
    return pc.fill_null(pc.if_else(flat, true, false), "?")


_WRITERS: dict[str, Callable[[pa.Array, Column, Edit], pa.Array]] = {
    "number": _numbers,
    "boolean": lambda array, column, edit: array.cast(pa.string()),
    "text": lambda array, column, edit: edit(array),
    "timestamp": lambda array, column, edit: edit(array),
    "geometry": _lists,
    "array": _lists,
}
