"""Which table does a VOSI document describe, so that one like it can be made? (VOSI 1.1 section 3, VODataService 1.1)

Both ways in which VODataService writes the type of a column are read: that of VOTable and that of TAP.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from lxml import etree

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError, nearest
from datamodel.temporary import MAX_COLUMNS
from vo_server.formats.reading import Reading
from vo_server.formats.reading.fields import field
from vo_server.vosi import XSI

LONGEST_BYTES = 4 << 20
"""Of a document."""

_ROOTS = ("table", "tableset")
_SQL = {
    "INT": "INTEGER",
    "FLOAT": "DOUBLE",
    "DOUBLE PRECISION": "DOUBLE",
    "TEXT": "VARCHAR",
    "VARBINARY": "UNSIGNEDBYTE[]",
    "BINARY": "UNSIGNEDBYTE[]",
}
"""What TAP types are called here, where that differs."""

_SIZED = re.compile(r"\s*([A-Za-z_ ]+?)\s*(?:\(([0-9, ]*)\))?\s*(\[\])?\s*")
_START = re.compile(rb"<\s*(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s>/]")


def is_one(head: bytes) -> bool:
    """Whether a document begins as one of VOSI does; `head` are its first bytes, in ASCII as far as tags go."""
    found = _START.search(head)
    return found is not None and found[1].decode("ascii", "replace") in _ROOTS


def read(path: Path) -> Reading:
    """The table that a document describes, without rows.

    Raises
    ------
    UsageError
        It is no such document, or describes several tables, or a column that cannot be.
    """
    root = _parsed(path)
    tables = [root] if _local(root) == "table" else [each for each in root.iter() if _local(each) == "table"]
    if _local(root) not in _ROOTS or len(tables) != 1:
        raise UsageError(
            f"the document is a '{_local(root)[:60]}' with {len(tables)} tables, expected a vosi:table, or a"
            " vosi:tableset with one"
        )
    found = [each for each in tables[0] if _local(each) == "column"]
    if not 0 < len(found) <= MAX_COLUMNS:
        raise UsageError(f"the table has {len(found)} columns, expected 1 to {MAX_COLUMNS}")
    columns = tuple(_column(each, place) for place, each in enumerate(found, 1))
    names = [column.name.lower() for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"the table has two columns called '{twice[:100]}', expected different names")
    return Reading(columns, iter(()), description=_text(tables[0], "description"), rows=0)


def _parsed(path: Path) -> Any:
    if path.stat().st_size > LONGEST_BYTES:
        raise UsageError(f"the document is longer than the {LONGEST_BYTES} bytes that are read")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.parse(path, parser)
    except etree.XMLSyntaxError as failure:
        raise UsageError(f"the document is no well-formed XML: {failure.msg}") from None
    if tree.docinfo.doctype:
        raise UsageError("a document with a document type declaration is not taken: entities are refused")
    return tree.getroot()


def _column(element: Any, place: int) -> Column:
    name = _text(element, "name").strip('"')
    if not name:
        raise UsageError(f"column {place} has no name, expected one for each column")
    types = [each for each in element if _local(each) == "dataType"]
    if len(types) != 1:
        raise UsageError(f"column '{name[:100]}' has {len(types)} elements dataType, expected one")
    told = {part: _text(element, part) for part in ("unit", "ucd", "utype")}
    flags = [_words(each.text) for each in element if _local(each) == "flag"]
    made = _typed(types[0], name, told, _text(element, "description"))
    return replace(made, indexed="indexed" in flags)


def _typed(element: Any, name: str, told: dict[str, str], description: str) -> Column:
    kind = (element.get(f"{{{XSI}}}type") or "").rpartition(":")[2]
    word = _words(element.text)
    attributes = told | {"name": name}
    if kind != "TAPType" and word in _VOTABLE:
        attributes |= {"datatype": word}
        attributes |= {
            key: value
            for key, given in (("arraysize", "arraysize"), ("xtype", "extendedType"))
            if (value := element.get(given))
        }
        return field(attributes, description).column
    return Column(
        name,
        _tap_type(word, name),
        unit=told["unit"] or None,
        ucd=told["ucd"] or None,
        utype=told["utype"] or None,
        description=description,
    )


_VOTABLE = frozenset(datatype.votable for datatype in DATATYPES.values())


def _tap_type(word: str, name: str) -> str:
    found = _SIZED.fullmatch(word.removeprefix("adql:"))
    plain = found[1].upper() if found else ""
    made = _SQL.get(plain, plain) + ((found[3] or "") if found else "")
    if made not in DATATYPES:
        near = nearest(made, DATATYPES) or nearest(word, _VOTABLE)
        expected = near or f", expected one of {', '.join([*sorted(_VOTABLE), *DATATYPES])}"
        raise UsageError(f"column '{name[:100]}' has the type '{word[:60]}'{expected}")
    return made


def _local(element: Any) -> str:
    """The name of an element without its namespace; comments have none."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _text(element: Any, name: str) -> str:
    return next((_words(each.text) for each in element if _local(each) == name), "")


def _words(text: str | None) -> str:
    return " ".join((text or "").split())
