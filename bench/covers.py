"""How does a cone through our cover of HEALPix ranges compare with one through q3c, the field's own extension?

Both fetch the same rows with the driver, without HTTP, from PostgreSQL. Ours is the translation of the query, its
cover with it, and the fetching; q3c has a copy of the table in the order of its own index, as its manual advises.
The cones are in turns, and judged by the median.
"""

import argparse
import statistics
import sys
import time
from typing import Any

import numpy as np
import sqlalchemy as sa

from bench.cone import query
from bench.databases import POSTGRESQL, TABLE, fill, server
from bench.encoder import COLUMNS
from bench.timing import Target, verdict
from datamodel.columns import PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

MUSTS = {0.1: (0.4, 200), 1.0: (0.7, 100), 5.0: (1.1, 30)}
"""By radius in degrees: how much of q3c's time may ours take, and how many cones are asked."""

Q3C = (
    "CREATE EXTENSION q3c",
    f"CREATE TABLE by_q3c AS SELECT {', '.join(c.name for c in COLUMNS)} FROM {TABLE.name}",
    "CREATE INDEX by_q3c_place ON by_q3c (q3c_ang2ipix(ra, dec))",
    "CLUSTER by_q3c USING by_q3c_place",
    "VACUUM ANALYZE by_q3c",
    f"VACUUM ANALYZE {TABLE.name}",
)


def prepare(url: str) -> None:
    """Give q3c its copy of the table."""
    engine = sa.create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in Q3C:
            connection.exec_driver_sql(statement)
    engine.dispose()


def catalogue(rows: int) -> Catalogue:
    """What queries know of the table; how many rows it has among that."""
    position = PointIndex("ra", "dec")
    return Catalogue([Table("bench", "catalogue", COLUMNS, lambda _caller: TABLE, point=position, rows=rows)])


def medians_ms(
    database: Database, known: Catalogue, radius_deg: float, cones: int
) -> tuple[float, float, float]:
    """Ours, q3c's, and how many rows a cone has."""
    random = np.random.default_rng(round(radius_deg * 10))
    raw: Any = database.engine.raw_connection()
    cursor = raw.cursor()

    def fetched(statement: str) -> int:
        cursor.execute(statement)
        return len(cursor.fetchall())

    seen: list[tuple[float, float, int]] = []
    for turn in range(cones + 3):
        ra, dec = random.uniform(0, 360), float(np.degrees(np.arcsin(random.uniform(-1, 1))))
        began = time.perf_counter()
        rows = fetched(translate(query(ra, dec, radius_deg), known, ANONYMOUS, database.speech).text)
        middle = time.perf_counter()
        theirs = fetched(
            f"SELECT * FROM by_q3c WHERE q3c_radial_query(ra, dec, {ra:.6f}, {dec:.6f}, {radius_deg})"
        )
        ended = time.perf_counter()
        if rows != theirs:
            raise RuntimeError(f"{rows} rows, and {theirs} by q3c, in {query(ra, dec, radius_deg)}")
        if turn >= 3:  # the first are for the caches
            seen.append((1000 * (middle - began), 1000 * (ended - middle), rows))
    raw.close()
    ours, q3c, rows_ = (statistics.median(values) for values in zip(*seen, strict=True))
    return ours, q3c, rows_


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    targets = []
    with server(POSTGRESQL) as url:
        fill(url, options.rows)
        prepare(url)
        database = Database(url)
        for radius, (most, cones) in MUSTS.items():
            ours, q3c, rows = medians_ms(database, catalogue(options.rows), radius, cones)
            print(
                f"{radius:4g} deg {rows:7.0f} rows  ours {ours:7.2f} ms  q3c {q3c:7.2f} ms  {ours / q3c:.2f} times"
            )
            name = f"{radius:g} deg: {ours / q3c:.2f} of q3c's time, may be {most:g}; margin"
            targets.append(Target(name, most * q3c / ours, 1.0, "times"))
        database.close()
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
