"""How does an answer become comma- or tab-separated text, streamed?

Both are UTF-8 with one header row. NULL is nothing between two separators; in CSV an empty text is ``""``, so
that it can be told from NULL by those who look. There is no place for an error after the first row:
a failure passes through, and the transfer ends without its end.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Rows
from vo_server.formats.batches import Chunks, pieces
from vo_server.formats.cells import cells, lines


@dataclass(frozen=True)
class _Dialect:
    """What separates, what ends a line, and how text that holds either is written."""

    separator: str
    end: str
    written: Callable[[pa.Array], pa.Array]
    lonely_null: str


def csv(rows: Rows, *, header: bool = True) -> Chunks:
    """Comma-separated values by RFC 4180: CRLF line ends, quotes doubled inside quotes.

    A NULL in a table of one column is ``""``, for a reader takes an empty line for no row.
    """
    return Chunks(rows, _text(rows, _CSV, header))


def tsv(rows: Rows, *, header: bool = True) -> Chunks:
    r"""Tab-separated values; a backslash, tab, line feed or return in a text is ``\\``, ``\t``, ``\n``, ``\r``.

    ``text/tab-separated-values`` as registered with IANA forbids tabs and line ends in values and names no
    escape; this one is PostgreSQL's, it loses nothing and no line or column can be mistaken.
    """
    return Chunks(rows, _text(rows, _TSV, header))


def _text(rows: Rows, dialect: _Dialect, header: bool) -> Generator[bytes, None, None]:
    if header:
        names = [dialect.written(pa.array([column.name], pa.string())) for column in rows.columns]
        yield lines(names, "", dialect.separator, dialect.end)
    for piece in pieces(rows):
        row = cells(piece, rows.columns, dialect.written)
        if len(row) == 1:
            row = [pc.fill_null(row[0], dialect.lonely_null)]
        if chunk := lines(row, "", dialect.separator, dialect.end):
            yield chunk


def _quoted(array: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(array, '[",\r\n]|^$')
    if not pc.any(needs).as_py():
        return array
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(array, '"', '""'), '"', "")
    return pc.if_else(needs, quoted, array)


def _backslashed(array: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(array, "[\\\\\t\n\r]")).as_py():
        return array
    for plain, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        array = pc.replace_substring(array, plain, escape)
    return array


_CSV = _Dialect(",", "\r\n", _quoted, '""')
_TSV = _Dialect("\t", "\n", _backslashed, "")
