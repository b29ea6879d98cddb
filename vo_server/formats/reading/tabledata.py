"""How do the rows of TABLEDATA become batches?

A piece of text up to the end of a row is taken apart by one regular expression if it holds nothing but
plain ``TR`` and ``TD`` elements, which the number of its angle brackets proves; anything else (comments,
CDATA, attributes) is left to expat.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from xml.parsers import expat

import pyarrow as pa
import pyarrow.compute as pc

from datamodel.errors import UsageError
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.header import Header, read_tail
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable
from vo_server.formats.reading.texts import parsed

_PIECE = 1 << 20
_ILLEGAL = bytes(i for i in range(32) if i not in (9, 10, 13))
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_NOT_CHARACTERS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def batches(header: Header, stream: Readable, limits: Limits) -> Iterator[pa.RecordBatch]:
    """The rows.

    Parameters
    ----------
    header
        What was read so far.
    stream
        The document from there on, in UTF-8.
    limits
        Of the size of a value.

    Raises
    ------
    UsageError
        The document breaks off or is not well-formed, or a cell is no value of its column.
    """
    splitter = _Splitter(header)
    row = 0
    for piece in _pieces(header, stream, splitter, limits):
        cells = splitter.cells(piece, row)
        batch = _batch(cells, header.fields, row, limits)
        row += batch.num_rows
        yield batch


def _pieces(header: Header, stream: Readable, splitter: "_Splitter", limits: Limits) -> Iterator[bytes]:
    """The text of whole rows."""
    end = f"</{header.open[-1]}".encode()
    held = header.rest
    looked = 0
    while (stop := held.find(end, max(0, looked - len(end)))) < 0:
        if len(held) >= _PIECE and (cut := held.rfind(splitter.row_end)) >= 0:
            cut += len(splitter.row_end)
            yield held[:cut]
            held = held[cut:]
        if len(held) > 2 * limits.cell_bytes + _PIECE:
            raise UsageError("a row of the VOTable is too long")
        looked = len(held)
        more = stream.read(_PIECE)
        if not more:
            raise UsageError("the VOTable breaks off within its rows")
        held += more
    if held[:stop].strip():
        yield held[:stop]
    read_tail(header, stream, held[stop:])


class _Splitter:
    """Takes the text of whole rows apart into cells."""

    def __init__(self, header: Header) -> None:
        prefix = header.open[-1].rpartition(":")[0]
        tr, td = (f"{prefix}:{name}" if prefix else name for name in ("TR", "TD"))
        self.row_end = f"</{tr}>".encode()
        self._row = f"<{tr}>".encode()
        self._cell = re.compile(f"<{td}>([^<]*)</{td}>|<{td} ?/>".encode())
        self._empty = re.compile(f"<{td} ?/>".encode())
        self._tags = tuple(tag.encode() for tag in (f"<{td}>", f"<{td}/>", f"<{td} />"))
        self._width = len(header.fields)

    def cells(self, piece: bytes, row: int) -> Sequence[Any]:
        """The cells row after row, as bytes or, where they had to be parsed, as text."""
        if len(piece.translate(None, _ILLEGAL)) != len(piece):
            raise UsageError("the VOTable has control characters, which XML forbids")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        rows = piece.count(self.row_end)
        cells = self._cell.findall(piece)
        empty = len(self._empty.findall(piece)) if b"/>" in piece else 0
        plain = 2 * rows + 2 * len(cells) - empty == piece.count(b"<") and piece.count(self._row) == rows
        if plain and len(cells) == rows * self._width and self._is_even(piece):
            return cells
        return self._parsed(piece, row)

    def _is_even(self, piece: bytes) -> bool:
        """Whether each row has as many cells as there are columns."""
        full, short, spaced = self._tags
        rows = piece.split(self.row_end)
        rows.pop()
        if b"/>" not in piece:
            return all(row.count(full) == self._width for row in rows)
        return all(row.count(full) + row.count(short) + row.count(spaced) == self._width for row in rows)

    def _parsed(self, piece: bytes, row: int) -> list[str]:
        collector = _Collector(self._width, row)
        try:
            collector.parse(piece)
        except expat.ExpatError as failure:
            what = expat.ErrorString(failure.code)
            raise UsageError(
                f"the rows of the VOTable after row {row} are no well-formed XML: {what}"
            ) from None
        return collector.cells


class _Collector:
    """Cells by expat."""

    def __init__(self, width: int, row: int) -> None:
        self.cells: list[str] = []
        self._width = width
        self._row = row
        self._text: list[str] | None = None
        self._depth = 0

    def parse(self, piece: bytes) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.CharacterDataHandler = self._said
        parser.Parse(b"<TABLEDATA>", False)
        parser.Parse(piece, False)
        parser.Parse(b"</TABLEDATA>", True)

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if self._depth > 2 or local != ("TABLEDATA", "TR", "TD")[self._depth]:
            raise UsageError(f"expected rows of TR and TD, found the XML element '{local[:60]}'")
        if "encoding" in attributes:
            raise UsageError("cells in base64 are not taken")
        self._depth += 1
        if local == "TD":
            self._text = []

    def _ended(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 2 and self._text is not None:
            self.cells.append("".join(self._text))
            self._text = None
        elif self._depth == 1:
            self._row += 1
            if len(self.cells) % self._width or not self.cells:
                raise UsageError(f"row {self._row} of the VOTable has not {self._width} cells")

    def _said(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


def _batch(cells: Sequence[Any], fields: Sequence[Field], row: int, limits: Limits) -> pa.RecordBatch:
    arrays = []
    for i, field in enumerate(fields):
        texts = _texts(cells[i :: len(fields)], field, limits)
        arrays.append(parsed(texts, field))
    return pa.RecordBatch.from_arrays(arrays, names=[f.column.name for f in fields])


def _texts(cells: Sequence[Any], field: Field, limits: Limits) -> pa.StringArray:
    if cells and isinstance(cells[0], str):
        return pa.array(cells, pa.string())
    try:
        texts = pa.array(cells, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        raise UsageError(f"column '{field.column.name}' has text that is not in UTF-8") from None
    if not pc.any(pc.match_substring(texts, "&")).as_py():
        return texts
    return pa.array([_resolved(v) if "&" in v else v for v in texts.to_pylist()], pa.string())


def _resolved(text: str) -> str:
    """The text with the five entities of XML and numbered characters put in."""
    if len(_REFERENCE.findall(text)) != text.count("&"):
        raise UsageError(f"expected &amp; or another entity of XML, found '{text[:60]}'")
    return _REFERENCE.sub(_character, text)


def _character(reference: re.Match[str]) -> str:
    """What an entity or a number stands for."""
    name = reference[0][1:-1]
    if not name.startswith("#"):
        return _ENTITIES[name]
    code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    if code > sys.maxunicode or _NOT_CHARACTERS.match(chr(code)):
        raise UsageError(f"'{reference[0]}' stands for a character that XML forbids")
    return chr(code)
