"""Do the functions of shapes that databases are given say what dense samples of the sky and spherical geometry say?"""

import json
import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.database import Database
from datamodel.functions import install
from datamodel.membership import contains, depth
from datamodel.own_functions import COMPUTED, FUNCTIONS
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Shape
from datamodel.sky import hpx29
from datamodel.sphere import positions, unit_vectors

CENTRES = [(123.4, -56.7), (0.0, 0.0), (359.999, 41.8), (30.0, 89.9), (250.0, -90.0)]
SIZES = (2e-3, 0.5, 12.0, 55.0)


def _text(shape: Shape) -> str:
    if isinstance(shape, Polygon):
        return " ".join(repr(n) for v in shape.vertices for n in v)
    numbers = (shape.ra, shape.dec, shape.radius) if isinstance(shape, Circle) else (shape.ra, shape.dec)
    return " ".join(map(repr, numbers))


def _around(centre: tuple[float, float], bearings: Any, reach: Any) -> Any:
    """RA and Dec of places in some directions, at some angles in degrees, from a place."""
    c = unit_vectors(*centre)
    east = unit_vectors(centre[0] + 90.0, 0.0)
    north = np.cross(c, east)
    turn, far = np.radians(bearings)[..., None], np.radians(reach)[..., None]
    return positions(np.cos(far) * c + np.sin(far) * (np.sin(turn) * east + np.cos(turn) * north))


def _polygon(random: np.random.Generator, centre: tuple[float, float], size: float, inner: float) -> Polygon:
    count = int(random.integers(3, 9)) if inner == 1.0 else 8
    bearings = np.linspace(0, 360, count, endpoint=False) + random.uniform(0, 360)
    reach = np.where(np.arange(count) % 2, inner, 1.0) * size
    ra, dec = _around(centre, bearings, reach)
    vertices = tuple(zip(ra.tolist(), dec.tolist(), strict=True))
    return Polygon(vertices[:: random.choice([1, -1])])


def _shapes() -> list[Shape]:
    random = np.random.default_rng(3)
    made: list[Shape] = [Circle(10, 20, 120), Circle(200, -20, 179), Circle(0, 90, 180), Circle(5, 5, 90)]
    for centre, size in product(CENTRES, SIZES):
        ra, dec = _around(centre, random.uniform(0, 360, 3), random.uniform(0, 1.3, 3) * size)
        places = list(zip(ra.tolist(), dec.tolist(), strict=True))
        made += [
            _polygon(random, places[0], size, 1.0),
            _polygon(random, places[1], size * 0.7, 0.35),
            Circle(*places[2], size * random.uniform(0.2, 1.0)),
        ]
    return [*made, Point(123.4, -56.7), Point(0, 90)]


SHAPES = _shapes()


def _rim(shape: Shape, count: int = 400) -> tuple[np.ndarray, float]:
    """Unit vectors all around a shape, and the largest step from one to the next in radians."""
    if isinstance(shape, Polygon):
        edges = outline(shape.vertices)
        t = np.linspace(0, 1, count // 4)[:, None, None]
        points = (edges.a + t * (edges.b - edges.a)).reshape(-1, 3)
        step = 2 * float(np.linalg.norm(edges.a - edges.b, axis=-1).max()) / (count // 4 - 1)
        return points / np.linalg.norm(points, axis=-1, keepdims=True), step
    radius = shape.radius if isinstance(shape, Circle) else 0.0
    if radius == 180.0:
        return np.zeros((0, 3)), 0.0
    around = _around((shape.ra, shape.dec), np.linspace(0, 360, count), np.full(count, radius))
    return unit_vectors(*around), math.radians(360 / (count - 1)) * math.sin(math.radians(radius))


RIMS = [_rim(shape) for shape in SHAPES]


def _truths(one: int, other: int) -> tuple[bool | None, bool | None]:
    """Whether shapes meet, and the first holds the second; None where samples cannot tell."""
    (rim, step), (own, own_step) = RIMS[other], RIMS[one]
    inside = depth(SHAPES[one], rim) if len(rim) else np.array([9.0, -9.0])
    surround = depth(SHAPES[other], own).max(initial=-9.0)
    highest, lowest = inside.max(), inside.min()
    reach = max(step, own_step)
    meets = True if max(highest, surround) > 1e-12 else None
    if highest < -reach and surround < -reach:
        meets = False
    holds = False if lowest < -1e-12 or surround > 1e-12 else None
    if lowest > reach and surround < -1e-12:
        holds = True
    if isinstance(SHAPES[one], Circle) and SHAPES[one].radius == 180.0:
        return True, True
    return meets, holds


@pytest.fixture(scope="module")
def database(new_database: Any) -> Iterator[Database]:
    made = Database(new_database())
    with made.write() as connection:
        install(connection, FUNCTIONS)
    yield made
    made.engine.dispose()


def _values(database: Database, what: str, texts: list[tuple[str, ...]]) -> list[Any]:
    """The values of an expression of ``a`` and ``b`` for pairs of texts."""
    table = sa.Table(
        "pairs",
        sa.MetaData(),
        *(sa.Column(n, t) for n, t in (("id", sa.Integer), ("a", sa.Text), ("b", sa.Text))),
        prefixes=["TEMPORARY"],
    )
    with database.engine.connect() as connection:
        table.create(connection)
        rows = [{"id": i, "a": t[0], "b": t[-1]} for i, t in enumerate(texts)]
        connection.execute(table.insert(), rows)
        found = connection.exec_driver_sql(f"SELECT {what} FROM pairs ORDER BY id").scalars().all()
        table.drop(connection)
    return list(found)


def test_pairs_of_shapes_meet_and_hold_each_other_as_samples_say(database: Database) -> None:
    indices = [(i, j) for i in range(len(SHAPES)) for j in range(len(SHAPES)) if (i + j) % 6 == 0]
    texts = [(_text(SHAPES[i]), _text(SHAPES[j])) for i, j in indices]
    meets, holds = (_values(database, f"{name}(a, b)", texts) for name in ("vo_meets", "vo_holds"))
    sure = {(name, truth): 0 for name in ("meets", "holds") for truth in (True, False, None)}
    assert meets == [COMPUTED["vo_meets"](*pair) for pair in texts]
    assert holds == [COMPUTED["vo_holds"](*pair) for pair in texts]
    for (i, j), met, held in zip(indices, meets, holds, strict=True):
        for name, truth, answer in zip(("meets", "holds"), _truths(i, j), (met, held), strict=True):
            sure[name, truth] += 1
            assert truth is None or bool(answer) == truth, (name, SHAPES[i], SHAPES[j])
    assert sure["meets", True] > 100
    assert sure["meets", False] > 200
    assert sure["holds", True] > 20
    assert sure["meets", None] + sure["holds", None] < 0.1 * len(indices)


NOT_SHAPES = [
    "",
    "1",
    "1 2 3 4",
    "1 91",
    "1 2 -1",
    "1 2 181",
    "nan 1",
    "CIRCLE 1 2",
    "POINT 1 2 3",
    "1 2 x",
    "1_0 2",
]
NOT_SHAPES += [
    "0 0 180 0 90 0",
    "0 0 0 0 1 1",
    "1 2 1 2 1 2",
    "CIRCLE FK4 1 2 3",
    "UNION 1 2 3",
    "1 1e999",
    "inf 2",
]


@pytest.mark.parametrize("function", ["vo_area(b)", "vo_centre(1, b)", "vo_meets(a, b)", "vo_holds(b, a)"])
def test_what_is_no_shape_gives_null(database: Database, function: str) -> None:
    texts = [("0.1 0.1", text) for text in NOT_SHAPES]
    assert _values(database, function, texts) == [None] * len(NOT_SHAPES)


def test_stcs_and_dali_texts_are_the_same_shapes(database: Database) -> None:
    texts = [
        ("10 20", "POSITION ICRS 10 20"),
        ("10 20 3", "Circle ICRS GEOCENTER SPHERICAL2 10 20 3"),
        ("1 2 3 2 3 5", " polygon UNKNOWNFRAME 1 2  3 2 3 5 "),
        ("1 2 3 2 3 5", "POLYGON 1 2 1 2 3 2 3 5 1 2"),
    ]
    for function in ("vo_holds(a, b)", "vo_holds(b, a)", "vo_meets(a, b)"):
        assert all(_values(database, function, texts)), function


def test_parts_of_points_and_circles_are_numbers(database: Database) -> None:
    texts = [("10.123456789012345 -0.1",), ("1e-05 2.0 3.5",)]
    assert _values(database, "vo_part(a, 1)", texts) == [10.123456789012345, 1e-5]
    assert _values(database, "vo_part(a, 3)", texts) == [None, 3.5]
    assert _values(database, "vo_part(nullif(a, a), 1)", texts) == [None, None]
    kept = _values(
        database, "vo_part(vo_kept(a, 'CIRCLE'), 2)", [*texts, ("1 2 3 4 5 6",), ("x",), (" 7  8\t1 ",)]
    )
    assert kept == [None, 2.0, None, None, 8.0]
    numbers = [1 / 3, 1e-9, 123456.789012345678, 0.1 + 0.2, -45.0]
    told = _values(database, "vo_decimal(CAST(a AS double precision))", [(repr(n),) for n in numbers])
    assert list(map(float, told)) == numbers


def test_areas_and_middles_are_those_of_spherical_geometry(database: Database) -> None:
    octant = "0 0 90 0 0 90"
    cap = "77 -30 60"
    tiny = "200 5 200.0002 5 200.0002 5.0002 200 5.0002"
    texts = [(octant,), (cap,), (tiny,), ("1 2",), ("POLYGON ICRS 0 90 90 0 0 0",)]
    found = _values(database, "vo_area(a)", texts)
    square = (180 / math.pi) ** 2
    flat = 0.0002**2 * math.cos(math.radians(5.0001))
    expected = [math.pi / 2 * square, math.pi * square, flat, 0.0, math.pi / 2 * square]
    assert found == pytest.approx(expected, rel=1e-9, abs=0)
    lons, lats = (_values(database, f"vo_centre({i}, a)", texts) for i in (1, 2))
    assert lons[:4] == pytest.approx([45, 77, 200.0001, 1], abs=1e-7)
    assert lats[:4] == pytest.approx([math.degrees(math.atan(1 / math.sqrt(2))), -30, 5.0001, 2], abs=1e-7)


def test_areas_and_middles_of_polygons_are_those_of_points_strewn_over_the_sky(database: Database) -> None:
    random = np.random.default_rng(8)
    strewn = random.normal(size=(100_000, 3))
    strewn /= np.linalg.norm(strewn, axis=-1, keepdims=True)
    large = [s for s in SHAPES if isinstance(s, Polygon) and outline(s.vertices).radius_rad > 0.5]
    areas, lons, lats = (
        _values(database, f, [(_text(s),) for s in large])
        for f in ("vo_area(a)", "vo_centre(1, a)", "vo_centre(2, a)")
    )
    assert len(large) > 5
    for shape, area, lon, lat in zip(large, areas, lons, lats, strict=True):
        held = strewn[outline(shape.vertices).contains(strewn)]
        share = len(held) / len(strewn)
        assert area == pytest.approx(share * 4 * math.pi * (180 / math.pi) ** 2, rel=5 / math.sqrt(len(held)))
        mean = held.mean(axis=0)
        off = np.degrees(np.linalg.norm(mean / np.linalg.norm(mean) - unit_vectors(lon, lat)))
        assert off < 400 / math.sqrt(len(held))


def test_the_cells_of_a_shape_hold_all_of_it(database: Database) -> None:
    spans = COMPUTED["vo_spans"]
    for shape, (rim, _) in zip(SHAPES, RIMS, strict=True):
        ranges = np.array(json.loads(spans(_text(shape))))
        pixels = hpx29(*positions(rim)) if len(rim) else np.zeros(0, int)
        assert ((pixels[:, None] >= ranges[:, 0]) & (pixels[:, None] <= ranges[:, 1])).any(axis=1).all(), (
            shape
        )
    if database.engine.dialect.name == "postgresql":
        text = _text(SHAPES[5])
        with database.read() as connection:
            rows = connection.exec_driver_sql("SELECT lo, hi FROM vo_spans(%s)", (text,)).all()
        assert [list(row) for row in rows] == json.loads(spans(text))


def test_shapes_that_touch_meet_and_shapes_hold_themselves(database: Database) -> None:
    tile = "100 0 101 0 101 1 100 1"
    notched = "0 0 10 0 10 10 5 5 0 10"
    touching = [
        (tile, "101 0 102 0 102 1 101 1"),
        (tile, "101 1 102 1 102 2"),
        (tile, "100 0"),
        (tile, "100.5 0"),
    ]
    touching += [
        ("0 0 1", "0 3 2"),
        ("0 0 1", "0 1"),
        ("0 90 10", "0 80"),
        ("0 0 1", "1 -1 1 1 2 0"),
        (tile, tile),
    ]
    assert all(_values(database, "vo_meets(a, b)", touching))
    held = [
        (tile, tile),
        (tile, "100 0 101 0 100 1"),
        (notched, notched),
        ("0 0 2", "0 1 1"),
        ("5 5", "5 5 0"),
        ("1 1 180", tile),
    ]
    held += [("100 1 101 1 101 0 100 0", tile), (tile, "100.5 0 100.7 0 100.6 0.5")]
    assert all(_values(database, "vo_holds(a, b)", held))
    left = [
        (notched, "1 9 9 9 5 1"),
        (notched, "0 10 0 0 10 10"),
        (tile, "100.5 0.5 0.6"),
        (tile, "99 0"),
        ("0 0 1", tile),
    ]
    left += [("100 0 101 0 100 1", tile), ("0 0 2", "0 1 1.001"), (notched, "0 9.5 10 9.5 10 0 0 0")]
    assert not any(_values(database, "vo_holds(a, b)", left))
    away = [
        (tile, "101.001 0 102 0 102 1"),
        ("0 0 1", "0 3 1.999"),
        (notched, "5 9"),
        (notched, "5 9 1 9.5 9 9.5"),
    ]
    assert not any(_values(database, "vo_meets(a, b)", away))


def test_random_positions_are_in_polygons_as_half_spaces_and_shadows_say(database: Database) -> None:
    random = np.random.default_rng(5)
    polygons = [s for s in SHAPES if isinstance(s, Polygon)]
    texts, expected = [], []
    for polygon in polygons:
        edges = outline(polygon.vertices)
        scale = np.degrees(min(edges.radius_rad, 1.5))
        centre = [float(x) for x in positions(edges.centre)]
        ra, dec = _around(centre, random.uniform(0, 360, 12), random.uniform(0, 1.4, 12) * scale)
        texts += [(_text(polygon), f"{a!r} {d!r}") for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]
        expected += contains(polygon, ra, dec).tolist()
    assert list(map(bool, _values(database, "vo_holds(a, b)", texts))) == expected
    assert 50 < sum(expected) < len(expected) - 50
