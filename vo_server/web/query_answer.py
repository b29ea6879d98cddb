"""What did a query give, for browsers that run no scripts? The first rows as text; a mistake with its place."""

import re
import time
from contextlib import closing
from dataclasses import dataclass

import flask
import pyarrow as pa

from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.turns import turns_of
from vo_server import answers
from vo_server.dali import caller_of, who_asks
from vo_server.formats.batches import pieces
from vo_server.formats.cells import cells
from vo_server.web.tap_service import tap_service

SHOWN = 100
"""Rows on a page at the most."""

_PLACE = re.compile(r"line (\d+), column (\d+): ")
_WORD = re.compile(r"""\w+|"[^"\n]*"?|'[^'\n]*'?|.""")


@dataclass(frozen=True)
class Cell:
    """One value: its text, the style of its place, and where it leads, if anywhere."""

    text: str
    style: str = ""
    url: str = ""


@dataclass(frozen=True)
class Answer:
    """The first rows of an answer."""

    columns: tuple[Column, ...]
    rows: list[list[Cell]]
    told: str


@dataclass(frozen=True)
class Wrong:
    """A mistake in a query.

    Attributes
    ----------
    message
        In the words of the service.
    line
        From one; 0 where the message names no place.
    before, marked, after
        The lines of the query down to the place; what is wrong there; the rest.
    """

    message: str
    line: int = 0
    before: str = ""
    marked: str = ""
    after: str = ""


def answered(archive: Archive, adql: str) -> Answer:
    """Run a query for the caller of the present request, when it has a turn.

    Raises
    ------
    UsageError
        It is no query, or has no meaning here.
    BusyError
        Too many queries are under way.
    QueryTimeoutError
        It took too long.
    """
    request = flask.request
    caller, who, environ = caller_of(request), who_asks(request), request.environ
    began = time.monotonic()

    turn = turns_of(archive).take(who, archive.config)
    try:
        rows = tap_service().ask(archive, caller, who, adql, SHOWN, lambda: answers.client_left(environ))
        with closing(rows):
            shown = [row for piece in pieces(rows) for row in _cells(piece, rows.columns)]
    finally:
        turn.end()
    return Answer(rows.columns, shown, _told(len(shown), rows.overflow, time.monotonic() - began))


def wrong(message: str, adql: str) -> Wrong:
    """A message of the service, and the place that it names, shown in the query."""
    named = _PLACE.match(message)
    lines = adql.split("\n")
    if not named or int(named[1]) > len(lines):
        return Wrong(message)
    line, column = int(named[1]), int(named[2])
    own = lines[line - 1]
    found = _WORD.match(own, column - 1)
    marked = found[0] if found else " "
    before = "\n".join([*lines[: line - 1], own[: column - 1]])
    after = "\n".join([own[column - 1 + len(marked) :], *lines[line:]])
    return Wrong(message, line, before, marked, after)


def _cells(piece: pa.RecordBatch, columns: tuple[Column, ...]) -> list[list[Cell]]:
    texts = [array.to_pylist() for array in cells(piece, columns, lambda array: array)]
    made = [
        [_cell(text, column) for text in column_texts]
        for column_texts, column in zip(texts, columns, strict=True)
    ]
    return [list(row) for row in zip(*made, strict=True)]


def _cell(text: str | None, column: Column) -> Cell:
    if text is None:
        return Cell("–", "null")
    is_url = column.name == "access_url" or (column.ucd or "").startswith("meta.ref.url")
    url = text if is_url and text.startswith(("http://", "https://")) else ""
    return Cell(text, "number" if column.datatype.kind == "number" else "", url)


def _told(count: int, overflow: bool, seconds: float) -> str:
    rows = f"{count} {'row' if count == 1 else 'rows'}"
    if overflow:
        return f"The first {rows} in {seconds:.2f} s. There are more: download all."
    return f"{rows} in {seconds:.2f} s."
