"""SQL finds the same positions inside a shape as brute force does, through the index and without it."""

import math
from itertools import product

import astropy.units as u
import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.sky import Circle, Point, Polygon, Range, contains, distance_sql, hpx29, inside
from datamodel.sqlite_functions import register

RNG = np.random.default_rng(29)
CENTRES = [(123.4, -56.7), (0.0, 0.0), (359.9999, 12.0), (77.0, 90.0), (5.0, -89.99), (45.0, 41.8103)]
RADII = [0.0, 1e-4, 1 / 60, 1.0, 20.0, 89.9999, 90.0, 90.0001, 150.0, 179.9999, 180.0]


def star(ra, dec, size_deg, corners=7):
    """Vertices of a polygon around a place that is not convex."""
    bearings = (np.arange(corners) + RNG.uniform(-0.2, 0.2, corners)) * 360 / corners
    reach = np.where(np.arange(corners) % 2, 0.3, 1.0) * size_deg
    found = SkyCoord(ra, dec, unit="deg").directional_offset_by(bearings * u.deg, reach * u.deg)
    return tuple(zip(found.ra.deg.tolist(), found.dec.deg.tolist(), strict=True))


SHAPES = {
    **{f"circle {c} {r}": Circle(*c, r) for c in CENTRES for r in RADII},
    **{f"star {c} {s}": Polygon(star(*c, s)) for c in CENTRES for s in (1e-3, 2.0, 70.0)},
    **{f"triangle {c} {s}": Polygon(star(*c, s, 3)) for c in CENTRES for s in (1e-3, 2.0, 70.0)},
    "octant": Polygon(((0, 0), (90, 0), (0, 90))),
    "belt with a pole": Polygon(tuple((ra, 10.0 + 5 * (ra % 20 == 0)) for ra in range(0, 360, 10))),
    "point": Point(123.4, -56.7),
    "range": Range(120, 130, -60, -50),
    "range through 0": Range(350, 10, -20, 40),
    "narrow range": Range(123.39, 123.41, -56.71, -56.69),
    "northern cap": Range(0, 360, 80, math.inf),
    "southern wedge": Range(300, 60, -math.inf, -70),
    "wide range": Range(10, 350, -10, 80),
    "belt": Range(-math.inf, math.inf, -10, 10),
    "whole sky": Range(-math.inf, math.inf, -math.inf, math.inf),
}


def sky_positions():
    """All over the sky, on the poles and on RA 0, and around each centre on every scale."""
    ra, dec = [RNG.uniform(0, 360, 600)], [np.degrees(np.arcsin(RNG.uniform(-1, 1, 600)))]
    for centre in CENTRES:
        near = SkyCoord(*centre, unit="deg").directional_offset_by(
            RNG.uniform(0, 360, 240) * u.deg, 10 ** RNG.uniform(-5, 2.25, 240) * u.deg
        )
        ra.append(near.ra.deg)
        dec.append(near.dec.deg)
    special = np.array([(0, 90), (180, -90), (0, 0), (180, 0), (359.99999, 0), *CENTRES])
    return np.concatenate([*ra, special[:, 0]]), np.concatenate([*dec, special[:, 1]])


RA, DEC = sky_positions()

METADATA = sa.MetaData()
PLACES = sa.Table(
    "places",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("ra", sa.Double(53)),
    sa.Column("dec", sa.Double(53)),
    sa.Column("hpx29", sa.BigInteger, index=True),
)


@pytest.fixture
def connection(database_url):
    engine = sa.create_engine(database_url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda dbapi, _: register(dbapi))
    METADATA.create_all(engine)
    pixels = hpx29(RA, DEC)
    rows = zip(range(len(RA)), RA.tolist(), DEC.tolist(), pixels.tolist(), strict=True)
    with engine.connect() as connection:
        connection.execute(
            PLACES.insert(), [dict(zip(("id", "ra", "dec", "hpx29"), r, strict=True)) for r in rows]
        )
        connection.execute(PLACES.insert(), [{"id": -1, "ra": None, "dec": None, "hpx29": None}])
        yield connection
    engine.dispose()


def ids(connection, condition):
    return sorted(connection.scalars(sa.select(PLACES.c.id).where(condition)))


def test_sql_finds_what_brute_force_finds_in_every_shape(connection):
    for name, shape in SHAPES.items():
        expected = np.flatnonzero(contains(shape, RA, DEC)).tolist()
        found = ids(connection, inside(shape, PLACES.c.ra, PLACES.c.dec, PLACES.c.hpx29))
        assert found == expected, name
        assert ids(connection, inside(shape, PLACES.c.ra, PLACES.c.dec, None)) == expected, name


def test_circles_agree_with_astropy(connection):
    places = SkyCoord(RA, DEC, unit="deg")
    for centre in CENTRES:
        distances = places.separation(SkyCoord(*centre, unit="deg")).deg
        for radius in RADII:
            circle = inside(Circle(*centre, radius), PLACES.c.ra, PLACES.c.dec, PLACES.c.hpx29)
            expected = np.flatnonzero(distances <= radius + 1e-12).tolist()
            assert ids(connection, circle) == expected, (centre, radius)


def test_the_edge_of_a_circle_is_sharp_to_a_micro_arcsecond(connection):
    centre = SkyCoord(123.4, -56.7, unit="deg")
    step = 1e-6 / 3600
    for radius, bearing in product([1 / 3600, 1.0, 90.0, 179.0, 180 - 1 / 3600], range(0, 360, 60)):
        inner = centre.directional_offset_by(bearing * u.deg, (radius - step) * u.deg)
        outer = centre.directional_offset_by(bearing * u.deg, (radius + step) * u.deg)
        tests = [inside(Circle(123.4, -56.7, radius), p.ra.deg, p.dec.deg, None) for p in (inner, outer)]
        assert connection.execute(sa.select(*tests)).one() == (True, False)


def test_unknown_positions_are_inside_of_nothing(connection):
    whole_sky = Circle(0, 0, 180)
    assert ids(connection, inside(whole_sky, PLACES.c.ra, PLACES.c.dec, PLACES.c.hpx29))[0] == 0
    assert ids(connection, inside(whole_sky, PLACES.c.ra, PLACES.c.dec, None))[0] == 0
    assert not contains(whole_sky, np.nan, 0.0)
    assert hpx29([np.nan, 10.0], [0.0, np.inf]).tolist() == [-1, -1]


def test_distances_in_sql_agree_with_astropy(connection):
    places = SkyCoord(RA, DEC, unit="deg")
    for centre in CENTRES:
        column = distance_sql(PLACES.c.ra, PLACES.c.dec, *centre)
        rows = connection.scalars(sa.select(column).where(PLACES.c.id >= 0).order_by(PLACES.c.id)).all()
        expected = places.separation(SkyCoord(*centre, unit="deg")).deg
        assert np.abs(np.array(rows) - expected).max() < 1e-12


def test_the_distance_of_two_numbers_needs_no_column(connection):
    assert connection.scalar(sa.select(distance_sql(10.0, 20.0, 10.0, 20.0))) == 0.0
    assert connection.scalar(sa.select(distance_sql(0, 90, 55, -90))) == pytest.approx(180.0, abs=1e-12)
    literal = sa.select(distance_sql(0, 0, -1e-7, 0)).compile(
        connection, compile_kwargs={"literal_binds": True}
    )
    assert connection.scalar(sa.text(str(literal))) == pytest.approx(1e-7, rel=1e-12)


def test_sqlite_searches_the_pixel_index(connection):
    if connection.dialect.name != "sqlite":
        pytest.skip("asks SQLite for its plan")
    for shape in (Circle(10, 20, 0.1), Polygon(((0, 0), (1, 0), (0, 1))), Range(359, 1, 80, 90)):
        select = sa.select(PLACES.c.id).where(inside(shape, PLACES.c.ra, PLACES.c.dec, PLACES.c.hpx29))
        text = str(select.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]
        assert any("USING INDEX ix_places_hpx29" in step for step in plan)
        assert not any(step.startswith("SCAN") for step in plan)
