"""Do outer joins and EXISTS on positions and regions give what brute force gives, and search an index for each row?"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.columns import Column, PointIndex, RegionIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.sky import Circle, hpx29, region_rows, region_tables, to_stcs
from tests.databases import ON_POSTGRESQL
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

METADATA = sa.MetaData()
COUNT, REACH_DEG = 150, 0.5
NOWHERE = (1000, 1001)
"""The rows that have no position, or half of one, and no region."""


def _stored(name: str) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec")),
        sa.Column("hpx29", sa.BigInteger, index=True),
        sa.Column("s_region", sa.Text),
        sa.Column("row", sa.String(100), unique=True),
    )


OURS, THEIRS = _stored("ours"), _stored("theirs")
INDEXES = {t.name: RegionIndex("s_region", "row", region_tables(t.name, METADATA)[0]) for t in (OURS, THEIRS)}
COLUMNS = (
    Column("id", "INTEGER"),
    Column("ra", "DOUBLE", "deg"),
    Column("dec", "DOUBLE", "deg"),
    Column("s_region", "REGION"),
)


def _described(table: sa.Table, rows: int | None) -> Table:
    """One of the two as it is stored, the other as a query that shows its rows."""
    view = table if table is OURS else sa.select(table).where(table.c.id + 0 >= 0).subquery()
    point = PointIndex("ra", "dec")
    return Table(
        "sky", table.name, COLUMNS, lambda caller: view, point=point, region=INDEXES[table.name], rows=rows
    )


SIZES = {"unknown": (None, None), "ours is larger": (10**7, 10), "theirs is larger": (10, 10**7)}
CATALOGUES = {
    name: Catalogue([_described(t, n) for t, n in zip((OURS, THEIRS), rows, strict=True)])
    for name, rows in SIZES.items()
}


def _places(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (deg) about the poles, RA 0 and elsewhere: about half have another near."""
    random = np.random.default_rng(seed)
    ra = (
        np.concatenate([random.normal(0, 1.5, 50), random.uniform(0, 360, 50), random.normal(80, 3, 50)])
        % 360.0
    )
    dec = np.concatenate(
        [
            random.normal(0, 1.5, 50),
            random.choice([-1, 1], 50) * (90 - random.uniform(0, 4, 50)),
            random.normal(30, 3, 50),
        ]
    )
    return ra, dec


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_database())
    METADATA.create_all(made.engine)
    with made.write() as connection:
        install(connection, FUNCTIONS)
        for seed, table in enumerate((OURS, THEIRS)):
            places = zip(*(a.tolist() for a in _places(seed)), strict=True)
            for number, (ra, dec) in enumerate(places):
                _put(connection, table, number, ra, dec)
            for number, ra in zip(NOWHERE, (None, 10.0), strict=True):
                connection.execute(table.insert(), {"id": number, "ra": ra})
    with made.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    yield made
    made.close()


def _put(connection: sa.Connection, table: sa.Table, number: int, ra: float, dec: float) -> None:
    disc, index = Circle(ra, dec, REACH_DEG), INDEXES[table.name]
    row = {"id": number, "ra": ra, "dec": dec, "hpx29": int(hpx29(ra, dec))}
    connection.execute(table.insert(), row | {"s_region": to_stcs(disc), "row": f"row {number}"})
    cover, edges = region_rows(disc, f"row {number}")
    connection.execute(index.cover.insert(), cover)
    connection.execute(index.edges.insert(), edges)


def _pairs(reach_deg: float) -> set[tuple[int, int]]:
    """The rows of both that are this near, by their distances."""
    ours, theirs = (_directions(*_places(seed)) for seed in (0, 1))
    chords = np.linalg.norm(ours[:, None, :] - theirs[None, :, :], axis=2)
    near = np.degrees(2 * np.arcsin(np.clip(chords / 2, 0, 1))) <= reach_deg
    return set(zip(*(i.tolist() for i in np.nonzero(near)), strict=True))


def _directions(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


CONDITIONS = {
    f"DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < {REACH_DEG}": REACH_DEG,
    f"DISTANCE(b.ra, b.dec, a.ra, a.dec) <= {REACH_DEG} AND a.id + 0 >= 0": REACH_DEG,
    f"1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {REACH_DEG}))": REACH_DEG,
    f"1 = CONTAINS(POINT(b.ra, b.dec), CIRCLE(a.ra, a.dec, {REACH_DEG}))": REACH_DEG,
    "1 = CONTAINS(POINT(a.ra, a.dec), b.s_region)": REACH_DEG,
    "1 = INTERSECTS(a.s_region, POINT(b.ra, b.dec))": REACH_DEG,
    "1 = INTERSECTS(a.s_region, b.s_region)": 2 * REACH_DEG,
    f"1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {REACH_DEG} + 0 * b.id))": REACH_DEG,
}
"""Each with the distance (deg) that it means."""

ALL = {*range(COUNT), *NOWHERE}


def _expected(kind: str, reach_deg: float) -> set[tuple[int | None, int | None]]:
    pairs = _pairs(reach_deg)
    found: set[tuple[int | None, int | None]] = set(pairs)
    if kind in ("LEFT", "FULL"):
        found |= {(a, None) for a in ALL - {a for a, _ in pairs}}
    if kind in ("RIGHT", "FULL"):
        found |= {(None, b) for b in ALL - {b for _, b in pairs}}
    return found


def rows(database: Database, query: str, catalogue: Catalogue) -> list[tuple[Any, ...]]:
    """What a query gives."""
    translated = translate(query, catalogue, ANONYMOUS, database.speech)
    batches = database.rows(translated.text, translated.columns).batches
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "RIGHT", "FULL"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_joins_of_every_kind_give_what_brute_force_gives(
    database: Database, kind: str, condition: str
) -> None:
    expected = _expected(kind, CONDITIONS[condition])
    assert COUNT // 3 < len(_pairs(CONDITIONS[condition])) < COUNT * 10
    for size, catalogue in CATALOGUES.items():
        found = rows(
            database, f"SELECT a.id, b.id FROM ours a {kind} JOIN theirs b ON {condition}", catalogue
        )
        assert len(found) == len(expected), size
        assert set(found) == expected, size


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_exists_nearby_is_what_brute_force_gives(database: Database, condition: str) -> None:
    pairs = _pairs(CONDITIONS[condition])
    found = {"a": {a for a, _ in pairs}, "b": {b for _, b in pairs}}
    tables = {"a": "ours a", "b": "theirs b"}
    for catalogue, (outer, inner), no in product(CATALOGUES.values(), ("ab", "ba"), ("", "NOT ")):
        query = f"SELECT id FROM {tables[outer]} WHERE {no}EXISTS (SELECT 1 FROM {tables[inner]} WHERE {condition})"
        expected = ALL - found[outer] if no else found[outer]
        assert sorted(n for (n,) in rows(database, query, catalogue)) == sorted(expected), query


def test_joins_of_three_tables_search_each_for_what_is_before_it(database: Database) -> None:
    near = "DISTANCE({0}.ra, {0}.dec, {1}.ra, {1}.dec) < 0.5"
    query = (
        f"SELECT a.id, b.id, c.id FROM ours a LEFT JOIN theirs b ON {near.format('a', 'b')}"
        f" LEFT JOIN ours c ON {near.format('b', 'c')} AND c.id <> a.id"
    )
    pairs = _pairs(REACH_DEG)
    found: set[tuple[int | None, ...]] = set()
    for a, b in _expected("LEFT", REACH_DEG):
        others = [c for c, other in pairs if other == b and c != a]
        found |= {(a, b, c) for c in others or [None]}
    assert set(rows(database, query, CATALOGUES["ours is larger"])) == found


def _plan(database: Database, query: str, catalogue: Catalogue) -> list[str]:
    text = translate(query, catalogue, ANONYMOUS, database.speech).text
    with database.read() as connection:
        if ON_POSTGRESQL:
            connection.exec_driver_sql("SET enable_seqscan = off")
            return [r[0] for r in connection.exec_driver_sql(f"EXPLAIN {text}".replace("%", "%%"))]
        return [r[3] for r in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]


def _read_whole(plan: list[str]) -> int:
    """How many times a plan reads one of the two tables without an index; t1 and t2 are their aliases."""
    if not ON_POSTGRESQL:
        return sum(re.search(r"SCAN (t1|t2|ours|theirs)\b", line) is not None for line in plan)
    below = zip(plan, [*plan[1:], ""], strict=True)
    return sum(
        re.search(r"Scan.* on (ours|theirs)( |$)", line) is not None and " Cond: " not in after
        for line, after in below
    )


QUERIES = {
    "ours a LEFT JOIN theirs b ON {}": 1,
    "ours a RIGHT JOIN theirs b ON {}": 1,
    "ours a FULL JOIN theirs b ON {}": 2,
    "ours a WHERE EXISTS (SELECT 1 FROM theirs b WHERE {})": 1,
    "theirs b WHERE NOT EXISTS (SELECT 1 FROM ours a WHERE {})": 1,
}
"""Each with how many times it reads a table whole."""


SEARCHED = [condition for condition in CONDITIONS if "0 * b.id" not in condition]
"""The conditions that have an index on either side: no circles of different sizes."""


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("condition", SEARCHED)
@pytest.mark.parametrize("size", SIZES)
def test_one_side_is_read_and_the_other_is_searched(
    database: Database, query: str, condition: str, size: str
) -> None:
    plan = _plan(database, f"SELECT COUNT(*) FROM {query.format(condition)}", CATALOGUES[size])
    assert _read_whole(plan) == QUERIES[query], "\n".join(plan)
