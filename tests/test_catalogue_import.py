"""Does a table that is brought come out of queries as it went in, in the order of the sky, and well told of?"""

import json
import math
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import Latitude, Longitude, SkyCoord
from mocpy import MOC

from datamodel import catalogue_order, catalogues, table_rows
from datamodel.archive import Archive
from datamodel.columns import Column
from tests.catalogues import ask, brought, made_up, positions, reading
from tests.databases import on_postgresql


def as_kept(name: str, value: Any) -> Any:
    """What a query gives for a value that was brought: NaN is NULL, times have milliseconds."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value[:23] if name == "date" and value is not None else value


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("run_bytes", [20_000, catalogue_order.RUN_BYTES], ids=["spilled", "in memory"])
def test_rows_out_are_rows_in_whatever_is_in_them(
    archive: Archive, seed: int, run_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_order.Sorter.__init__, "__defaults__", (run_bytes, 3))
    monkeypatch.setattr(table_rows, "SQLITE_ROWS", 40)
    values = made_up(600, seed)
    entry = brought(archive, reading(values))
    rows = ask(archive, "SELECT * FROM test.stars")
    names = [c.name for c in entry.columns]
    assert names == ["number", "ra", "dec", "flag", "small", "byte", "mag", "name", "date", "b_v", "hpx29"]
    expected = [
        tuple(repr(as_kept(n, v)) for n, v in zip(values, row, strict=True))
        for row in zip(*values.values(), strict=True)
    ]
    found = [tuple(repr(row[name]) for name in names[:-1]) for row in rows]
    assert sorted(found) == sorted(expected)
    assert (entry.rows, entry.placed) == (600, sum(row["hpx29"] is not None for row in rows))


def test_rows_lie_in_the_order_of_the_sky_and_those_without_a_place_come_last(archive: Archive) -> None:
    from cdshealpix.nested import lonlat_to_healpix

    values = made_up(500, 7)
    entry = brought(archive, reading(values))
    place = {"sqlite": "rowid", "postgresql": "ctid"}[archive.database.engine.dialect.name]
    with archive.database.read() as connection:
        in_order = sa.select(*(entry.sql.c[n] for n in ("ra", "dec", "hpx29"))).order_by(
            sa.literal_column(place)
        )
        rows = connection.execute(in_order).all()
        indices = sa.inspect(connection).get_indexes(entry.sql.name)
    assert [i["column_names"] for i in indices] == [["hpx29"]]
    pixels = [row.hpx29 for row in rows]
    known_ones = [p for p in pixels if p is not None]
    assert known_ones == sorted(known_ones)
    assert pixels[len(known_ones) :] == [None] * (500 - len(known_ones))
    assert 500 - len(known_ones) == sum(
        not (ra is not None and dec is not None and math.isfinite(ra) and abs(dec) <= 90)
        for ra, dec in zip(values["ra"], values["dec"], strict=True)
    )
    ra, dec = np.array([(row.ra, row.dec) for row in rows[: len(known_ones)]]).T
    assert lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), 29).tolist() == known_ones


@on_postgresql
def test_rows_need_no_vacuum_before_they_are_quick_to_find(archive: Archive) -> None:
    entry = brought(archive, reading(made_up(5000, 3)))
    pages = sa.text("SELECT relpages, relallvisible FROM pg_class WHERE relname = :name")
    with archive.database.read() as connection:
        there, seen_by_all = connection.execute(pages, {"name": entry.sql.name}).one()
    assert seen_by_all == there > 10


@pytest.mark.parametrize("centre", [(0.0, 0.0), (123.0, 89.5), (359.9, -60.0)])
def test_a_cone_finds_what_astropy_finds(archive: Archive, centre: tuple[float, float]) -> None:
    random = np.random.default_rng(5)
    ra = (centre[0] + random.normal(0, 8, 400)) % 360
    dec = np.clip(centre[1] + random.normal(0, 3, 400), -90, 90)
    brought(archive, positions(ra.tolist(), dec.tolist()))
    cone = f"CIRCLE({centre[0]}, {centre[1]}, 2.5)"
    found = ask(archive, f"SELECT ra, dec FROM test.stars WHERE CONTAINS(POINT(ra, dec), {cone}) = 1")
    inside = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*centre, unit="deg")).deg < 2.5
    assert sorted((r["ra"], r["dec"]) for r in found) == sorted(zip(ra[inside], dec[inside], strict=True))
    assert inside.sum() > 3


def test_a_row_that_is_no_place_is_in_no_region_however_it_is_asked_for(archive: Archive) -> None:
    places = [(10.0, 0.0), (370.0, 0.5), (-350.0, 0.0), (10.0 + 360.0 * 2777, -0.5)]
    none = [(10.0 + 360.0 * 2778, 0.0), (1e7, 0.0), (1e15, 0.0), (1e300, 0.0), (-1e300, 0.0), (10.0, 91.0)]
    made = brought(archive, positions(*map(list, zip(*places, *none, strict=True))))
    assert (made.rows, made.placed) == (10, 4)
    inside = "CONTAINS(POINT(ra, dec), {})"
    sky, near = "CIRCLE(0, 0, 180)", "CIRCLE(10, 0, 1)"
    corners = "POLYGON(5, -5, 15, -5, 15, 5, 5, 5)"
    asked = [f"1 = {inside.format(shape)}" for shape in (sky, near, corners)]
    asked += [f"1 = {inside.format(near)} OR ra = -5", "DISTANCE(ra, dec, 10, 0) < 1"]
    asked += [
        f"1 = INTERSECTS(CIRCLE(ra, dec, 0.1), {near})",
        "1 = CONTAINS(POINT(10, 0), CIRCLE(ra, dec, 1))",
    ]
    for where in asked:
        found = [
            (row["ra"], row["dec"]) for row in ask(archive, f"SELECT ra, dec FROM test.stars WHERE {where}")
        ]
        assert sorted(found) == sorted(places), where
    listed = ask(
        archive, f"SELECT hpx29, {inside.format(near)} AS a, {inside.format(sky)} AS b FROM test.stars"
    )
    assert all((row["a"] == 1) == (row["b"] == 1) == (row["hpx29"] is not None) for row in listed)


def test_statistics_and_coverage_are_those_of_the_rows(archive: Archive) -> None:
    values = made_up(400, 9)
    entry = brought(archive, reading(values))
    kept = {n: [v for v in values[n] if as_kept(n, v) is not None] for n in values}
    for name, column in zip(values, entry.columns, strict=False):
        found = entry.statistics[column.name]
        assert found["nulls"] == 400 - len(kept[name])
        if name == "B-V":
            assert found["least"] is None
        else:
            finite = [v for v in kept[name] if not (isinstance(v, float) and math.isinf(v))]
            assert (found["least"], found["greatest"]) == (min(finite), max(finite))
    on_sky = [
        (ra % 360, dec)
        for ra, dec in zip(values["ra"], values["dec"], strict=True)
        if None not in (ra, dec) and math.isfinite(ra) and abs(dec) <= 90
    ]
    lon, lat = np.array(on_sky).T
    assert MOC.from_string(entry.coverage) == MOC.from_lonlat(lon * u.deg, lat * u.deg, max_norder=10)


def test_a_long_coverage_is_told_in_larger_cells(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodel.catalogue_statistics.COVERAGE_CHARACTERS", 300)
    random = np.random.default_rng(11)
    ra, dec = random.uniform(0, 360, 300), random.uniform(-90, 90, 300)
    coverage = MOC.from_string(brought(archive, positions(ra.tolist(), dec.tolist())).coverage)
    assert coverage.max_order < 5
    assert coverage.contains_lonlat(ra * u.deg, dec * u.deg).all()


def test_a_table_without_positions_keeps_the_order_of_its_file(archive: Archive) -> None:
    column = Column("Name", "VARCHAR", description="What it is called")
    read = reading({"Name": ["b", "a", None, "c"]}, (column,), description="From the file")
    entry = brought(archive, read, "test.words")
    assert (entry.point, entry.coverage, entry.description) == (None, "", "From the file")
    assert [r["name"] for r in ask(archive, "SELECT * FROM test.words")] == ["b", "a", None, "c"]


def test_an_empty_table_is_a_catalogue_too(archive: Archive) -> None:
    entry = brought(archive, positions([], []))
    assert (entry.rows, entry.coverage, ask(archive, "SELECT * FROM test.stars")) == (0, "", [])


def test_what_is_told_of_it_is_kept_as_json_alone(archive: Archive) -> None:
    """So that an entry of today can be read when there is more to tell."""
    made = brought(archive, reading(made_up(30, 1)), origin=(("creator", "Me"), ("creator", "You")))
    with archive.database.read() as connection:
        told = json.loads(connection.scalar(sa.select(catalogues.entry.c.told)) or "")
        (entry,) = catalogues.entries(connection)
    assert told["origin"] == [["creator", "Me"], ["creator", "You"]]
    assert entry == made
    assert entry.described.rows == 30
    assert entry.described.origin == (("creator", "Me"), ("creator", "You"))
