"""How many tables has a file of which one was taken? Who brings it is told, for the others are lost else."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from datamodel.errors import UsageError
from vo_server.formats.reading.encodings import Utf8
from vo_server.formats.reading.fits_header import extensions
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable, Source

_PIECE = 1 << 20
_TAG = re.compile(rb"<(?:[^\s<>/:]{1,60}:)?TABLE[\s>]")
_LONGEST_TAG = 80
_NAMED = 5

Found = tuple[str, bool]
"""The name of a table, and whether it is of the kind that is read."""


def left_out(path: Path) -> str | None:
    """A sentence that says which table of a file was taken, where there are others; else None.

    Parameters
    ----------
    path
        A VOTable or a FITS file; what is neither has one table. As far as it breaks off, it has none.
    """
    if not path.is_file():
        return None
    source = Source(path, Limits())
    try:
        tables = list(_tables(source))
    finally:
        source.close()
    taken = next((place for place, (_, is_read) in enumerate(tables) if is_read), None)
    if taken is None or len(tables) == 1:
        return None
    names = [f"'{name[:60]}'" if name else f"number {place}" for place, (name, _) in enumerate(tables, 1)]
    others = [name for place, name in enumerate(names) if place != taken]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return (
        f"the file has {len(tables)} tables; {names[taken]} was taken, not {', '.join(others[:_NAMED])}{more}"
    )


def _tables(source: Source) -> Iterator[Found]:
    head = source.head(4096)
    looks = next((look for is_it, look in _LOOKS if is_it(head)), None)
    try:
        if looks is not None:
            yield from looks(source)
    except (UsageError, expat.ExpatError):
        return  # what is broken behind the table that was taken is no table


def _in_fits(source: Source) -> Iterator[Found]:
    for unit in extensions(source.anywhere(), Limits()):
        kind = unit.header.text("XTENSION")
        if kind in ("BINTABLE", "A3DTABLE", "TABLE"):
            yield unit.header.text("EXTNAME"), kind != "TABLE"


def _in_votable(source: Source) -> Iterator[Found]:
    """Parse the document only where there may be several: a search for the tags takes a small part of the time."""
    if _tags(Utf8(source.stream())) > 1:
        yield from _Tables().of(Utf8(source.stream()))


def _tags(stream: Readable) -> int:
    count, end = 0, b""
    while piece := stream.read(_PIECE):
        data = end + piece
        found = [match.end() for match in _TAG.finditer(data)] if b"TABLE" in data else []
        count += len(found)
        end = data[max(found[-1] if found else 0, len(data) - _LONGEST_TAG) :]
    return count


class _Tables:
    """Collects the tables with columns from the events of expat."""

    def __init__(self) -> None:
        self._found: list[Found] = []
        self._name: str | None = None
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._started

    def of(self, stream: Readable) -> Iterator[Found]:
        """The tables of a document in UTF-8, which was read without complaint."""
        while piece := stream.read(_PIECE):
            self._parser.Parse(piece, False)
            yield from self._found
            self._found.clear()

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "TABLE":
            self._name = attributes.get("name") or attributes.get("ID") or ""
        elif local == "FIELD" and self._name is not None:
            self._found.append((self._name, True))
            self._name = None


_LOOKS: tuple[tuple[Callable[[bytes], bool], Callable[[Source], Iterator[Any]]], ...] = (
    (lambda head: head.startswith(b"SIMPLE  ="), _in_fits),
    (lambda head: b"VOTABLE" in head.replace(b"\0", b""), _in_votable),
)
