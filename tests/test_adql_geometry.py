"""What do the geometry functions of ADQL give, for constants, columns, and what is made of them?"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.functions import install
from datamodel.membership import contains
from datamodel.own_functions import FUNCTIONS
from datamodel.sky import Polygon, hpx29
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate

METADATA = sa.MetaData()
STARS = sa.Table(
    "stars",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec", "reach")),
    *(sa.Column(n, sa.Text) for n in ("place", "disc", "edge", "words")),
    sa.Column("hpx29", sa.BigInteger, index=True),
)
CATALOGUE = Catalogue(
    [
        Table(
            "sky",
            "stars",
            (
                Column("id", "INTEGER"),
                Column("ra", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
                Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
                Column("reach", "DOUBLE", "deg"),
                Column("place", "POINT", "deg"),
                Column("disc", "CIRCLE", "deg"),
                Column("edge", "POLYGON", "deg"),
                Column("words", "VARCHAR"),
            ),
            lambda caller: STARS,
            point=PointIndex("ra", "dec"),
        )
    ]
)
COUNT = 300
RANDOM = np.random.default_rng(11)
RA = np.concatenate([RANDOM.uniform(0, 360, 150), RANDOM.normal(0, 1, 150) % 360.0])
DEC = np.concatenate(
    [90 - RANDOM.uniform(0, 4, 75), -90 + RANDOM.uniform(0, 4, 75), RANDOM.normal(0, 1, 150)]
)
REACH = RANDOM.uniform(0.1, 2.0, COUNT)
SKY = SkyCoord(RA, DEC, unit="deg")


def _row(i: int) -> dict[str, Any]:
    ra, dec, reach = (float(a[i]) for a in (RA, DEC, REACH))
    low = min(max(dec, -89.0), 88.0)
    return {
        "id": i,
        "ra": ra,
        "dec": dec,
        "reach": reach,
        "place": f"{ra!r} {dec!r}",
        "disc": f"{ra!r} {dec!r} {reach!r}",
        "edge": f"{ra!r} {low!r} {ra + 1!r} {low!r} {ra + 0.5!r} {low + 1!r}",
        "words": f"{ra!r} {dec!r}" if i % 2 else "nowhere",
        "hpx29": int(hpx29(ra, dec)),
    }


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_database())
    METADATA.create_all(made.engine)
    rows = [_row(i) for i in range(COUNT)]
    with made.write() as connection:
        install(connection, FUNCTIONS)
        connection.execute(STARS.insert(), [*rows, dict.fromkeys(rows[0]) | {"id": COUNT}])
    yield made
    made.close()


def answer(database: Database, query: str) -> list[Any]:
    """The rows of a query; of one column, its values."""
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    batches = database.rows(translated.text, translated.columns).batches
    found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return [row[0] for row in found] if len(translated.columns) == 1 else found


def value(database: Database, expression: str) -> Any:
    """What an expression of the star 0 is."""
    return answer(database, f"SELECT {expression} FROM stars WHERE id = 0")[0]


SQUARE_DEGREES = (180 / math.pi) ** 2
VALUES = {
    "REGION('CIRCLE ICRS 10 20 3')": [10.0, 20.0, 3.0],
    "REGION('circle 10 20 3')": [10.0, 20.0, 3.0],
    "REGION('10 20 3')": [10.0, 20.0, 3.0],
    "REGION('Position ICRS TOPOCENTER 10 -20')": [10.0, -20.0],
    "REGION('Polygon ICRS 1 2 3 2 3 5')": [1.0, 2.0, 3.0, 2.0, 3.0, 5.0],
    "REGION('BOX ICRS 10 20 2 4')": [11.0, 18.0, 11.0, 22.0, 9.0, 22.0, 9.0, 18.0],
    "CAST('12.3 45.6' AS POINT)": [12.3, 45.6],
    "CAST(' 12.3  45.6 1e0' AS CIRCLE)": [12.3, 45.6, 1.0],
    "CAST('1.0 0.1 2.0 0.2 3.0 0.3' AS POLYGON)": [1.0, 0.1, 2.0, 0.2, 3.0, 0.3],
    "CAST(POINT(1, 2) AS POINT)": [1.0, 2.0],
    "CAST(CIRCLE(1, 2, 0.1) AS VARCHAR)": "1.0 2.0 0.1",
    "CAST(NULL AS POINT)": None,
    "CAST(POINT(ra, NULL) AS CHAR(3))": None,
    "COORD1(CAST('12.3 45.6' AS POINT))": 12.3,
    "COORD2(CENTROID(CIRCLE(1, 2, 3)))": 2.0,
    "COORDSYS(POINT(ra, dec))": "ICRS",
    "COORDSYS(place)": "ICRS",
    "COORDSYS(POINT(ra, NULL))": None,
    "AREA(POLYGON(0, 0, 90, 0, 0, 90))": math.pi / 2 * SQUARE_DEGREES,
    "AREA(CIRCLE(ra, dec, 90))": 2 * math.pi * SQUARE_DEGREES,
    "AREA(POINT(ra, dec))": 0.0,
    "AREA(BOX(10, 0, 0.002, 0.002))": 4e-6,
    "COORD2(CENTROID(POLYGON(0, 0, 90, 0, 0, 90)))": math.degrees(math.atan(math.sqrt(0.5))),
    "DISTANCE(CENTROID(BOX(10, 0, 2, 2)), POINT(10, 0))": 0.0,
    "CONTAINS(POINT(0, 1), CIRCLE(0, 0, 1))": 1,
    "CONTAINS(POINT(10, 10), POLYGON(0, 10, 20, 10, 10, 30))": 0,
    "CONTAINS(POINT(0, 10), POLYGON(0, 10, 20, 10, 10, 30))": 1,
    "CONTAINS(CIRCLE(1, 2, 1), CIRCLE(1, 2, 1))": 1,
    "CONTAINS(CIRCLE(1, 2, 100), CIRCLE(181, -2, 180))": 1,
    "CONTAINS(POLYGON(0, 0, 1, 0, 0, 1), CIRCLE(0, 0, 1))": 1,
    "CONTAINS(CIRCLE(0, 90, 5), POLYGON(0, 80, 120, 80, 240, 80))": 1,
    "CONTAINS(CIRCLE(0, 90, 6), POLYGON(0, 80, 120, 80, 240, 80))": 0,
    "CONTAINS(POLYGON(0, 0, 1, 0, 0, 1), POINT(0, 0))": 0,
    "CONTAINS(POINT(7, 90), POINT(200, 90))": 1,
    "INTERSECTS(CIRCLE(359, 0, 1), CIRCLE(1, 0, 1))": 1,
    "INTERSECTS(CIRCLE(359, 0, 1), CIRCLE(1, 0, 0.999))": 0,
    "INTERSECTS(POLYGON(0, 0, 10, 0, 0, 10), POLYGON(1, -1, 2, -1, 1, 20))": 1,
    "INTERSECTS(REGION('CIRCLE 0 0 1'), BOX(3, 0, 2, 2))": 0,
    "CONTAINS(POINT(1, 2), CIRCLE(1, 2, NULL))": None,
    "CONTAINS(NULL, CIRCLE(1, 2, 1))": None,
    "INTERSECTS(POLYGON(0, 0, 1, 0, 0, 1), CAST(NULL AS CIRCLE))": None,
    "INTERSECTS(CAST('x' || words AS POLYGON), CIRCLE(1, 2, 1))": None,
    "DISTANCE(POINT(1, 2), CAST(NULL AS POINT))": None,
}


@pytest.mark.parametrize("expression", VALUES)
def test_geometry_functions_give_what_they_mean(database: Database, expression: str) -> None:
    expected = VALUES[expression]
    if isinstance(expected, float):
        expected = pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert value(database, expression) == expected


def test_null_in_a_column_gives_null(database: Database) -> None:
    pairs = (
        "place, CIRCLE(1, 2, 3)",
        "POINT(ra, dec), edge",
        "CIRCLE(ra, dec, 1), disc",
        "edge, BOX(1, 2, 3, 4)",
    )
    asked = [f"CONTAINS({p})" for p in pairs] + [f"INTERSECTS({p})" for p in pairs]
    asked += [
        "AREA(edge)",
        "COORD1(place)",
        "CENTROID(edge)",
        "COORDSYS(disc)",
        "DISTANCE(place, POINT(1, 2))",
    ]
    found = answer(database, f"SELECT {', '.join(asked)} FROM stars WHERE id = {COUNT}")
    assert found == [(None,) * len(asked)]
    for condition in (f"NOT {a} = 1" for a in asked[:8]):
        assert answer(database, f"SELECT id FROM stars WHERE id = {COUNT} AND {condition}") == []


def test_columns_that_are_geometries_give_their_numbers(database: Database) -> None:
    query = "SELECT COORD1(place), COORD2(place), COORD1(CENTROID(disc)), place FROM stars WHERE id < 300 ORDER BY id"
    found = answer(database, query)
    for i, (ra, dec, centre, place) in enumerate(found):
        assert (ra, dec, centre, place) == (RA[i], DEC[i], RA[i], [RA[i], DEC[i]])
    query = "SELECT COORD1(p), DISTANCE(p, POINT(0, 0)) FROM (SELECT POINT(ra, dec) AS p, id FROM stars) q WHERE id = 3"
    assert answer(database, query) == [
        (RA[3], pytest.approx(SKY[3].separation(SkyCoord(0, 0, unit="deg")).deg))
    ]
    assert value(database, "POINT(ra, dec)") == [RA[0], DEC[0]]


def test_a_text_that_is_cast_is_a_point_where_it_can_be(database: Database) -> None:
    found = answer(database, "SELECT COORD2(CAST(words AS POINT)) FROM stars WHERE id < 4 ORDER BY id")
    assert found == [None, DEC[1], None, DEC[3]]
    circle = (
        "SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), REGION('CIRCLE ICRS ' || words || ' 0.1')) = 1"
    )
    assert sorted(answer(database, circle)) == list(range(1, COUNT, 2))


CONES = [
    (0.0, 0.0, 0.7),
    (0.0, 90.0, 3.0),
    (200.0, -89.0, 2.0),
    (40.0, 10.0, 90.0),
    (10.0, 20.0, 170.0),
    (5, 5, 180),
]
CENTRES = [
    "POINT(ra, dec)",
    "place",
    "CENTROID(disc)",
    "CAST(CAST(place AS VARCHAR) AS POINT)",
    "POINT(ra + 0, dec)",
]


@pytest.mark.parametrize("centre", CENTRES)
def test_cones_find_what_astropy_finds_up_to_half_the_sky_and_beyond(database: Database, centre: str) -> None:
    for ra, dec, radius in CONES:
        expected = np.flatnonzero(SKY.separation(SkyCoord(ra, dec, unit="deg")).deg <= radius).tolist()
        circle = f"CIRCLE({ra}, {dec}, {radius})"
        for where in (f"CONTAINS({centre}, {circle})", f"INTERSECTS({circle}, {centre})"):
            assert answer(database, f"SELECT id FROM stars WHERE {where} = 1 ORDER BY id") == expected, where
            others = f"SELECT COUNT(*) FROM stars WHERE {where} = 0"
            assert answer(database, others) == [COUNT - len(expected)]


def test_polygons_of_rows_contain_what_polygons_of_numbers_contain(database: Database) -> None:
    place = float(RA[200]), float(DEC[200])
    low = np.clip(DEC, -89, 88).tolist()
    shapes = [Polygon(((a, b), (a + 1, b), (a + 0.5, b + 1))) for a, b in zip(RA.tolist(), low, strict=True)]
    expected = [i for i, s in enumerate(shapes) if contains(s, *place)]
    assert len(expected) > 2
    point = f"POINT({place[0]!r}, {place[1]!r})"
    assert answer(database, f"SELECT id FROM stars WHERE CONTAINS({point}, edge) = 1 ORDER BY id") == expected
    made = "POLYGON(POINT(ra, dec), POINT(ra + 1, dec), POINT(ra + 0.5, dec + 1))"
    query = f"SELECT id FROM stars WHERE dec BETWEEN -89 AND 88 AND 1 = CONTAINS({point}, {made}) ORDER BY id"
    assert answer(database, query) == [i for i in expected if -89 <= DEC[i] <= 88]


def test_a_polygon_of_columns_may_have_hundreds_of_vertices_and_no_more(database: Database) -> None:
    ring = [f"ra + {i}, {85 + i % 2}" for i in range(360)]
    query = "SELECT COUNT(*) FROM stars WHERE id < 5 AND CONTAINS(POINT(0, 90), POLYGON({})) = 1"
    assert answer(database, query.format(", ".join(ring))) == [5]
    with pytest.raises(AdqlError, match="400 vertices at the most, found 720"):
        answer(database, query.format(", ".join(ring * 2)))


def test_circles_of_rows_meet_and_hold_as_their_distances_say(database: Database) -> None:
    separations = SKY[:, None].separation(SKY[None, :]).deg
    join = "SELECT a.id, b.id FROM stars a JOIN stars b ON {} = 1 WHERE a.id < 8"
    for circle in ("CIRCLE({0}.ra, {0}.dec, {0}.reach)", "{0}.disc", "CIRCLE({0}.place, {0}.reach)"):
        one, other = circle.format("a"), circle.format("b")
        met = set(map(tuple, np.argwhere(separations[:8] <= REACH[:8, None] + REACH)))
        assert set(answer(database, join.format(f"INTERSECTS({one}, {other})"))) == met
        held = set(map(tuple, np.argwhere(separations[:8] <= REACH - REACH[:8, None] + 1e-12)))
        assert set(answer(database, join.format(f"CONTAINS({one}, {other})"))) == held


def test_a_crossmatch_may_have_a_radius_for_each_row(database: Database) -> None:
    separations = SKY[:, None].separation(SKY[None, :]).deg
    expected = set(map(tuple, np.argwhere(separations <= REACH[:, None])))
    for condition in (
        "CONTAINS(POINT(b.ra, b.dec), CIRCLE(a.ra, a.dec, a.reach)) = 1",
        "1 = INTERSECTS(POINT(b.ra, b.dec), CIRCLE(a.place, a.reach))",
        "1 = INTERSECTS(b.place, CIRCLE(a.place, a.reach)) AND a.id < 20",
        "DISTANCE(a.place, b.place) <= a.reach AND a.id < 20",
    ):
        wanted = {pair for pair in expected if pair[0] < 20 or "id < 20" not in condition}
        assert set(answer(database, f"SELECT a.id, b.id FROM stars a, stars b WHERE {condition}")) == wanted


def test_geometries_of_other_frames_are_where_astropy_puts_them(database: Database) -> None:
    found = value(database, "POINT('GALACTIC', 120, 30)")
    expected = SkyCoord(120, 30, unit="deg", frame="galactic").icrs
    assert SkyCoord(*found, unit="deg").separation(expected) < 0.03 * u.arcsec
    inside = SKY.galactic.b.deg > 60
    query = "SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), REGION('CIRCLE GALACTIC 0 90 30')) = 1 ORDER BY id"
    assert answer(database, query) == np.flatnonzero(inside).tolist()
    turned = "SELECT id, POINT('ECLIPTIC', ra, dec) FROM stars WHERE id < 20 ORDER BY id"
    for i, place in answer(database, turned):
        known = SkyCoord(RA[i], DEC[i], unit="deg", frame="barycentricmeanecliptic").icrs
        assert SkyCoord(*place, unit="deg").separation(known) < 0.1 * u.arcsec


REFUSED = {
    "REGION('UNION ICRS (CIRCLE 1 2 3 CIRCLE 4 5 6)')": "OR between the conditions",
    "REGION('NOT (CIRCLE 1 2 3)')": "NOT between the conditions",
    "REGION('CIRCLE ICRS 1 2')": "expected CIRCLE ICRS lon lat radius",
    "REGION('ellipse 1 2 3 4')": "a region such as 'CIRCLE ICRS 10 20 1'",
    "REGION('')": "a region such as",
    "REGION(7)": "REGION takes a text",
    "REGION('CIRCLE MARS 1 2 3')": "expected CIRCLE ICRS",
    "REGION('CIRCLE 1 2 inf')": "expected CIRCLE",
    "CAST('1 2 3' AS POINT)": "the numbers of a point, 'lon lat', found '1 2 3'",
    "CAST('1 2 3 4' AS POLYGON)": "the numbers of a polygon",
    "CAST(place AS CIRCLE)": "cannot cast a POINT to CIRCLE",
    "CAST(ra AS POINT)": "cannot cast the number 'ra' to POINT",
    "AREA(CIRCLE(1, 2, -1))": "expected a radius from 0 to 180 degrees, found -1",
    "AREA(POLYGON(0, 0, 1, 1, 0, 1, 1, 0))": "edges meet or cross",
    "COORD1(CIRCLE(1, 2, 3))": "expected a point, found a circle",
    "COORD1(ra)": "expected a geometry, found the number 'ra'",
    "CONTAINS(POINT(1, 91), CIRCLE(0, 0, 1))": "expected a latitude from -90 to 90 degrees, found 91",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_no_geometry_is_refused_in_words(expression: str) -> None:
    with pytest.raises(AdqlError) as error:
        translate(f"SELECT {expression} FROM stars", CATALOGUE, ANONYMOUS, SPEECHES["sqlite"])
    assert REFUSED[expression] in str(error.value)


def test_types_units_and_ucds_of_geometries_are_told() -> None:
    query = (
        "SELECT AREA(disc), COORD1(POINT(ra, dec)), CENTROID(edge), REGION('1 2 3'), COORD2(place) FROM stars"
    )
    columns = translate(query, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]).columns
    told = [(c.type, c.unit, c.ucd) for c in columns]
    assert told[0] == ("DOUBLE", "deg**2", "phys.angArea")
    assert told[1] == ("DOUBLE", "deg", "pos.eq.ra;meta.main")
    assert told[2][:2] == ("POINT", "deg")
    assert told[3] == ("CIRCLE", "deg", "pos.outline")
    assert told[4][:2] == ("DOUBLE", "deg")


def test_a_point_of_columns_in_a_circle_of_numbers_is_as_it_was_one_range_and_one_test() -> None:
    query = "SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 0.01)) = 1"
    text = translate(query, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]).text
    assert '"hpx29" BETWEEN' in text
    assert "vo_" not in text
