"""Which tables does ``/tables`` tell of, and in how much detail? (VOSI 1.1 section 3)

Besides what VOSI has, the parameters of astroquery's TapPlus are known: ``tables`` names those that
are wanted, ``only_tables=true`` leaves out their columns. It reads only columns that have an attribute of its
own, which no schema knows; it is told by what it asks, or by saying nothing of itself, as no other client does.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from flask import Response
from werkzeug.datastructures import Headers

from datamodel import mydb, tap_schema
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import NotFoundError, UsageError, nearest
from datamodel.tap_schema import SchemaEntry, TableEntry
from vo_server import caching, vosi
from vo_server.dali import Parameters, shown

DETAILS = {"max": True, "min": False}
"""Whether columns are told of."""

SWITCHES = {"true": True, "1": True, "false": False, "0": False}

_NAME = re.compile(r'(?:[^,"]|"(?:[^"]|"")*"?)+')


@dataclass(frozen=True)
class TablesQuery:
    """What is wanted of the tables.

    Attributes
    ----------
    columns
        Whether columns and keys are.
    names
        Of the tables, as they were written; all where there are none.
    tap_plus
        Whether TapPlus seems to ask.
    """

    columns: bool
    names: tuple[str, ...] = ()
    tap_plus: bool = False


def read(parameters: Parameters, headers: Headers) -> TablesQuery:
    """What a request for ``/tables`` wants.

    Raises
    ------
    UsageError
        A value is none of those that there are.
    """
    columns = _one_of(parameters, "DETAIL", DETAILS, "max")
    only_tables = _one_of(parameters, "ONLY_TABLES", SWITCHES, "false")
    names = [name.strip() for text in parameters.all("TABLES") for name in _NAME.findall(text)]
    nameless = not any(name in headers for name in ("User-Agent", "Accept"))
    return TablesQuery(columns and not only_tables, tuple(filter(None, names)), bool(names) or nameless)


def tableset(archive: Archive, caller: Caller, asked: TablesQuery) -> Response:
    """The document of ``/tables``, with the tables that the caller may know of.

    Raises
    ------
    NotFoundError
        There is no table of a name that was asked for.
    """

    def make(schemas: tuple[SchemaEntry, ...]) -> Response:
        wanted = _only(schemas, asked.names) if asked.names else schemas
        return vosi.tables_document(wanted, columns=asked.columns, tap_plus=asked.tap_plus)

    response = _answer(archive, caller, make, str(asked))
    response.vary.update(("Accept", "User-Agent"))
    return response


def table(archive: Archive, caller: Caller, name: str) -> Response:
    """The document of ``/tables/<name>``.

    Raises
    ------
    NotFoundError
        There is no such table; the message has the nearest name.
    """
    plain = name.replace('"', "")
    ways = [
        mydb.own_name(plain, caller),
        mydb.full_name(plain, caller),
    ]  # of one's own, from level 2 on the latter

    def make(schemas: tuple[SchemaEntry, ...]) -> Response:
        known = _by_name(schemas)
        return vosi.table_document(_find(known, next((way for way in ways if _plain(way) in known), name)))

    return _answer(archive, caller, make, name)


def names(archive: Archive, caller: Caller) -> list[str]:
    """The names of the tables that the caller may know of, as a query writes them."""
    schemas = _entries(archive, caller, tap_schema.version(archive))
    return [table.name for schema in schemas for table in schema.tables]


class _Kept:
    """What strangers may know of TAP_SCHEMA under some digest; so it is read once for many requests."""

    def __init__(self) -> None:
        self._now: tuple[str, tuple[SchemaEntry, ...]] = ("", ())

    def entries(self, archive: Archive, digest: str) -> tuple[SchemaEntry, ...]:
        kept, entries = self._now
        if kept != digest:
            entries = tap_schema.read(archive)
            self._now = (digest, entries)
        return entries


def _answer(
    archive: Archive,
    caller: Caller,
    make: Callable[[tuple[SchemaEntry, ...]], Response],
    *asked: str,
) -> Response:
    told, written = tap_schema.version_for(archive, caller)

    def made() -> Response:
        return make(_entries(archive, caller, tap_schema.version(archive)))

    return caching.versioned(
        made, json.dumps([told, caller.user, caller.project, caller.level, asked]), modified=written
    )


def _entries(archive: Archive, caller: Caller, digest: str) -> tuple[SchemaEntry, ...]:
    if caller != ANONYMOUS:
        return tap_schema.read(archive, caller)
    kept: _Kept = archive.resource("tap_schema entries", _Kept)
    return kept.entries(archive, digest)


def _one_of(parameters: Parameters, name: str, meanings: dict[str, bool], default: str) -> bool:
    given = parameters.one(name) or default
    meant = meanings.get(given.strip().lower())
    if meant is None:
        raise UsageError(f"{name} is {shown(given)}, expected one of {', '.join(meanings)}")
    return meant


def _only(schemas: tuple[SchemaEntry, ...], names: Iterable[str]) -> list[SchemaEntry]:
    """The schemas with those of their tables that are named."""
    known = _by_name(schemas)
    wanted = {_find(known, name).name for name in names}
    kept = [replace(s, tables=tuple(t for t in s.tables if t.name in wanted)) for s in schemas]
    return [schema for schema in kept if schema.tables]


def _find(known: Mapping[str, TableEntry], name: str) -> TableEntry:
    """The table of a name, in whatever case, with or without the quotes that a query would need."""
    found = known.get(_plain(name))
    if found is None:
        raise NotFoundError(f"there is no table {shown(name)}{nearest(name, known)}")
    return found


def _by_name(schemas: Iterable[SchemaEntry]) -> dict[str, TableEntry]:
    return {_plain(table.name): table for schema in schemas for table in schema.tables}


def _plain(name: str) -> str:
    return name.replace('"', "").lower()
