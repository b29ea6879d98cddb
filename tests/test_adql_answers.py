"""Do translated queries give the rows that arithmetic on the same little table gives?"""

import ast
import math
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.datatypes import Timestamp
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.sky import hpx29
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate

CASES = sorted((Path(__file__).parent / "adql").glob("*.sql"))
"""Files of queries, each followed by a line ``--> rows``; queries are apart by an empty line."""

METADATA = sa.MetaData()
STARS = sa.Table(
    "stars_stored",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("ra", sa.Double(53)),
    sa.Column("dec", sa.Double(53)),
    sa.Column("mag", sa.REAL),
    sa.Column("size", sa.Integer),
    sa.Column("seen", Timestamp),
    sa.Column("bright", sa.Boolean),
    sa.Column("plate", sa.Integer),
    sa.Column("hpx29", sa.BigInteger, index=True),
)
PLATES = sa.Table(
    "plates_stored", METADATA, sa.Column("plate", sa.Integer), sa.Column("label", sa.Text), schema=None
)
SKY = sa.Table(
    "positions",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("ra", sa.Double(53)),
    sa.Column("dec", sa.Double(53)),
    sa.Column("hpx29", sa.BigInteger, index=True),
)
CATALOGUE = Catalogue(
    [
        Table(
            "sky",
            "stars",
            (
                Column("id", "BIGINT", ucd="meta.id;meta.main"),
                Column("name", "VARCHAR"),
                Column("ra", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
                Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
                Column("mag", "REAL", "mag", "phot.mag"),
                Column("size", "INTEGER", "pixel"),
                Column("seen", "TIMESTAMP"),
                Column("bright", "BOOLEAN"),
                Column("plate", "INTEGER"),
            ),
            lambda caller: STARS,
            point=PointIndex("ra", "dec"),
        ),
        Table(
            "sky", "plates", (Column("plate", "INTEGER"), Column("label", "VARCHAR")), lambda caller: PLATES
        ),
        Table(
            "sky",
            "positions",
            (Column("id", "BIGINT"), Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg")),
            lambda caller: SKY,
            point=PointIndex("ra", "dec"),
        ),
    ]
)

_STAR_ROWS = [
    (1, "Alpha", 10.0, 20.0, 1.5, 10, "2001-01-01", True, 10),
    (2, "alpha_2", 0.0, 89.9, 2.5, 20, "2003-02-14", False, 10),
    (3, "Zeta", 359.99, 0.0, 5.0, 30, "2003-02-14T06:30:00.5", True, 20),
    (4, "C\\D", 180.0, -90.0, 4.0, 40, "2003-12-31T23:59:59", False, 20),
    (5, "Été", 0.01, 0.0, 1.5, 50, "2005-01-01", None, None),
    (6, None, None, None, None, None, None, None, None),
]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    METADATA.create_all(database.engine)
    with database.write() as connection:
        install(connection, FUNCTIONS)
    names = [c.name for c in STARS.columns]
    rows = [dict(zip(names, (*row, _pixel(row[2], row[3])), strict=True)) for row in _STAR_ROWS]
    plates = [{"plate": p, "label": t} for p, t in ((10, "north"), (20, "south"), (30, "empty"))]
    with database.write() as connection:
        connection.execute(STARS.insert(), [{**r, "seen": _time(r["seen"])} for r in rows])
        connection.execute(PLATES.insert(), plates)
    yield database
    database.close()


def _pixel(ra: float | None, dec: float | None) -> int | None:
    return None if ra is None or dec is None else int(np.ravel(hpx29(np.array([ra]), np.array([dec])))[0])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def answer(database: Database, query: str) -> list[object]:
    """The rows of a query; of one column, its values."""
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    batches = database.rows(translated.text, translated.columns).batches
    found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return [row[0] for row in found] if len(translated.columns) == 1 else found


def _alike(found: object, expected: object) -> bool:
    if isinstance(expected, tuple | list) and isinstance(found, tuple | list):
        return len(found) == len(expected) and all(map(_alike, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


def _outcome(database: Database, query: str) -> object:
    try:
        return answer(database, query)
    except AdqlError:
        return "ERROR"


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_queries_give_the_rows_and_types_beside_them(database: Database, path: Path) -> None:
    for case in path.read_text().strip().split("\n\n"):
        query, expected = case.split("\n--> ")
        found = _outcome(database, query)
        assert _alike(found, ast.literal_eval(expected)), query


@pytest.fixture
def positions(database: Database) -> tuple[Database, SkyCoord]:
    """A thousand positions, denser about a pole and about RA = 0."""
    random = np.random.default_rng(1)
    ra = np.concatenate([random.uniform(0, 360, 500), random.normal(0, 0.5, 500) % 360.0])
    dec = np.concatenate([90 - random.uniform(0, 2, 500), random.normal(0, 0.5, 500)])
    pixels = hpx29(ra, dec)
    rows = [
        {"id": i, "ra": float(ra[i]), "dec": float(dec[i]), "hpx29": int(pixels[i])} for i in range(len(ra))
    ]
    with database.write() as connection:
        connection.execute(SKY.insert(), rows)
    return database, SkyCoord(ra, dec, unit="deg")


CONES = [(0.0, 0.0, 0.4), (359.9, 0.1, 0.3), (0.0, 90.0, 0.7), (120.0, 89.5, 0.6)]
WRITINGS = [
    "1=CONTAINS(POINT(ra, dec), CIRCLE({}, {}, {}))",
    "CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {}, {}, {})) = 1",
    "CONTAINS(POINT('', ra, dec), CIRCLE(POINT({}, {}), {})) <> 0",
    "0 != CONTAINS(POINT(ra, dec), CIRCLE({}, {}, 2*{}/2.))",
    "INTERSECTS(CIRCLE({}, {}, {}), POINT(ra, dec)) = 1",
    "DISTANCE(ra, dec, {}, {}) <= {}",
    "DISTANCE(POINT({1}, {2}), POINT(ra, dec)) < {3}",
    "{3} >= DISTANCE({1}, {2}, ra, dec)",
    "NOT CONTAINS(POINT(ra, dec), CIRCLE({}, {}, {})) = 0",
    "DISTANCE(ra+0, dec, {}, {}) < {}",
    "CONTAINS(POINT(ra, dec), CIRCLE({}, {}, {})) > 0",
]


def test_a_cone_in_every_writing_finds_what_astropy_finds(positions: tuple[Database, SkyCoord]) -> None:
    database, sky = positions
    for writing, (ra, dec, radius) in product(WRITINGS, CONES):
        where = writing.format(*((ra, dec, radius) if "{1}" not in writing else ("", ra, dec, radius)))
        inside = sky.separation(SkyCoord(ra, dec, unit="deg")).deg < radius
        assert answer(database, f"SELECT id FROM positions WHERE {where} ORDER BY id") == list(
            np.flatnonzero(inside)
        )


@pytest.mark.parametrize("writing", [w for w in WRITINGS if "+0" not in w and "> 0" not in w])
def test_a_cone_on_indexed_columns_uses_the_index(writing: str) -> None:
    where = writing.format(*((1, 2, 0.5) if "{1}" not in writing else ("", 1, 2, 0.5)))
    translated = translate(
        f"SELECT id FROM positions WHERE {where}", CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]
    )
    assert '"hpx29" BETWEEN' in translated.text


def test_a_crossmatch_on_distance_finds_what_astropy_finds(positions: tuple[Database, SkyCoord]) -> None:
    database, sky = positions
    query = """SELECT COUNT(*) FROM positions a JOIN positions b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.1
               WHERE MOD(a.id, 10) = 0"""
    separations = sky[::10, None].separation(sky[None, :]).deg
    assert answer(database, query) == [int((separations < 0.1).sum())]


def test_a_polygon_and_a_box_contain_what_the_plane_says_near_the_equator(
    positions: tuple[Database, SkyCoord],
) -> None:
    database, sky = positions
    near = (sky.ra.wrap_at("180d").deg > -0.2) & (sky.ra.wrap_at("180d").deg < 0.2) & (abs(sky.dec.deg) < 0.1)
    for shape in ("POLYGON(359.8, -0.1, 0.2, -0.1, 0.2, 0.1, 359.8, 0.1)", "BOX('ICRS', 0, 0, 0.4, 0.2)"):
        query = f"SELECT id FROM positions WHERE 1 = CONTAINS(POINT(ra, dec), {shape}) ORDER BY id"
        assert answer(database, query) == list(np.flatnonzero(near))


def test_ivo_healpix_index_is_the_pixel_of_the_catalogue_of_functions(database: Database) -> None:
    query = """SELECT ivo_healpix_index(0, 1, 1), ivo_healpix_index(17, POINT(1, 1)),
               ivo_healpix_index(29, ra, dec) FROM stars WHERE id = 1"""
    assert answer(database, query) == [(4, 81609757711, _pixel(10.0, 20.0))]


def test_geometry_in_the_list_arrives_as_numbers(database: Database) -> None:
    query = "SELECT POINT(ra, dec), CIRCLE('ICRS', ra, dec, 1.5) FROM stars WHERE id = 1"
    assert answer(database, query) == [([10.0, 20.0], [10.0, 20.0, 1.5])]


NESTED = [
    ("SELECT id FROM stars WHERE mag = ", "SQRT(", ")"),
    ("SELECT id FROM stars WHERE mag = ", "ASIN(", ")"),
    ("SELECT id FROM stars WHERE mag = ", "(1/", ")"),
    ("SELECT id FROM stars WHERE mag = ", "EXP(", ")"),
    ("SELECT id FROM stars WHERE mag = ", "ROUND(", ", 2)"),
    ("SELECT id FROM stars WHERE mag = ", "(SELECT MAX(mag) FROM stars WHERE mag = ", ")"),
    ("SELECT id FROM stars WHERE mag = ", "- ", ""),
]


@pytest.mark.parametrize(("start", "opening", "closing"), NESTED, ids=[n[1] for n in NESTED])
def test_what_is_not_refused_as_too_deep_runs(
    database: Database, start: str, opening: str, closing: str
) -> None:
    for depth in (*range(1, 20), 40, 60):
        try:
            answer(database, f"{start}{opening * depth}mag{closing * depth}")
        except AdqlError:
            assert depth > 2
            return


def test_ten_thousand_choices_are_one_query(database: Database) -> None:
    choices = ", ".join(map(str, range(3, 10_003)))
    assert answer(database, f"SELECT id FROM stars WHERE id IN ({choices}) ORDER BY id") == [3, 4, 5, 6]


EXTREMES = [-(2**63), -(2**63) + 1, -(10**18), 10**18, 3091062925782768277, 2**63 - 1]


@pytest.mark.parametrize("number", EXTREMES)
def test_whole_numbers_are_exact_up_to_the_ends_of_bigint(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.execute(STARS.insert(), [{"id": number, "name": "far"}, {"id": number // 10, "name": ""}])
    query = f"SELECT id, {number}, CAST('{number}' AS BIGINT), CAST(id AS BIGINT), CAST({number} AS BIGINT)"
    row = (number,) * 5
    assert answer(database, f"{query} FROM stars WHERE id = {number}") == [row]
    assert answer(database, f"{query} FROM stars WHERE id = CAST('{number}' AS BIGINT)") == [row]
    assert answer(database, f"SELECT name FROM stars WHERE id IN ({number}, 7)") == ["far"]


def test_whole_numbers_beyond_bigint_are_doubles(database: Database) -> None:
    beyond = f"SELECT {2**63}, - {-(2**63)}, {10**30}, CAST('{2**63}' AS BIGINT) FROM stars WHERE id = 1"
    assert answer(database, beyond) == [(2.0**63, 2.0**63, 1e30, None)]


@pytest.mark.parametrize("count", [31, 32, 33, 1100, 3000])
def test_thousands_of_alternatives_or_conditions_are_one_query(database: Database, count: int) -> None:
    def found(condition: str) -> list[object]:
        return answer(database, f"SELECT id FROM stars WHERE {condition} ORDER BY id")

    numbers = range(3, 3 + count)
    assert found(" OR ".join(f"id = {n}" for n in numbers)) == [3, 4, 5, 6]
    assert found(" AND ".join(f"id <> {n}" for n in numbers)) == [1, 2]
    pairs = " OR ".join(f"(id = {n} AND mag > 2)" for n in numbers[:1200])
    assert found(f"NOT ({pairs})") == [1, 2, 5]


NO_NUMBER = (
    *("1/0", "1.0/0", "1/0.0", "id/0", "mag/0", "ra/(id-id)", "MOD(id, 0)", "MOD(1.5, 0)"),
    *("SQRT(-1)", "SQRT(0-id)", "LOG(-1)", "LOG(0)", "LOG10(0-ra)", "EXP(1e4)", "ASIN(2)", "ACOS(-2)"),
    *(
        "POWER(10, 400)",
        "POWER(-10, 401)",
        "POWER(ra, 400)",
        "POWER(0, -1)",
        "POWER(-8, 0.5)",
        "POWER(1e-200, -2)",
    ),
)


@pytest.mark.parametrize("expression", NO_NUMBER)
def test_what_is_no_number_is_null_on_every_database(database: Database, expression: str) -> None:
    assert answer(database, f"SELECT {expression} FROM stars WHERE id = 1") == [None]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("POWER(10, 308)", 1e308),
        ("POWER(-10, 307)", -1e307),
        ("POWER(10, -400)", 0.0),
        ("POWER(0, 0)", 1.0),
        ("POWER(0.5, 2000)", 0.0),
        ("POWER(-2, 3)", -8.0),
    ],
)
def test_what_is_a_number_stays_one_on_every_database(
    database: Database, expression: str, number: float
) -> None:
    assert answer(database, f"SELECT {expression} FROM stars WHERE id = 1") == [pytest.approx(number)]
