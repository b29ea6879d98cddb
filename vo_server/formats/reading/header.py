"""What does a VOTable say before its rows, and where do they begin?

The XML is read by expat, with no namespaces, no entities and no document type, up to the start tag of the
rows; these are then decoded by functions of their own, for no XML parser gives each cell fast enough. What
comes after them is parsed again, as if the rows had not been there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

from datamodel.errors import UsageError
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.fields import field as field_of
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable

_DEPTH = 64
_ATTRIBUTES = 64
_ELEMENTS = 100_000
_PIECE = 1 << 16
_ROWS = ("TABLEDATA", "STREAM")
_FORMS = ("BINARY", "BINARY2", "FITS")
_SAYS = ("INFO", "PARAM")
_TOLD_IN = ("VOTABLE", "RESOURCE", "TABLE")


@dataclass
class Header:
    """What stands before the rows of a table.

    Attributes
    ----------
    fields
        The columns.
    form
        ``TABLEDATA``, ``BINARY``, ``BINARY2`` or ``FITS``; empty where the table has no rows at all.
    stream
        The attributes of STREAM, or of FITS.
    rows
        The attribute nrows, if there is one.
    infos
        Name and value of each INFO and PARAM.
    open
        The elements that are open where the rows begin, with their prefixes.
    rest
        The bytes that were read beyond that place.
    is_empty
        Whether the element of the rows was closed in its start tag.
    """

    fields: list[Field] = field(default_factory=list)
    name: str = ""
    description: str = ""
    form: str = ""
    stream: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    infos: list[tuple[str, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    rest: bytes = b""
    is_empty: bool = False


class _FoundError(Exception):
    """The rows, or the end of the first table, were come to; ends the parsing."""


def read_header(stream: Readable, limits: Limits, *, all_tables: bool = False) -> list[Header]:
    """The header of the first table with columns, or those of all tables of a document without rows.

    Parameters
    ----------
    stream
        The document in UTF-8.
    limits
        How long what stands before the rows may be.
    all_tables
        Whether to go on after the first table.

    Raises
    ------
    UsageError
        It is no VOTable, is broken, or declares a document type.
    """
    parser = _Parser(all_tables, most_fields=limits.columns)
    seen = b""
    while piece := stream.read(_PIECE):
        seen += piece
        if len(seen) > limits.header_bytes:
            raise UsageError(f"the VOTable's header is longer than the {limits.header_bytes} bytes allowed")
        try:
            parser.feed(piece)
        except _FoundError:
            return [_cut(parser, seen)]
    parser.feed(b"", is_end=True)
    if not parser.tables:
        raise UsageError("the VOTable has no TABLE with a FIELD")
    return parser.tables


def read_tail(header: Header, stream: Readable, beginning: bytes) -> None:
    """Read what follows the rows, from their end tag on, and see that all is well.

    Raises
    ------
    UsageError
        The document breaks off, is not well-formed, or says that the table is not whole.
    """
    parser = _Parser(True, is_tail=True)
    parser.feed("".join(f"<{name}>" for name in header.open).encode())
    piece = beginning
    while piece:
        parser.feed(piece)
        piece = stream.read(_PIECE)
    parser.feed(b"", is_end=True)


class _Parser:
    """Collects headers from the events of expat."""

    def __init__(self, all_tables: bool, is_tail: bool = False, most_fields: int = 0) -> None:
        self.tables: list[Header] = []
        self.infos: list[tuple[str, str]] = []
        self.table: Header | None = None
        self.start = -1
        self._all_tables = all_tables
        self._is_tail = is_tail
        self._most_fields = most_fields
        self._open: list[str] = []
        self._text: list[str] | None = None
        self._field: Mapping[str, str] | None = None
        self._described = ""
        self._null: str | None = None
        self._resource = ""
        self._elements = 0
        self._expat = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.CharacterDataHandler = self._said
        parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, data: bytes, is_end: bool = False) -> None:
        try:
            self._expat.Parse(data, is_end)
        except expat.ExpatError as failure:
            what = expat.ErrorString(failure.code)
            where = "" if self._is_tail else f" at line {failure.lineno}"
            raise UsageError(f"the VOTable is no well-formed XML{where}: {what}") from None

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._elements += 1
        if not self._open and local != "VOTABLE":
            raise UsageError(f"expected a VOTABLE, found the XML element '{local[:60]}'")
        if len(self._open) >= _DEPTH or len(attributes) > _ATTRIBUTES:
            raise UsageError("the VOTable nests too deep, or an element has too many attributes")
        if self._elements > _ELEMENTS and not self._is_tail:
            raise UsageError("the VOTable's header has too many elements")
        parent = self._open[-1].rpartition(":")[2] if self._open else ""
        self._open.append(name)
        if self._is_tail:
            _check_status(local, attributes)
        elif local in _ROWS and self.table is not None:
            self._come_to_rows(local, attributes)
        elif local in _SAYS and parent in _TOLD_IN:
            self._says(attributes)
        else:
            handler = _STARTS.get((parent, local)) or _STARTS.get(("", local))
            if handler:
                handler(self, attributes)

    def _ended(self, name: str) -> None:
        local = name.rpartition(":")[2]
        self._open.pop()
        if self._is_tail:
            return
        parent = self._open[-1].rpartition(":")[2] if self._open else ""
        handler = _ENDS.get((parent, local)) or _ENDS.get(("", local))
        if handler:
            handler(self, " ".join("".join(self._text or ()).split()))
        if local == "DESCRIPTION":
            self._text = None

    def _said(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _says(self, attributes: Mapping[str, str]) -> None:
        told = attributes.get("name") or attributes.get("ID") or "", attributes.get("value", "")
        self.infos.append(told)
        if self.table is not None:
            self.table.infos.append(told)

    def _table_starts(self, attributes: Mapping[str, str]) -> None:
        rows = attributes.get("nrows", "").strip()
        name = attributes.get("name") or attributes.get("ID") or ""
        count = int(rows) if rows.isdecimal() and len(rows) < 16 else None
        self.table = Header(name=name, rows=count, infos=list(self.infos))

    def _field_starts(self, attributes: Mapping[str, str]) -> None:
        self._field, self._described, self._null = attributes, "", None

    def _values_start(self, attributes: Mapping[str, str]) -> None:
        self._null = attributes.get("null", self._null)

    def _text_starts(self, attributes: Mapping[str, str]) -> None:
        self._text = []

    def _data_form_starts(self, attributes: Mapping[str, str]) -> None:
        if self.table is not None:
            self.table.form = self._open[-1].rpartition(":")[2]
            self.table.stream = dict(attributes)

    def _field_described(self, text: str) -> None:
        self._described = text

    def _table_described(self, text: str) -> None:
        if self.table is not None:
            self.table.description = text

    def _resource_described(self, text: str) -> None:
        self._resource = text

    def _field_ends(self, text: str) -> None:
        if self.table is None or self._field is None:
            return
        if len(self.table.fields) == self._most_fields:
            raise UsageError(f"the table has more than the {self._most_fields} columns that are allowed")
        self.table.fields.append(field_of(self._field, self._described, self._null))

    def _table_ends(self, text: str) -> None:
        table, self.table = self.table, None
        if table is not None and table.fields:
            table.description = table.description or self._resource
            self.tables.append(table)
            if not self._all_tables:
                table.form = ""
                self.table = table
                self._stop()

    def _come_to_rows(self, local: str, attributes: dict[str, str]) -> None:
        if self.table is None or not self.table.fields:
            raise UsageError("a table of the VOTable has rows and no FIELD")
        if local == "TABLEDATA":
            self.table.form = local
        self.table.stream |= attributes
        self.table.description = self.table.description or self._resource
        self._stop()

    def _stop(self) -> NoReturn:
        if self.table is not None:
            self.table.open = list(self._open)
        self.start = self._expat.CurrentByteIndex
        raise _FoundError


_STARTS: dict[tuple[str, str], Any] = {
    ("", "TABLE"): _Parser._table_starts,
    ("TABLE", "FIELD"): _Parser._field_starts,
    ("FIELD", "VALUES"): _Parser._values_start,
    ("FIELD", "DESCRIPTION"): _Parser._text_starts,
    ("TABLE", "DESCRIPTION"): _Parser._text_starts,
    ("RESOURCE", "DESCRIPTION"): _Parser._text_starts,
    **{("DATA", form): _Parser._data_form_starts for form in _FORMS},
}
_ENDS: dict[tuple[str, str], Any] = {
    ("FIELD", "DESCRIPTION"): _Parser._field_described,
    ("TABLE", "DESCRIPTION"): _Parser._table_described,
    ("RESOURCE", "DESCRIPTION"): _Parser._resource_described,
    ("TABLE", "FIELD"): _Parser._field_ends,
    ("", "TABLE"): _Parser._table_ends,
}

_TAG = re.compile(rb"""<[^\s>/"']+(?:\s+[^\s=>"']+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*(/?)>""")


def _cut(parser: _Parser, seen: bytes) -> Header:
    """The header, and what was read beyond the start tag of the rows."""
    table = parser.table
    if table is None:
        raise UsageError("the VOTable has no TABLE with a FIELD")
    if not table.form:
        return table
    tag = _TAG.match(seen, parser.start)
    if tag is None:
        raise UsageError("the VOTable's rows begin with a tag that is not understood")
    table.is_empty = bool(tag[1])
    table.rest = seen[tag.end() :]
    return table


def _check_status(local: str, attributes: Mapping[str, str]) -> None:
    status = attributes.get("name"), attributes.get("value", "").upper()
    if local == "INFO" and status == ("QUERY_STATUS", "ERROR"):
        raise UsageError("the table is not whole: it ends with QUERY_STATUS ERROR")


def _no_doctype(*_: Any) -> NoReturn:
    raise UsageError("a VOTable with a document type declaration is not taken: entities are refused")
