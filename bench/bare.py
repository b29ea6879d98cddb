"""What would the same answers take without a server: the bare SQL through the driver, and a copy in memory?"""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from bench.encoder import COLUMNS
from bench.timing import best_s
from datamodel.columns import PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

_FETCHED_ROWS = 50_000


class Bare:
    """The driver of a database with a catalogue that was brought to it.

    Parameters
    ----------
    url
        Of the database.
    rows
        Of the catalogue.
    """

    def __init__(self, url: str, rows: int) -> None:
        self._database = Database(url)
        kept = _kept(self._database)
        point = PointIndex("ra", "dec")
        table = Table("bench", "catalogue", COLUMNS, lambda _caller: kept, point=point, rows=rows)
        self._catalogue = Catalogue([table])

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def cone_ms(self, queries: list[str]) -> float:
        """The median of all rows of a cone fetched as Python's objects, without the translation."""
        times = []
        for query in queries:
            statement = self._sql(query)
            with closing(self._database.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
                began = time.perf_counter()
                cursor.execute(statement)
                cursor.fetchall()
                times.append(time.perf_counter() - began)
        return 1000 * statistics.median(times)

    def everything_s(self, query: str) -> float:
        """The best time of all rows of the catalogue, received by the driver and thrown away."""
        read = _READ[self._database.engine.dialect.name]
        statement = self._sql(query)

        def run() -> None:
            with closing(self._database.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
                read(cursor, statement)

        return best_s(run, 2)

    def _sql(self, query: str) -> str:
        return translate(query, self._catalogue, ANONYMOUS, self._database.speech).text


def copy_s(megabytes: float) -> float:
    """The best time of so many megabytes copied from one place in memory to another."""
    source = bytearray(int(megabytes * 1e6))
    return best_s(lambda: bytes(source))


def _kept(database: Database) -> sa.Table:
    """The table of the catalogue, which has a name of the archive's."""
    found = sa.inspect(database.engine)
    wanted = {c.name for c in COLUMNS} | {"hpx29"}
    name = next(n for n in found.get_table_names() if wanted <= {c["name"] for c in found.get_columns(n)})
    return sa.Table(name, sa.MetaData(), *(sa.Column(c) for c in wanted))


def _fetch(cursor: Any, statement: str) -> None:
    cursor.execute(statement)
    while cursor.fetchmany(_FETCHED_ROWS):
        pass


class _Nowhere:
    def write(self, _message: bytes) -> None:
        """Throw a row away."""


def _copy(cursor: Any, statement: str) -> None:
    cursor.copy_expert(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", _Nowhere())


_READ: dict[str, Callable[[Any, str], None]] = {"sqlite": _fetch, "postgresql": _copy}
