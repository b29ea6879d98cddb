"""How does a batch become TABLEDATA rows?"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from vo_server.formats import markup
from vo_server.formats.batches import payload
from vo_server.formats.cells import cells, lines

_SUSPECT = np.zeros(256, dtype=bool)
_SUSPECT[:0x20] = True
_SUSPECT[[0x09, 0x0A]] = False
_SUSPECT[[ord(c) for c in "&<>"]] = True
_SUSPECT[0xEF] = True  # begins U+FFFE and U+FFFF

_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
_ILLEGAL = "[" + "".join(f"\\x{{{ord(c):x}}}" if c != "-" else c for c in markup.ILLEGAL) + "]"


def encode(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> bytes:
    """The rows of a batch as ``<TR>`` elements in UTF-8.

    NULL is an empty cell, which VOTable 1.3 and later allow for every datatype, so that no integer has to
    be set aside to mean NULL; a NULL text and an empty one look the same here, unlike in BINARY2. A point, circle or
    complex number that is NULL is all NaN, for validators and some clients count the numbers of each.
    """
    made = zip(cells(batch, columns, escaped), columns, strict=True)
    row = [_counted(texts, column) if texts.null_count else texts for texts, column in made]
    return lines(row, "<TR><TD>", "</TD><TD>", "</TD></TR>\n")


def _counted(texts: pa.Array, column: Column) -> pa.Array:
    numbers = numbers_of(column)
    return pc.fill_null(texts, " ".join(["NaN"] * numbers)) if numbers else texts


def numbers_of(column: Column) -> int:
    """How many numbers each point, circle or complex number has that a cell of the column holds; 0 for others."""
    if column.datatype.kind == "geometry":
        return (column.extent.most or 0) if column.extent.fixed else 0
    return column.datatype.parts if column.datatype.parts > 1 and column.votable_arraysize is None else 0


def escaped(array: pa.Array) -> pa.Array:
    """Text as XML character data; characters that are illegal in XML are left out."""
    if not _SUSPECT[np.frombuffer(payload(array), dtype=np.uint8)].any():
        return array
    for plain, entity in _ENTITIES:
        array = pc.replace_substring(array, plain, entity)
    return pc.replace_substring_regex(array, _ILLEGAL, "")
