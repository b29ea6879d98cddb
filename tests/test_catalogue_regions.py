"""Are the regions of a catalogue found through their index, and just those that hold a position?"""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from datamodel import catalogues
from datamodel.archive import Archive
from datamodel.catalogue_workshop import LEAST_GRACE_S, sweep
from datamodel.catalogues import Entry
from datamodel.columns import Column
from datamodel.context import ANONYMOUS, Caller
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring, drop
from vo_server.formats.negotiate import choose
from vo_server.formats.reading import Reading
from vo_server.tap import query
from vo_server.tap.adql.translate import translate
from vo_server.tap.parameters import TapQuery
from vo_server.tap.tap_schema import catalogue

RANDOM = np.random.default_rng(8)
CENTRES = [(0.0, 0.0), (359.9, 20.0), (40.0, 89.9), (200.0, -89.9), (120.0, -45.0)]
SIZE_DEG = 0.7


def unit(ra: Any, dec: Any) -> np.ndarray:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def place(vector: np.ndarray) -> tuple[float, float]:
    x, y, z = vector / np.linalg.norm(vector)
    return float(np.degrees(np.arctan2(y, x))) % 360, float(np.degrees(np.arcsin(z)))


def around(centre: tuple[float, float], radius_deg: float, angles: np.ndarray) -> list[tuple[float, float]]:
    """Places at some distance of another, at position angles in radians."""
    c = unit(*centre)
    east = np.cross([0.0, 0.0, 1.0], c)
    east /= np.linalg.norm(east)
    north = np.cross(c, east)
    r = np.radians(radius_deg)
    return [place(np.cos(r) * c + np.sin(r) * (np.sin(a) * east + np.cos(a) * north)) for a in angles]


def polygons() -> list[list[tuple[float, float]]]:
    """Triangles about the poles, RA 0 and elsewhere."""
    made = []
    for number in range(40):
        middle = around(CENTRES[number % len(CENTRES)], RANDOM.uniform(0, 2), RANDOM.uniform(0, 6, 1))[0]
        made.append(around(middle, SIZE_DEG, np.sort(RANDOM.uniform(0, 2 * np.pi, 3) / 3 + [0, 2, 4])))
    return made


POLYGONS = polygons()
POSITIONS = [
    around(CENTRES[i % len(CENTRES)], RANDOM.uniform(0, 2.5), RANDOM.uniform(0, 6, 1))[0] for i in range(60)
]


def inside(vertices: list[tuple[float, float]], position: tuple[float, float]) -> bool:
    corners, p = unit(*np.array(vertices).T), unit(*position)
    sides = np.cross(corners, np.roll(corners, -1, axis=0)) @ p
    return bool((sides * np.linalg.det(corners) > 0).all())


def stcs(vertices: list[tuple[float, float]]) -> str:
    return "POLYGON ICRS " + " ".join(f"{ra!r} {dec!r}" for ra, dec in vertices)


OTHERS = [None, "", "nowhere", "CIRCLE ICRS 120 -45 0.5", "POLYGON ICRS 1 2 3 4"]
"""Texts beside the polygons: the last but one is a region."""

FORMS = {
    "texts": (Column("s_region", "VARCHAR"), [stcs(p) for p in POLYGONS], OTHERS),
    "numbers": (
        Column("outline", "POLYGON", unit="deg"),
        [list(np.ravel(p)) for p in POLYGONS],
        [None, [], [1.0], [120.0, -45.0, 0.5], [1.0, 2.0, 3.0, 4.0]],
    ),
    "doubles": (
        Column("edge", "DOUBLE[]", unit="deg", ucd="pos.outline;instr.fov"),
        [list(np.ravel(p)) for p in POLYGONS],
        [None, [], [1.0], [120.0, -45.0, 0.5], [1.0, 2.0, 3.0, 4.0]],
    ),
}


def brought(
    archive: Archive, columns: tuple[Column, ...], *values: list[Any], name: str = "test.fields"
) -> Entry:
    arrays = [pa.array(v, c.datatype.arrow) for v, c in zip(values, columns, strict=True)]
    whole = pa.Table.from_arrays(arrays, [c.name for c in columns])
    read = Reading(columns, iter(whole.to_batches(max_chunksize=7)), rows=len(whole))
    return bring(archive, read, Given(name), Caller("A", "P", projects=frozenset({"P"})), "fields.fits")


def ask(archive: Archive, text: str) -> list[tuple[Any, ...]]:
    rows = query.run(archive, ANONYMOUS, TapQuery(text, 1_000_000, choose("csv")))
    return [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("placed", [False, True], ids=["in order of file", "in order of the sky"])
def test_the_regions_that_hold_a_position_are_found_by_their_index(
    archive: Archive, form: str, placed: bool
) -> None:
    column, regions, others = FORMS[form]
    columns, values = [Column("n", "INTEGER"), column], [[*range(45)], [*regions, *others]]
    if placed:
        middles = [place(unit(*np.array(p).T).sum(axis=0)) for p in POLYGONS] + [(None, None)] * 5
        columns += [Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg")]
        values += [[m[0] for m in middles], [m[1] for m in middles]]
    entry = brought(archive, tuple(columns), *values)
    assert (entry.region, entry.outlined) == (column.name, 41)
    for ra, dec in POSITIONS[::6]:
        text = f"SELECT n FROM test.fields WHERE 1 = CONTAINS(POINT({ra!r}, {dec!r}), {column.name})"
        expected = {n for n, p in enumerate(POLYGONS) if inside(p, (ra, dec))}
        circle = unit(ra, dec) @ unit(120, -45) > np.cos(np.radians(0.5))
        assert {n for (n,) in ask(archive, text)} == expected | ({43} if circle else set())
    known = catalogue(archive, ANONYMOUS)
    sql = translate(text, known, ANONYMOUS, archive.database.speech).text
    assert entry.region_tables[0].name in sql


def test_regions_are_matched_with_positions_and_nobody_sees_their_keys(archive: Archive) -> None:
    brought(archive, (Column("n", "INTEGER"), Column("s_region", "VARCHAR")), [*range(40)], FORMS["texts"][1])
    ra, dec = (list(each) for each in zip(*POSITIONS, strict=True))
    places = (Column("m", "INTEGER"), Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
    brought(archive, places, [*range(60)], ra, dec, name="test.places")
    text = "SELECT n, m FROM test.fields JOIN test.places ON 1 = CONTAINS(POINT(ra, dec), s_region)"
    expected = {(n, m) for n, p in enumerate(POLYGONS) for m, at in enumerate(POSITIONS) if inside(p, at)}
    assert set(ask(archive, text)) == expected
    assert len(expected) > 20
    assert [len(row) for row in ask(archive, "SELECT TOP 1 * FROM test.fields")] == [2]
    (region,) = ask(archive, "SELECT s_region FROM test.fields WHERE n = 0")
    assert region == (FORMS["texts"][1][0],)


def test_the_index_goes_with_its_catalogue(archive: Archive, clock: Any) -> None:
    brought(archive, (Column("s_region", "VARCHAR"),), FORMS["texts"][1])
    drop(archive, "test.fields")
    clock.advance(seconds=max(LEAST_GRACE_S, archive.config.query_seconds))
    sweep(archive)
    with archive.database.read() as connection:
        left = {n for n in sa.inspect(connection).get_table_names() if n.startswith("catalogue_")}
    assert left == {table.name for table in catalogues.TABLES}
