"""SQL finds the stored regions that meet, lie within or contain a shape, as brute force over dense samples does."""

import astropy.units as u
import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import RegionIndex
from datamodel.errors import UsageError
from datamodel.membership import contains, depth
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range
from datamodel.sky import hpx29, overlaps, region_contains_point, region_rows, region_tables, region_within
from datamodel.sphere import unit_vectors
from datamodel.sqlite_functions import register

RNG = np.random.default_rng(1)
METADATA = sa.MetaData()
IMAGES = sa.Table("images", METADATA, sa.Column("id", sa.String(100), primary_key=True))
PLACES = sa.Table(
    "places",
    METADATA,
    *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec")),
    sa.Column("hpx29", sa.BigInteger),
)
COVER, EDGES = region_tables("images", METADATA)
INDEX = RegionIndex(region="s_region", row="id", cover=COVER)

CENTRES = [(123.4, -56.7), (0.0, 0.0), (359.999, 41.8), (30.0, 89.9), (250.0, -90.0), (200.0, 5.0)]


def offset(centre, bearing, distance):
    found = SkyCoord(*centre, unit="deg").directional_offset_by(bearing * u.deg, distance * u.deg)
    return found.ra.deg, found.dec.deg


def polygon(centre, size, corners, inner=1.0):
    """A polygon about a place, its every second vertex nearer by `inner`."""
    bearings = RNG.uniform(0, 360) + np.arange(corners) * 360 / corners
    reach = size * np.where(np.arange(corners) % 2, inner, 1.0)
    ra, dec = offset(centre, bearings, reach)
    return Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True))[:: RNG.choice([1, -1])])


def positions(count):
    """RA and Dec of places around each centre, on every scale."""
    found = [offset(c, RNG.uniform(0, 360, count), 10 ** RNG.uniform(-4, 1.9, count)) for c in CENTRES]
    return np.concatenate([ra for ra, _ in found]), np.concatenate([dec for _, dec in found])


def moved(centre, size):
    """A place up to twice a size away."""
    ra, dec = offset(centre, RNG.uniform(0, 360), RNG.uniform(0, 2) * size)
    return float(ra), float(dec)


def some_regions():
    for centre in CENTRES:
        for size in (2e-3, 0.5, 12.0, 55.0):
            yield polygon(moved(centre, size), size, 4)
            yield polygon(moved(centre, size), size, 8, inner=0.35)
            yield Circle(*moved(centre, size), size * 0.8)
    yield Circle(10, 20, 120)
    yield Circle(10, -20, 179)
    yield Point(123.4, -56.7)


def some_shapes():
    yield from (s for s in some_regions() if RNG.uniform() < 0.3)
    for ra, dec in CENTRES:
        for size in RNG.choice([1e-3, 0.4, 9.0, 40.0], 2, replace=False):
            width = min(size / max(np.cos(np.radians(dec)), 1e-2), 170)
            lo = ra - width * RNG.uniform(0, 1.5)
            bottom = max(-90.0, dec - size * RNG.uniform(0, 1.2))
            yield Range(lo, lo + width, bottom, min(90.0, bottom + size))
    yield from (
        Range(0, 360, 80, 90),
        Range(0, 360, -20, 10),
        Range(20, 300, -60, 60),
        Range(0, 360, -90, 90),
    )
    yield from (Range(350, 20, -90, 90), Circle(0, 0, 180), Circle(123, -50, 90), Circle(0, 90, 178))


REGIONS, SHAPES = list(some_regions()), list(some_shapes())


def rim(shape, n=60):
    """Points, unit vectors, all around a shape, and the greatest step from one to the next in radians."""
    if isinstance(shape, Polygon):
        edges = outline(shape.vertices)
        t = np.linspace(0, 1, n // 2)[:, None, None]
        points = (edges.a + t * (edges.b - edges.a)).reshape(-1, 3)
        points /= np.linalg.norm(points, axis=-1, keepdims=True)
        # a chord is divided evenly, its arc is not: by less than 2 in an arc of 90 degrees
        return points, 2 * float(np.linalg.norm(edges.a - edges.b, axis=-1).max()) / (n // 2 - 1)
    if isinstance(shape, Circle | Point):
        radius = shape.radius if isinstance(shape, Circle) else 0.0
        n = n if radius < 180 else 0
        ra, dec = offset((shape.ra, shape.dec), np.linspace(0, 360, n), radius)
        return unit_vectors(ra, dec), np.radians(360 / max(n - 1, 1)) * np.sin(np.radians(radius))
    ra = np.linspace(shape.ra_lo, shape.ra_hi, n)
    dec = np.linspace(shape.dec_lo, shape.dec_hi, n)
    parallels = [unit_vectors(ra, d) for d in (shape.dec_lo, shape.dec_hi) if abs(d) < 90]
    meridians = [unit_vectors(r, dec) for r in (shape.ra_lo, shape.ra_hi) if not shape.all_round]
    return np.concatenate([*parallels, *meridians, np.zeros((0, 3))]), 0.0


RIMS = [rim(region) for region in REGIONS]
ENDS = np.cumsum([len(points) for points, _ in RIMS])[:-1]


def brute_force(shape):
    """For each region: whether it meets the shape and whether it is within; None where samples cannot tell."""
    around = rim(shape)[0]
    depths = np.split(depth(shape, np.concatenate([points for points, _ in RIMS])), ENDS)
    for region, (_, step), inside in zip(REGIONS, RIMS, depths, strict=True):
        surround = depth(region, around).max(initial=-9.0)
        highest, lowest = inside.max(initial=-9.0), inside.min(initial=9.0)
        meets = True if max(highest, surround) > 1e-12 else None
        if highest < -step / 2 - 1e-12 and surround < -1e-12:
            meets = False
        within = False if lowest < -1e-12 or surround > 1e-12 else None
        if lowest > step / 2 + 1e-12 and surround < -1e-12:
            within = True
        yield meets, within


@pytest.fixture
def connection(database_url):
    engine = sa.create_engine(database_url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda dbapi, _: register(dbapi))
    METADATA.create_all(engine)
    with engine.connect() as connection:
        connection.execute(IMAGES.insert(), [{"id": str(i)} for i in [*range(len(REGIONS)), "no region"]])
        for i, region in enumerate(REGIONS):
            cover, edges = region_rows(region, str(i))
            connection.execute(COVER.insert(), cover)
            connection.execute(EDGES.insert(), edges)
        yield connection
    engine.dispose()


def ids(connection, condition):
    return {int(i) for i in connection.scalars(sa.select(IMAGES.c.id).where(condition))}


def test_regions_that_meet_or_lie_within_a_shape_are_found(connection):
    told = {"meets": [0, 0, 0], "within": [0, 0, 0]}
    for shape in SHAPES[::2]:  # the others are no different, and take as long
        found = (
            ids(connection, overlaps(shape, INDEX, IMAGES.c.id)),
            ids(connection, region_within(shape, INDEX, IMAGES.c.id)),
        )
        assert found[1] <= found[0]
        for i, expected in enumerate(brute_force(shape)):
            for name, answer, ids_found in zip(told, expected, found, strict=True):
                told[name][2 if answer is None else int(answer)] += 1
                assert answer is None or (i in ids_found) == answer, (name, answer, shape, REGIONS[i])
    for no, yes, unsure in told.values():
        assert no > 500
        assert yes > 150
        assert unsure < 0.05 * (no + yes)


def test_regions_that_contain_a_position_are_found(connection):
    ra, dec = positions(5)
    for at in zip(ra.tolist(), dec.tolist(), strict=True):
        expected = {i for i, region in enumerate(REGIONS) if contains(region, *at)}
        assert ids(connection, region_contains_point(*at, INDEX, IMAGES.c.id)) == expected
        assert ids(connection, overlaps(Point(*at), INDEX, IMAGES.c.id)) == expected


def test_positions_in_a_table_are_matched_with_the_regions_that_contain_them(connection):
    ra, dec = positions(9)
    columns = zip(ra.tolist(), dec.tolist(), hpx29(ra, dec).tolist(), strict=True)
    connection.execute(PLACES.insert(), [dict(zip(("ra", "dec", "hpx29"), c, strict=True)) for c in columns])
    connection.execute(PLACES.insert(), [{"ra": None, "dec": None, "hpx29": None}])
    expected = sum(int(contains(region, ra, dec).sum()) for region in REGIONS)
    for pixel in (PLACES.c.hpx29, None):
        matched = region_contains_point(PLACES.c.ra, PLACES.c.dec, INDEX, IMAGES.c.id, pixel)
        count = sa.select(sa.func.count()).select_from(IMAGES.join(PLACES, matched))
        assert connection.scalar(count) == expected > 100


def test_a_region_meets_and_is_within_itself_but_not_its_neighbour_in_line(connection):
    tiles = [Polygon(((ra, 0), (ra + 1, 0), (ra + 1, 1), (ra, 1))) for ra in (100, 100.999, 101.5, 103)]
    for i, tile in enumerate(tiles):
        connection.execute(IMAGES.insert(), [{"id": str(1000 + i)}])
        for table, rows in zip((COVER, EDGES), region_rows(tile, str(1000 + i)), strict=True):
            connection.execute(table.insert(), rows)
    for i, meeting in enumerate([{1000, 1001}, {1000, 1001, 1002}, {1001, 1002}, {1003}]):
        assert {t for t in ids(connection, overlaps(tiles[i], INDEX, IMAGES.c.id)) if t >= 1000} == meeting
        within = {t for t in ids(connection, region_within(tiles[i], INDEX, IMAGES.c.id)) if t >= 1000}
        assert within == {1000 + i}
    corner_on_corner = Polygon(((99, -1), (101, 1), (101, -1)))
    assert 1000 in ids(connection, overlaps(corner_on_corner, INDEX, IMAGES.c.id))
    box = Range(100, 101, -0.5, 1.5)
    assert {t for t in ids(connection, region_within(box, INDEX, IMAGES.c.id)) if t >= 1000} == {1000}


def test_a_range_is_not_kept_as_a_region():
    with pytest.raises(UsageError, match="expected a circle, polygon or point"):
        region_rows(Range(0, 1, 0, 1), "row")


def test_a_footprint_has_few_cells_and_one_row_an_edge():
    cover, edges = region_rows(polygon((123.4, -56.7), 0.5, 4), "x" * 36)
    assert 4 <= len(cover) <= 60
    assert len(edges) == 4
    assert len(region_rows(Circle(1, 2, 3), "row")[1]) == 1


def test_sqlite_searches_the_index_of_the_cover(connection):
    if connection.dialect.name != "sqlite":
        pytest.skip("asks SQLite for its plan")
    for condition in (
        overlaps(Circle(10, 20, 0.1), INDEX, IMAGES.c.id),
        region_within(Range(359, 1, 80, 90), INDEX, IMAGES.c.id),
        region_contains_point(10.0, 20.0, INDEX, IMAGES.c.id),
    ):
        select = sa.select(IMAGES.c.id).where(condition)
        text = str(select.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]
        assert any("ix_images_cover_lo_hi_row" in step for step in plan), plan
        assert any("ix_images_edge_row" in step for step in plan), plan
        assert not any(step.startswith("SCAN") for step in plan), plan
