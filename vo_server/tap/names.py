"""Where is an object that a query names? (UDF catalogue 1.2: ``ivo_simbadpoint``).

It is looked for in OpenNGC, then among the names in the archive's own tables and, where the site has configured
one, at a name service.
"""

import re
from collections.abc import Iterable, Iterator

from datamodel.archive import Archive
from datamodel.columns import Column, Table
from datamodel.context import Caller
from vo_server.tap import name_service, open_ngc, tap_schema
from vo_server.tap.adql.translate import translate

SECONDS = 2.0
"""For each table."""

MOST_UNINDEXED = 200_000
"""Rows of a table whose names are looked through although they have no index."""

Place = tuple[float, float]


def find(archive: Archive, caller: Caller, name: str) -> Place | None:
    """The position, in degrees ICRS, of an object; None for a name that nobody knows.

    Raises
    ------
    UsageError
        The name service does not answer, or has too much to do.
    QueryTimeoutError
        A table could not be looked through in time.
    """
    name = " ".join(name.split())
    return open_ngc.find(name) or _in_tables(archive, caller, name) or name_service.find(archive.config, name)


def _in_tables(archive: Archive, caller: Caller, name: str) -> Place | None:
    catalogue = tap_schema.catalogue(archive, caller)
    for query in _queries(catalogue.tables, name):
        translated = translate(query, catalogue, caller, archive.database.speech)
        rows = archive.database.rows(translated.text, translated.columns, limit=1, seconds=SECONDS)
        for batch in rows.batches:
            for ra, dec in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                return float(ra), float(dec)
    return None


def _queries(tables: Iterable[Table], name: str) -> Iterator[str]:
    """What finds a name in each table that has names and positions."""
    for table in tables:
        position = _position(table)
        for column in table.columns if position else ():
            written = _literal(column, table, name)
            if position and written:
                known = [
                    tap_schema.identifier(each) for each in (*position, column.name, table.schema, table.name)
                ]
                ra, dec, naming, schema, title = known
                yield (
                    f"SELECT TOP 1 {ra} AS ra, {dec} AS dec FROM {schema}.{title} "  # noqa: S608  ADQL, with literals
                    f"WHERE {naming} = {written} AND {ra} IS NOT NULL AND {dec} IS NOT NULL"
                )


def _position(table: Table) -> tuple[str, str] | None:
    if table.point is not None:
        return table.point.ra, table.point.dec
    found = {column.ucd: column.name for column in table.columns}
    return (found["pos.eq.ra"], found["pos.eq.dec"]) if {"pos.eq.ra", "pos.eq.dec"} <= set(found) else None


def _literal(column: Column, table: Table, name: str) -> str | None:
    """The name as ADQL compares it with a column of names, if it is one that can be searched.

    A number counts where the name is that of the column and the number: HIP 87937.
    """
    words = (column.ucd or "").split(";")
    if words[0] != "meta.id" or not {"meta.main", "src"} & set(words):
        return None
    if not column.indexed and (table.rows or 0) > MOST_UNINDEXED:
        return None
    if column.datatype.kind == "text":
        return "'" + name.replace("'", "''") + "'"
    number = re.fullmatch(rf"{re.escape(column.name)} ?([0-9]{{1,18}})", name, re.IGNORECASE | re.ASCII)
    return number[1] if number and column.type in ("INTEGER", "BIGINT") else None
