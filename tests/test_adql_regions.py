"""Do CONTAINS and INTERSECTS of region columns find what brute force finds, by their index, also in joins?"""

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
from datamodel.membership import contains
from datamodel.own_functions import COMPUTED, FUNCTIONS
from datamodel.sky import Circle, Point, Polygon, Shape, hpx29, region_rows, region_tables, to_stcs
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate

METADATA = sa.MetaData()
SHAPES = {
    "square": Polygon(((10.0, -0.5), (11.0, -0.5), (11.0, 0.5), (10.0, 0.5))),
    "wrapped": Polygon(((359.5, -0.5), (0.5, -0.5), (0.5, 0.5), (359.5, 0.5))),
    "cap": Circle(0.0, 90.0, 1.0),
}


def _frames(name: str) -> tuple[sa.Table, RegionIndex]:
    stored = sa.Table(
        name, METADATA, sa.Column("row", sa.String(100), primary_key=True), sa.Column("s_region", sa.Text)
    )
    return stored, RegionIndex("s_region", "row", region_tables(name, METADATA)[0])


FRAMES, INDEX = _frames("frames")
PLATES, PLATE_INDEX = _frames("plates")
STARS = sa.Table(
    "stars",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec", "reach")),
    sa.Column("hpx29", sa.BigInteger, index=True),
)
BARE = sa.Table(
    "bare", METADATA, sa.Column("id", sa.Integer), *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec"))
)
OUTLINES = sa.Table(
    "outlines",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(n, sa.Text) for n in ("place", "disc", "edge")),
)


def _views(table: sa.Table) -> Callable[[Any], sa.FromClause]:
    return lambda caller: sa.select(table.c.row.label("obs_id"), table.c.s_region, table.c.row).subquery()


_REGION = (Column("obs_id", "VARCHAR"), Column("s_region", "REGION", ucd="pos.outline;obs.field"))
_PLACE = tuple(Column(n, "DOUBLE", "deg") for n in ("ra", "dec"))
TABLES = [
    Table("ivoa", "obscore", _REGION, _views(FRAMES), region=INDEX),
    Table("ivoa", "plates", _REGION, _views(PLATES), region=PLATE_INDEX),
    Table(
        "sky",
        "stars",
        (Column("id", "INTEGER"), *_PLACE, Column("reach", "DOUBLE", "deg")),
        lambda caller: STARS,
        point=PointIndex("ra", "dec"),
    ),
    Table("sky", "bare", (Column("id", "INTEGER"), *_PLACE), lambda caller: BARE),
    Table(
        "sky",
        "outlines",
        (
            Column("id", "INTEGER"),
            Column("place", "POINT"),
            Column("disc", "CIRCLE"),
            Column("edge", "POLYGON"),
        ),
        lambda caller: OUTLINES,
    ),
]
CATALOGUE = Catalogue(TABLES)


def _index(connection: sa.Connection, table: sa.Table, index: RegionIndex, shapes: dict[str, Shape]) -> None:
    for row, shape in shapes.items():
        cover, edges = region_rows(shape, row)
        connection.execute(table.insert(), {"row": row, "s_region": to_stcs(shape)})
        connection.execute(index.cover.insert(), cover)
        connection.execute(index.edges.insert(), edges)


def _opened(url: str) -> Database:
    made = Database(url)
    METADATA.create_all(made.engine)
    with made.write() as connection:
        install(connection, FUNCTIONS)
    return made


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = _opened(database_url)
    with database.write() as connection:
        _index(connection, FRAMES, INDEX, SHAPES)
        connection.execute(FRAMES.insert(), {"row": "none"})
    yield database
    database.close()


def rows(database: Database, query: str, catalogue: Catalogue = CATALOGUE) -> list[tuple[Any, ...]]:
    """What a query gives."""
    translated = translate(query, catalogue, ANONYMOUS, database.speech)
    batches = database.rows(translated.text, translated.columns).batches
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


CONDITIONS = {
    "1 = CONTAINS(POINT(10.5, 0), s_region)": ["square"],
    "1 = CONTAINS(POINT(0.1, 0.1), s_region)": ["wrapped"],
    "1 = INTERSECTS(s_region, POINT(200, 89.5))": ["cap"],
    "1 = CONTAINS(POINT(10 + LOG10(1), 0), s_region)": ["square"],
    "INTERSECTS(s_region, CIRCLE('', 12, 0, 0.9)) = 1": [],
    "INTERSECTS(CIRCLE(12, 0, 1.1), s_region) = 1": ["square"],
    "INTERSECTS(s_region, POLYGON(0, -2, 20, -2, 20, 2, 0, 2)) = 1": ["square", "wrapped"],
    "CONTAINS(s_region, CIRCLE(10.5, 0, 2)) = 1": ["square"],
    "CONTAINS(s_region, CIRCLE(10.5, 0, 0.6)) = 1": [],
    "CONTAINS(s_region, POLYGON(9, -2, 20, -2, 20, 2, 9, 2)) = 1": ["square"],
    "INTERSECTS(s_region, CIRCLE(12, 0, 1.1)) = 0": ["cap", "wrapped"],
    "NOT INTERSECTS(s_region, CIRCLE(12, 0, 1.1)) = 1": ["cap", "wrapped"],
    "CONTAINS(POINT(10.5, 0), s_region) = 0": ["cap", "wrapped"],
    "CONTAINS(CIRCLE(10.5, 0, 0.4), s_region) = 1": ["square"],
    "CONTAINS(CIRCLE(10.5, 0, 0.6), s_region) = 1": [],
    "CONTAINS(POLYGON(10.1, 0, 10.9, 0, 10.5, 0.4), s_region) = 1": ["square"],
    "CONTAINS(REGION('CIRCLE ICRS 10.5 0 0.4'), s_region) = 1": ["square"],
    "INTERSECTS(REGION('POLYGON 0 -2 20 -2 20 2 0 2'), s_region) = 1": ["square", "wrapped"],
    "CONTAINS(s_region, s_region) = 1": ["cap", "square", "wrapped"],
    "AREA(s_region) > 1.1": ["cap"],
    "COORD1(CENTROID(s_region)) BETWEEN 10.4 AND 10.6": ["square"],
    "COORDSYS(s_region) = 'ICRS'": ["cap", "square", "wrapped"],
    "INTERSECTS(s_region, CIRCLE(12, 0, 1.1)) IS NULL": ["none"],
    "CONTAINS(s_region, s_region) IS NULL": ["none"],
    "AREA(s_region) IS NULL OR COORDSYS(s_region) IS NULL": ["none"],
}


def test_a_region_is_found_by_what_it_contains_and_meets(database: Database) -> None:
    for condition, expected in CONDITIONS.items():
        query = f"SELECT obs_id FROM ivoa.obscore WHERE {condition} ORDER BY obs_id"
        assert [name for (name,) in rows(database, query)] == expected, condition


@pytest.mark.parametrize("condition", ["CONTAINS(CIRCLE(1, 2, 300), s_region) = 1", "s_region = POINT(1, 2)"])
def test_what_cannot_be_told_of_a_region_is_refused(condition: str) -> None:
    with pytest.raises(AdqlError):
        translate(
            f"SELECT obs_id FROM ivoa.obscore WHERE {condition}", CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]
        )


CENTRES = [(123.4, -56.7), (0.0, 0.0), (359.99, 41.8), (30.0, 89.9), (250.0, -90.0)]


def _sky(seed: int) -> dict[str, Shape]:
    """Circles and polygons of every size about poles, RA 0 and elsewhere."""
    random = np.random.default_rng(seed)
    made: dict[str, Shape] = {}
    for i, ((ra, dec), size) in enumerate(product(CENTRES, (0.01, 0.4, 3.0, 25.0))):
        near = (
            (ra + random.normal() * size) % 360.0,
            float(np.clip(dec + random.normal() * size * 0.3, -89.9, 89.9)),
        )
        angles = np.radians(random.uniform(0, 72) + np.arange(0, 360, 72))
        west = np.cos(angles) * size / max(np.cos(np.radians(near[1])), 0.02)
        corners = zip(
            near[0] + np.clip(west, -50, 50),
            np.clip(near[1] + np.sin(angles) * size, -89.99, 89.99),
            strict=True,
        )
        polygon = Polygon(tuple((float(a), float(b)) for a, b in corners))
        made[f"{seed}-{i}"] = polygon if i % 3 else Circle(*near, size * random.uniform(0.5, 1.5))
    return made | {f"{seed}-all": Circle(10.0, 20.0, 150.0), f"{seed}-point": Point(0.0, 0.0)}


@pytest.fixture(scope="module")
def sky(
    new_database: Callable[[], str],
) -> Iterator[tuple[Database, dict[str, Shape], dict[str, Shape], Any]]:
    database = _opened(new_database())
    first, second = _sky(1), _sky(2)
    random = np.random.default_rng(7)
    near = np.array(CENTRES)[random.integers(0, len(CENTRES), 150)]
    ra = (near[:, 0] + random.normal(size=150) * 10 ** random.uniform(-3, 1.5, 150)) % 360.0
    dec = np.clip(near[:, 1] + random.normal(size=150) * 10 ** random.uniform(-3, 1.2, 150), -90, 90)
    size = 10 ** random.uniform(-2, 1.4, 150)
    columns = zip(range(150), *(c.tolist() for c in (ra, dec, size, hpx29(ra, dec))), strict=True)
    stars = [dict(zip(("id", "ra", "dec", "reach", "hpx29"), row, strict=True)) for row in columns]
    outlines = [_outline(i, shape) for i, shape in enumerate(_sky(3).values())]
    with database.write() as connection:
        _index(connection, FRAMES, INDEX, first)
        _index(connection, PLATES, PLATE_INDEX, second)
        connection.execute(FRAMES.insert(), {"row": "none"})
        connection.execute(STARS.insert(), [*stars, dict.fromkeys(stars[0]) | {"id": 1000}])
        connection.execute(BARE.insert(), [{k: v for k, v in s.items() if k in BARE.c} for s in stars])
        connection.execute(OUTLINES.insert(), [*outlines, dict.fromkeys(outlines[0]) | {"id": 1000}])
    yield database, first, second, (ra, dec, size)
    database.close()


def _outline(number: int, shape: Shape) -> dict[str, Any]:
    text = " ".join(to_stcs(shape).split()[2:])
    names = {Point: "place", Circle: "disc", Polygon: "edge"}
    return {"id": number, "place": None, "disc": None, "edge": None} | {names[type(shape)]: text}


def _meets(a: str, b: str) -> bool:
    return bool(COMPUTED["vo_meets"](a, b))


def _circles(stars: Any) -> dict[int, str]:
    return {
        i: f"{a!r} {d!r} {s!r}" for i, (a, d, s) in enumerate(zip(*(c.tolist() for c in stars), strict=True))
    }


def test_positions_are_joined_with_regions_that_contain_them(sky: Any) -> None:
    database, regions, _, (ra, dec, _size) = sky
    expected = {
        (int(i), row) for row, shape in regions.items() for i in np.flatnonzero(contains(shape, ra, dec))
    }
    assert len(expected) > 100
    for table, condition in product(
        ("stars", "bare"),
        ("CONTAINS(POINT(s.ra, s.dec), o.s_region)", "INTERSECTS(o.s_region, POINT(s.ra, s.dec))"),
    ):
        for source in (f"sky.{table} s JOIN ivoa.obscore o", f"ivoa.obscore o JOIN sky.{table} s"):
            found = rows(database, f"SELECT s.id, o.obs_id FROM {source} ON 1 = {condition}")
            assert len(found) == len(expected)
            assert set(found) == expected, (source, condition)


def test_a_large_table_of_positions_is_searched_by_the_cells_of_each_region(sky: Any) -> None:
    database, regions, _, (ra, dec, _size) = sky
    large = Catalogue([t if t.name != "stars" else _of_rows(t, 10**7) for t in TABLES])
    expected = {
        (int(i), row) for row, shape in regions.items() for i in np.flatnonzero(contains(shape, ra, dec))
    }
    query = "SELECT s.id, o.obs_id FROM sky.stars s, ivoa.obscore o WHERE 1 = CONTAINS(POINT(s.ra, s.dec), o.s_region)"
    assert set(rows(database, query, large)) == expected


def _of_rows(table: Table, count: int) -> Table:
    return Table(table.schema, table.name, table.columns, table.selectable, point=table.point, rows=count)


def test_regions_of_two_tables_are_joined_by_their_cells(sky: Any) -> None:
    database, first, second, _ = sky
    texts = {row: " ".join(to_stcs(s).split()[2:]) for row, s in (first | second).items()}
    pairs = list(product(first, second))
    join = "SELECT a.obs_id, b.obs_id FROM ivoa.obscore a JOIN ivoa.plates b ON {} = 1"
    met = {(a, b) for a, b in pairs if _meets(texts[a], texts[b])}
    assert 60 < len(met) < len(pairs) - 60
    assert set(rows(database, join.format("INTERSECTS(a.s_region, b.s_region)"))) == met
    held = {(a, b) for a, b in pairs if COMPUTED["vo_holds"](texts[b], texts[a])}
    assert len(held) > 10
    assert set(rows(database, join.format("CONTAINS(a.s_region, b.s_region)"))) == held
    own = "SELECT a.obs_id, b.obs_id FROM ivoa.obscore a, ivoa.obscore b WHERE INTERSECTS(a.s_region, b.s_region) = 1"
    assert set(rows(database, own)) == {
        (a, b) for a, b in product(first, first) if _meets(texts[a], texts[b])
    }


def test_regions_are_joined_with_circles_and_polygons_of_columns(sky: Any) -> None:
    database, regions, _, stars = sky
    texts = {row: " ".join(to_stcs(s).split()[2:]) for row, s in regions.items()}
    circles = _circles(stars)
    join = "SELECT s.id, o.obs_id FROM sky.stars s JOIN ivoa.obscore o ON {} = 1"
    circle = "CIRCLE(s.ra, s.dec, s.reach)"
    met = {(i, row) for (i, c), (row, t) in product(circles.items(), texts.items()) if _meets(c, t)}
    assert set(rows(database, join.format(f"INTERSECTS({circle}, o.s_region)"))) == met
    held = {
        (i, row) for (i, c), (row, t) in product(circles.items(), texts.items()) if COMPUTED["vo_holds"](t, c)
    }
    assert set(rows(database, join.format(f"CONTAINS({circle}, o.s_region)"))) == held
    triangle = "POLYGON(s.ra, s.dec, s.ra + 2, s.dec, s.ra, s.dec * 0.9)"
    corners = {
        i: f"{a!r} {d!r} {a + 2!r} {d!r} {a!r} {d * 0.9!r}"
        for i, (a, d) in enumerate(zip(stars[0].tolist(), stars[1].tolist(), strict=True))
    }
    met = {(i, row) for (i, c), (row, t) in product(corners.items(), texts.items()) if _meets(c, t)}
    assert len(met) > 50
    assert set(rows(database, join.format(f"INTERSECTS(o.s_region, {triangle})"))) == met


def test_columns_that_are_geometries_are_joined_with_positions_and_regions(sky: Any) -> None:
    database, regions, _, stars = sky
    shapes = dict(enumerate(_sky(3).values()))
    ra, dec, _size = stars
    for column, kind in (("disc", Circle), ("edge", Polygon)):
        chosen = {n: s for n, s in shapes.items() if isinstance(s, kind)}
        expected = {(int(i), n) for n, s in chosen.items() for i in np.flatnonzero(contains(s, ra, dec))}
        assert len(expected) > 20
        query = f"SELECT s.id, u.id FROM sky.stars s JOIN sky.outlines u ON CONTAINS(POINT(ra, dec), u.{column}) = 1"
        assert set(rows(database, query)) == expected
        texts = {n: " ".join(to_stcs(s).split()[2:]) for n, s in chosen.items()}
        met = {(r, n) for (r, s), (n, t) in product(regions.items(), texts.items()) if _meets(to_stcs(s), t)}
        query = f"SELECT o.obs_id, u.id FROM ivoa.obscore o, sky.outlines u WHERE 1 = INTERSECTS(u.{column}, s_region)"
        assert set(rows(database, query)) == met


def _plan(database: Database, query: str, catalogue: Catalogue = CATALOGUE) -> str:
    text = translate(query, catalogue, ANONYMOUS, database.speech).text
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
            return "\n".join(
                r[0] for r in connection.exec_driver_sql(f"EXPLAIN {text}".replace("%", "%%")).all()
            )
        return "\n".join(r[3] for r in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())


LARGE = Catalogue([t if t.name != "stars" else _of_rows(t, 10**7) for t in TABLES])
JOINS = [
    ("sky.stars s JOIN ivoa.obscore o ON CONTAINS(POINT(s.ra, s.dec), o.s_region) = 1", "frames", CATALOGUE),
    ("ivoa.obscore o JOIN sky.stars s ON CONTAINS(POINT(s.ra, s.dec), o.s_region) = 1", "frames", CATALOGUE),
    ("sky.stars s JOIN ivoa.obscore o ON CONTAINS(POINT(s.ra, s.dec), o.s_region) = 1", "stars", LARGE),
    ("ivoa.obscore o, sky.stars s WHERE CONTAINS(POINT(s.ra, s.dec), o.s_region) = 1", "stars", LARGE),
    ("sky.bare s JOIN ivoa.obscore o ON CONTAINS(POINT(s.ra, s.dec), o.s_region) = 1", "frames", CATALOGUE),
    (
        "ivoa.plates a JOIN ivoa.obscore o ON INTERSECTS(a.s_region, o.s_region) = 1",
        "frames|plates",
        CATALOGUE,
    ),
    (
        "sky.stars s JOIN ivoa.obscore o ON INTERSECTS(CIRCLE(s.ra, s.dec, s.reach), o.s_region) = 1",
        "frames",
        CATALOGUE,
    ),
    ("sky.outlines s JOIN sky.stars o ON CONTAINS(POINT(o.ra, o.dec), s.edge) = 1", "stars", CATALOGUE),
    (
        "sky.stars s JOIN sky.stars o ON CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, s.reach)) = 1",
        "stars",
        CATALOGUE,
    ),
]


@pytest.mark.parametrize(("source", "searched", "catalogue"), JOINS, ids=range(len(JOINS)))
def test_joins_on_shapes_search_an_index(sky: Any, source: str, searched: str, catalogue: Catalogue) -> None:
    """One table is read whole, and no other one: those that are searched have an index for it."""
    database = sky[0]
    plan = _plan(database, f"SELECT COUNT(*) FROM {source}", catalogue)
    names = {"frames": ("frames_pkey", "sqlite_autoindex_frames_1"), "stars": ("ix_stars_hpx29",)}
    names["plates"] = ("plates_pkey", "sqlite_autoindex_plates_1")
    assert any(name in plan for table in searched.split("|") for name in names[table]), plan
    whole = [
        line for line in plan.splitlines() if "Seq Scan" in line or line.lstrip("| -`").startswith("SCAN ")
    ]
    assert len([line for line in whole if "VIRTUAL" not in line]) <= 1, plan
