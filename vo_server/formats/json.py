"""How does an answer become JSON, streamed? One object with the columns, the rows and the end of the story.

``{"name", "description"?, "infos", "metadata": [{"name", "datatype", ...}], "data": [[...], ...], "status"}``, in
this order; ``status`` is ``OK`` or, where rows were cut off, ``OVERFLOW``. A failure passes through, and the
object ends without its end, so that no reader takes a part for the whole.
"""

import json
from collections.abc import Callable, Generator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column, Rows
from vo_server.formats.batches import Chunks, flat_list, payload, pieces
from vo_server.formats.cells import lines
from vo_server.formats.characters import wide_columns
from vo_server.formats.document import Document

_CONTROL = np.zeros(256, dtype=bool)
_CONTROL[:0x20] = True
_ESCAPED = _CONTROL.copy()
_ESCAPED[[ord('"'), ord("\\")]] = True


def write(rows: Rows, document: Document, *, text_for_long: bool = False) -> Chunks:
    """The object in chunks, made as they are read.

    Parameters
    ----------
    rows
        The answer; it is closed when the last chunk was read or the chunks are closed.
    document
        What the object says of itself; it has no place for XML elements.
    text_for_long
        Whether integers of 64 bits are texts, for readers that take every number for a double.

    Notes
    -----
    JSON has no NaN and no infinity (RFC 8259 section 6): what is not finite is ``null``, as NULL is. Integers have
    all their digits; a double has the fewest that read back as the same number. A list is an array; a complex
    number is two elements, as in TABLEDATA. A bit is 0 or 1, a boolean ``true`` or ``false``.
    """
    return Chunks(rows, _object(rows, document, _digits_quoted if text_for_long else _digits))


def _object(
    rows: Rows, document: Document, long: Callable[[pa.Array], pa.Array]
) -> Generator[bytes, None, None]:
    source = pieces(rows)
    first = next(source, None)
    yield _head(rows.columns, document, wide_columns(rows.columns, first))
    beginning, piece = b"[", first
    while piece is not None:
        row = [
            _written(_numbered(array, column), long)
            for array, column in zip(piece.columns, rows.columns, strict=True)
        ]
        if chunk := lines(row, ",\n[", ",", "]"):
            yield beginning + chunk[1:]
            beginning = b","
        piece = next(source, None)
    end = b"[\n" if beginning == b"[" else b"\n"
    yield end + f'],\n"status":"{"OVERFLOW" if rows.overflow else "OK"}"}}\n'.encode()


def _head(columns: tuple[Column, ...], document: Document, wide: frozenset[int]) -> bytes:
    head = {
        "name": document.table_name,
        "description": document.description,
        "infos": [{"name": name, "value": value} for name, value, *_ in document.infos],
        "metadata": [_described(column, i in wide) for i, column in enumerate(columns)],
    }
    return (json.dumps(head, ensure_ascii=False)[:-1] + ',\n"data":').encode()


def _described(column: Column, is_wide: bool) -> dict[str, str]:
    told = {
        "name": column.name,
        "datatype": "unicodeChar" if is_wide else column.datatype.votable,
        "arraysize": column.votable_arraysize,
        "xtype": column.votable_xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "description": column.description,
    }
    return {key: value for key, value in told.items() if value}


def _numbered(array: pa.Array, column: Column) -> pa.Array:
    """Arrays of bits as numbers, as single bits are."""
    is_bits = column.datatype.votable == "bit" and pa.types.is_list(array.type)
    return array.cast(pa.list_(pa.uint8())) if is_bits else array


def _written(array: pa.Array, long: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Each value as JSON text; NULL is ``null``."""
    return pc.fill_null(_WRITERS[str(array.type.id)](array, long), "null")


def _digits(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _digits_quoted(array: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', array.cast(pa.string()), '"', "")


def _finite(array: pa.Array) -> pa.Array:
    written = array.cast(pa.string())
    if pc.all(pc.is_finite(array)).as_py() is not False:
        return written
    return pc.if_else(pc.is_finite(array), written, pa.scalar(None, pa.string()))


def _quoted(array: pa.Array) -> pa.Array:
    used = np.zeros(256, dtype=bool)
    used[np.frombuffer(payload(array), dtype=np.uint8)] = True
    if (used & _CONTROL).any():
        return pa.array(
            [v if v is None else json.dumps(v, ensure_ascii=False) for v in array.to_pylist()], pa.string()
        )
    if (used & _ESCAPED).any():
        array = pc.replace_substring(pc.replace_substring(array, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', array, '"', "")


def _listed(array: pa.Array, long: Callable[[pa.Array], pa.Array]) -> pa.Array:
    elements, lengths = flat_list(array)
    offsets = np.zeros(len(array) + 1, dtype=np.int32)
    np.cumsum(lengths.to_numpy(zero_copy_only=False), out=offsets[1:])
    texts = pa.ListArray.from_arrays(pa.array(offsets), _written(elements, long))
    listed = pc.binary_join_element_wise("[", pc.binary_join(texts, ","), "]", "")
    return pc.if_else(array.is_valid(), listed, pa.scalar(None, pa.string()))


_Writer = Callable[[pa.Array, Callable[[pa.Array], pa.Array]], pa.Array]
_WRITERS: dict[str, _Writer] = {
    str(type.id): writer
    for types, writer in (
        ((pa.bool_(), pa.uint8(), pa.int16(), pa.int32()), lambda array, long: _digits(array)),
        ((pa.int64(),), lambda array, long: long(array)),
        ((pa.float32(), pa.float64()), lambda array, long: _finite(array)),
        ((pa.string(),), lambda array, long: _quoted(array)),
        ((pa.list_(pa.null()),), _listed),
    )
    for type in types
}
