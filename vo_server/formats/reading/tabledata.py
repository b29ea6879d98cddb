"""How do the rows of TABLEDATA become batches?

A piece of text up to the end of a row is taken apart at its angle brackets, all at once, if these are of nothing
but plain ``TR`` and ``TD`` elements in their order; anything else (comments, CDATA, attributes, prefixes) is
left to expat.
"""

import re
import sys
from collections.abc import Iterator
from xml.parsers import expat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.errors import UsageError
from datamodel.slices import Array, texts_at
from vo_server.formats.reading.header import Header, read_tail
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable
from vo_server.formats.reading.texts import parsed

_PIECE = 1 << 20
_ILLEGAL = bytes(i for i in range(32) if i not in (9, 10, 13))
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ROW, _ROW_END, _CELL, _CELL_END, _EMPTY = range(1, 6)
_TAGS = {
    b"<TR>": _ROW,
    b"</TR>": _ROW_END,
    b"<TD>": _CELL,
    b"</TD>": _CELL_END,
    b"<TD/>": _EMPTY,
    b"<TD />": _EMPTY,
}
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
        texts = splitter.columns(piece, row)
        arrays = [parsed(each, field) for each, field in zip(texts, header.fields, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, names=[f.column.name for f in header.fields])
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
        self.row_end = f"</{prefix}:TR>".encode() if prefix else b"</TR>"
        self._width = len(header.fields)
        self._row = np.array([_ROW, *(_CELL, _CELL_END) * self._width, _ROW_END], np.uint8)

    def columns(self, piece: bytes, row: int) -> list[pa.StringArray]:
        """The cells of each column, with nothing to be resolved in them."""
        if len(piece.translate(None, _ILLEGAL)) != len(piece):
            raise UsageError("the VOTable has control characters, which XML forbids")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found = self._found(piece)
        if found is None:
            cells = self._parsed(piece, row)
            return [pa.array(cells[i :: self._width], pa.string()) for i in range(self._width)]
        _check_utf8(piece)
        texts = [texts_at(piece, at, end - at) for at, end in zip(*found, strict=True)]
        return [_resolved(each) for each in texts] if b"&" in piece else texts

    def _found(self, piece: bytes) -> tuple[Array, Array] | None:
        """Where each cell begins and ends, shape ``(columns, rows)``; None if there are other tags than plain ones."""
        padded = piece + bytes(8)
        at = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("<"))
        words = np.ndarray((len(piece),), "<u8", padded, strides=(1,))[at]
        tags = np.zeros(len(at), np.uint8)
        for tag, kind in _TAGS.items():
            mask = (1 << 8 * len(tag)) - 1
            tags[words & np.uint64(mask) == np.uint64(int.from_bytes(tag, "little"))] = kind
        begin = at + 4 * (tags == _CELL)
        empty = tags == _EMPTY
        if empty.any():
            twice = 1 + empty
            tags, at, begin = (np.repeat(each, twice) for each in (tags, at, begin))
            first = np.flatnonzero(tags == _EMPTY)[::2]
            tags[first], tags[first + 1] = _CELL, _CELL_END
        if len(tags) % len(self._row):
            return None
        rows = tags.reshape(-1, len(self._row))
        if not (rows == self._row).all():
            return None
        begins, ends = begin.reshape(rows.shape)[:, 1:-1:2], at.reshape(rows.shape)[:, 2:-1:2]
        return np.ascontiguousarray(begins.T), np.ascontiguousarray(ends.T)

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


def _check_utf8(piece: bytes) -> None:
    try:
        if not piece.isascii():
            piece.decode()
    except UnicodeDecodeError:
        raise UsageError("the rows of the VOTable have text that is not in UTF-8") from None


def _resolved(texts: pa.StringArray) -> pa.StringArray:
    """The texts with the five entities of XML and numbered characters put in."""
    if not pc.any(pc.match_substring(texts, "&")).as_py():
        return texts
    return pa.array([_resolved_text(v) if "&" in v else v for v in texts.to_pylist()], pa.string())


def _resolved_text(text: str) -> str:
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
