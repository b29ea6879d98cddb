"""How do the tests of catalogues make up tables, bring them, and ask for what is in them?"""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from datamodel import catalogues
from datamodel.archive import Archive
from datamodel.catalogues import Entry
from datamodel.columns import Column
from datamodel.context import ANONYMOUS, Caller
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.formats.negotiate import choose
from vo_server.formats.reading import Reading
from vo_server.tap import query
from vo_server.tap.parameters import TapQuery

OWNER = Caller("A", "P", projects=frozenset({"P"}))
COLUMNS = (
    Column("Number", "BIGINT", ucd="meta.id;meta.main", description="Which row"),
    Column("ra", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
    Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
    Column("flag", "BOOLEAN"),
    Column("small", "SMALLINT"),
    Column("byte", "UNSIGNEDBYTE"),
    Column("mag", "REAL", "mag"),
    Column("name", "VARCHAR"),
    Column("date", "TIMESTAMP"),
    Column("B-V", "DOUBLE[]", "mag"),
)
INT64 = np.iinfo(np.int64)


def made_up(n: int, seed: int) -> dict[str, list[Any]]:
    """Values of `COLUMNS` with everything in them that is hard to keep."""
    random = np.random.default_rng(seed)
    ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    edges = [
        (0.0, 90.0),
        (180.0, -90.0),
        (360.0, 0.0),
        (-10.0, 5.0),
        (5.0, 91.0),
        (math.nan, 1.0),
        (1.0, math.inf),
    ]
    ra[: len(edges)], dec[: len(edges)] = np.array(edges).T
    words = ["", "plain", 'quoted "word", comma', "line\nbreak", "Ünï ☉", "\\N", "NULL", " spaced "]
    made: dict[str, list[Any]] = {
        "Number": [INT64.max, INT64.min, *range(n - 2)],
        "ra": ra.tolist(),
        "dec": dec.tolist(),
        "flag": (random.random(n) < 0.5).tolist(),
        "small": random.integers(-(2**15), 2**15, n).tolist(),
        "byte": random.integers(0, 256, n).tolist(),
        "mag": random.normal(15, 5, n).astype("f4").tolist(),
        "name": [words[k % len(words)] for k in range(n)],
        "date": [
            datetime(1987, 2, 24, k % 24, 30, 0, k).isoformat(timespec="microseconds") for k in range(n)
        ],
        "B-V": [[1.5, -0.25, 1e-300][: k % 4] for k in range(n)],
    }
    made["mag"][3], made["mag"][4] = math.inf, math.nan
    for place, name in enumerate(made):
        for hole in random.integers(10, n, 3 + place).tolist():
            made[name][hole] = None
    return made


def reading(values: dict[str, list[Any]], columns: tuple[Column, ...] = COLUMNS, **told: Any) -> Reading:
    """The values as a file would give them, in batches of odd sizes."""
    arrays = [pa.array(values[c.name], c.datatype.arrow) for c in columns]
    whole = pa.Table.from_arrays(arrays, [c.name for c in columns])
    return Reading(columns, iter(whole.to_batches(max_chunksize=97)), rows=len(whole), **told)


def positions(ra: list[float], dec: list[float], **told: Any) -> Reading:
    columns = (Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
    return reading({"ra": ra, "dec": dec}, columns, **told)


def brought(archive: Archive, read: Reading, name: str = "test.stars", **given: Any) -> Entry:
    replaces = given.pop("replaces", False)
    return bring(archive, read, Given(name, **given), OWNER, "stars.fits", replaces=replaces)


def ask(archive: Archive, text: str, caller: Caller = ANONYMOUS) -> list[dict[str, Any]]:
    rows = query.run(archive, caller, TapQuery(text, 1_000_000, choose("csv")))
    return [row for batch in rows.batches for row in batch.to_pylist()]


def tables_of_rows(archive: Archive) -> set[str]:
    """The SQL tables with rows of catalogues."""
    with archive.database.read() as connection:
        names = sa.inspect(connection).get_table_names()
    ours = {table.name for table in catalogues.TABLES}
    return {name for name in names if name.startswith("catalogue_")} - ours
