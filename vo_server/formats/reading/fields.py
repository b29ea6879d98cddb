"""Which column is meant by a FIELD of a VOTable?"""

from collections.abc import Mapping
from dataclasses import dataclass

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES, extent
from datamodel.errors import UsageError

_DATATYPES = {
    "boolean": "BOOLEAN",
    "bit": "BIT",
    "unsignedByte": "UNSIGNEDBYTE",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "floatComplex": "COMPLEX",
    "doubleComplex": "DOUBLECOMPLEX",
}
_TEXTS = {"char": "VARCHAR", "unicodeChar": "UNICODE"}
_OF_XTYPE = {
    ("text", "timestamp"): "TIMESTAMP",
    ("text", "adql:timestamp"): "TIMESTAMP",
    ("text", "adql:region"): "REGION",
    ("double", "point"): "POINT",
    ("double", "circle"): "CIRCLE",
    ("double", "polygon"): "POLYGON",
}
_SIZES = {"POINT": 2, "CIRCLE": 3}
WHOLE = ("BIT", "UNSIGNEDBYTE", "SMALLINT", "INTEGER", "BIGINT")
"""The datatypes of whole numbers."""


@dataclass(frozen=True)
class Field:
    """A column, and the text that stands for NULL in it, which only its file needs to know.

    Attributes
    ----------
    column
        What it is.
    null
        VALUES null, as written; None if nothing is set aside.
    """

    column: Column
    null: str | None = None


def field(attributes: Mapping[str, str], description: str = "", null: str | None = None) -> Field:
    """The column of a FIELD.

    Parameters
    ----------
    attributes
        Of the FIELD element (VOTable 1.4 section 4.1).
    description
        Of its DESCRIPTION, white space and all.
    null
        Of its VALUES element.

    Raises
    ------
    UsageError
        Its datatype or arraysize is none that VOTable knows.
    """
    name = attributes.get("name") or attributes.get("ID") or ""
    given, xtype = attributes.get("arraysize"), attributes.get("xtype") or None
    arraysize = given.strip().replace(" ", "") if given else None
    kind = _type(name, attributes.get("datatype", ""), arraysize, (xtype or "").lower())
    datatype = DATATYPES[kind]
    if arraysize == "1" and datatype.arraysize is None:
        arraysize = None  # "1" on a scalar is deprecated since erratum 3 of VOTable 1.3, and means nothing
    if arraysize == "1" and datatype.kind in ("text", "timestamp"):
        arraysize = None
    column = Column(
        name.strip(),
        kind,
        unit=(attributes.get("unit") or "").strip() or None,
        ucd=(attributes.get("ucd") or "").strip() or None,
        description=" ".join(description.split()),
        utype=attributes.get("utype") or None,
        arraysize=None if arraysize == datatype.arraysize else arraysize or "",
        xtype=None if xtype == datatype.xtype else xtype or "",
        null=_element_null(kind, null),
    )
    return Field(column, null)


def _type(name: str, votable: str, arraysize: str | None, xtype: str) -> str:
    try:
        size = extent(arraysize)
    except UsageError as failure:
        raise UsageError(f"FIELD '{name[:60]}': {failure}") from None
    if votable in _TEXTS:
        if arraysize and "x" in arraysize:
            return "CHAR[]" if votable == "char" else "UNICODE[]"
        return _OF_XTYPE.get(("text", xtype), _TEXTS[votable])
    if votable not in _DATATYPES:
        expected = ", ".join([*_DATATYPES, *_TEXTS])
        raise UsageError(f"FIELD '{name[:60]}': expected a datatype of {expected}, found '{votable[:60]}'")
    if arraysize in (None, "1"):
        return _DATATYPES[votable]
    special = _OF_XTYPE.get((votable, xtype), "")
    if special and _SIZES.get(special, size.most) == size.most:
        return special
    return _DATATYPES[votable] + "[]"


def _element_null(kind: str, null: str | None) -> int | None:
    """The number that stands for a missing element, in arrays of whole numbers."""
    if null is None or kind.removesuffix("[]") not in WHOLE or not kind.endswith("[]"):
        return None
    try:
        return int(null, 0)
    except ValueError:
        raise UsageError(f"expected a whole number as VALUES null, found '{null[:60]}'") from None
