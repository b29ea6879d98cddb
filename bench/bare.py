"""What would the same answers take without a server: the bare SQL through the driver, and a copy in memory?"""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.schema import DropTable

from bench.encoder import COLUMNS
from bench.timing import best_s
from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.temporary import load, temporary
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]

_FETCHED_ROWS = 50_000
_MINE = (Column("id", "BIGINT"), Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))


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
        self._tables = [table]

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def median_ms(self, queries: list[str]) -> float:
        """The median time of all rows of a query fetched as Python's objects, without the translation."""
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

    def join_ms(self, query: str, positions: Positions, repeats: int) -> float:
        """The median time of a join with ``TAP_UPLOAD.mine``, which was filled and indexed before."""
        ra, dec = positions
        values = [pa.array(range(len(ra)), pa.int64()), pa.array(ra), pa.array(dec)]
        batch = pa.RecordBatch.from_arrays(values, names=[column.name for column in _MINE])
        mine = temporary(0, "TAP_UPLOAD", "mine", _MINE, rows=len(ra))
        statement = self._sql(query, mine.table)
        times = []
        with self._database.write() as connection:
            load(connection, mine, [batch])
            with closing(connection.connection.cursor()) as cursor:
                for _ in range(repeats):
                    began = time.perf_counter()
                    cursor.execute(statement)
                    cursor.fetchall()
                    times.append(time.perf_counter() - began)
            connection.execute(DropTable(mine.sql))
        return 1000 * statistics.median(times)

    def _sql(self, query: str, *more: Table) -> str:
        catalogue = Catalogue([*self._tables, *more])
        return translate(query, catalogue, ANONYMOUS, self._database.speech).text


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
