"""Does a table that is brought come out of queries as it went in, in the order of the sky, known at once?"""

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from astropy.coordinates import Latitude, Longitude, SkyCoord
from mocpy import MOC

from datamodel import catalogue_order, catalogues, table_rows, tap_schema
from datamodel.archive import Archive
from datamodel.catalogue_workshop import LEAST_GRACE_S, sweep
from datamodel.catalogues import Entry, known
from datamodel.columns import Column
from datamodel.context import ANONYMOUS, MYDB, PROJECT, VO, WORLD, Caller
from datamodel.errors import NotFoundError, UsageError
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring, drop, listed
from vo_server.formats.negotiate import choose
from vo_server.formats.reading import Reading
from vo_server.tap import query
from vo_server.tap.parameters import TapQuery
from vo_server.tap.tap_schema import tables, update_tap_schema

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


def test_tap_schema_and_queries_know_of_it_at_once_and_until_it_is_dropped(archive: Archive) -> None:
    update_tap_schema(archive, tables(archive.config))
    before = tap_schema.read(archive)
    told = tap_schema.version(archive)[0]
    brought(archive, reading(made_up(50, 1)), description="Fifty stars")
    brought(archive, positions([1.0], [2.0]), "test.more")
    brought(archive, positions([1.0], [2.0]), "another.one")
    assert tap_schema.version(archive)[0] != told
    schemas = {schema.name: schema for schema in tap_schema.read(archive)}
    assert [t.name for t in schemas["test"].tables] == ["test.more", "test.stars"]
    stars = schemas["test"].tables[1]
    assert stars.description == "Fifty stars"
    assert ("date" in [c.name for c in stars.columns], '"date"' in [c.name for c in stars.columns]) == (
        False,
        True,
    )
    rows = ask(
        archive, "SELECT column_name, unit, indexed FROM tap_schema.columns WHERE table_name = 'test.stars'"
    )
    assert {"column_name": "hpx29", "unit": None, "indexed": 1} in rows
    names = ask(archive, "SELECT schema_name FROM tap_schema.schemas")
    assert sorted(r["schema_name"] for r in names)[:3] == ["another", "archive", "ivoa"]
    for name in ("test.stars", "test.more", "ANOTHER.one"):
        drop(archive, name)
    assert tap_schema.read(archive) == before
    with pytest.raises(UsageError, match="unknown table"):
        ask(archive, "SELECT * FROM test.stars")
    with pytest.raises(NotFoundError, match=r"no catalogue 'test\.stars'"):
        drop(archive, "test.stars")


def test_another_process_knows_of_it_without_restart(archive: Archive) -> None:
    other = Archive(archive.config, archive.clock)
    assert known(other).entries == ()
    brought(archive, positions([1.0], [2.0]))
    assert [e.name for e in known(other).entries] == ["test.stars"]
    assert ask(other, "SELECT ra FROM test.stars") == [{"ra": 1.0}]
    brought(archive, positions([3.0], [2.0]), replaces=True)
    assert ask(other, "SELECT ra FROM test.stars") == [{"ra": 3.0}]
    drop(archive, "test.stars")
    assert known(other).entries == ()
    other.close()


def test_seeing_that_nothing_has_changed_asks_the_database_nothing(
    archive: Archive, statements: Callable[[], int]
) -> None:
    brought(archive, positions([1.0], [2.0]))
    first = known(archive)
    statements()
    assert all(known(archive) is first for _ in range(1000))
    assert statements() == 0


def test_a_change_that_was_not_told_is_seen_within_a_second(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be killed after the commit."""
    assert known(archive).entries == ()
    monkeypatch.setattr(catalogues, "announce", lambda archive, version: None)
    brought(archive, positions([1.0], [2.0]))
    later = catalogues.time.monotonic() + catalogues.POLL_S
    monkeypatch.setattr(catalogues.time, "monotonic", lambda: later)
    assert [e.name for e in known(archive).entries] == ["test.stars"]


def test_a_change_that_cannot_be_told_is_made_all_the_same(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(archive: Archive, version: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(catalogues, "announce", full)
    made = brought(archive, positions([1.0], [2.0]))
    with archive.database.read() as connection:
        assert [each.id for each in catalogues.entries(connection)] == [made.id]


def test_a_query_under_way_keeps_the_rows_it_began_with(archive: Archive, clock: Any) -> None:
    ra = np.linspace(0, 359, 40_000)
    old = brought(archive, positions(ra.tolist(), [0.0] * len(ra)))
    asked = TapQuery("SELECT ra FROM test.stars", 1_000_000, choose("csv"))
    under_way = query.run(archive, ANONYMOUS, asked)
    first = next(under_way.batches)
    new = brought(archive, positions([7.0], [7.0]), replaces=True)
    assert ask(archive, "SELECT ra FROM test.stars") == [{"ra": 7.0}]
    read = first.column(0).to_pylist()
    for batch in under_way.batches:
        read += batch.column(0).to_pylist()
    assert sorted(read) == sorted(ra.tolist())
    assert _tables(archive) == {old.sql.name, new.sql.name}
    assert sweep(archive) == 0
    clock.advance(seconds=max(LEAST_GRACE_S, archive.config.query_seconds))
    assert sweep(archive) == 1
    assert _tables(archive) == {new.sql.name}


def test_a_table_that_is_still_read_is_removed_another_time(archive: Archive, clock: Any) -> None:
    """Where a database waits for readers; else it is gone at once, and the reader keeps what it sees."""
    old = brought(archive, positions(np.linspace(0, 359, 60_000).tolist(), [0.0] * 60_000))
    under_way = query.run(archive, ANONYMOUS, TapQuery("SELECT * FROM test.stars", 1_000_000, choose("csv")))
    drop(archive, "test.stars")
    clock.advance(days=1)
    removed = sweep(archive)
    assert sum(batch.num_rows for batch in under_way.batches) == 60_000
    assert removed + sweep(archive) == 1
    assert old.sql.name not in _tables(archive)


def _tables(archive: Archive) -> set[str]:
    """The SQL tables with rows of catalogues."""
    with archive.database.read() as connection:
        names = sa.inspect(connection).get_table_names()
    ours = {table.name for table in catalogues.TABLES}
    return {name for name in names if name.startswith("catalogue_")} - ours


def _with_nul() -> Reading:
    return reading(made_up(300, 3) | {"name": ["x"] * 299 + ["a\0b"]})


def _with_no_time() -> Reading:
    return reading(made_up(300, 3) | {"date": ["2003-02-14"] * 299 + ["yesterday"]})


def _with_a_broken_end() -> Reading:
    return Reading(COLUMNS, _broken(), rows=300)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (_with_nul, "column 'name' holds the character NUL"),
        (_with_no_time, "column 'date' holds 'yesterday'"),
        (_with_a_broken_end, "line 3 is broken"),
    ],
)
@pytest.mark.parametrize("replaces", [False, True])
def test_what_fails_leaves_nothing(
    archive: Archive, read: Callable[[], Reading], message: str, replaces: bool
) -> None:
    brought(archive, positions([1.0], [2.0]))
    before = _tables(archive)
    with pytest.raises(UsageError, match=message):
        brought(archive, read(), "test.stars" if replaces else "test.other", replaces=replaces)
    assert _tables(archive) == before
    assert [e.name for e in listed(archive)] == ["test.stars"]
    assert ask(archive, "SELECT ra FROM test.stars") == [{"ra": 1.0}]
    folder = archive.config.archive / catalogues.FOLDER
    assert {p.name for p in folder.iterdir()} == {"lock", "version"}


def _broken() -> Any:
    yield next(iter(reading(made_up(20, 1)).batches))
    raise UsageError("line 3 is broken")


def test_a_name_is_taken_once(archive: Archive) -> None:
    brought(archive, positions([1.0], [2.0]))
    with pytest.raises(UsageError, match=r"a catalogue 'test\.stars' already"):
        brought(archive, positions([1.0], [2.0]), "Test.STARS")
    with pytest.raises(
        NotFoundError, match=r"no catalogue 'test\.star' to replace; did you mean 'test\.stars'"
    ):
        brought(archive, positions([1.0], [2.0]), "test.star", replaces=True)


def test_of_two_who_bring_the_same_name_one_is_told(archive: Archive) -> None:
    rows = iter([pa.RecordBatch.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["ra", "dec"])])

    def while_another_is_first() -> Any:
        brought(archive, positions([5.0], [5.0]))
        yield from rows

    columns = (Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
    with pytest.raises(UsageError, match="already"):
        brought(archive, Reading(columns, while_another_is_first()))
    assert ask(archive, "SELECT ra FROM test.stars") == [{"ra": 5.0}]
    assert len(_tables(archive)) == 1


@pytest.mark.parametrize(
    ("level", "callers"),
    [
        (VO, {"stranger", "A", "B", "C"}),
        (WORLD, {"stranger", "A", "B", "C"}),
        (3, {"A", "B", "C"}),
        (PROJECT, {"A", "B"}),
        (MYDB, {"A"}),
    ],
)
def test_who_may_not_see_a_catalogue_is_told_of_it_nowhere(
    archive: Archive, level: int, callers: set[str]
) -> None:
    update_tap_schema(archive, tables(archive.config))
    brought(archive, positions([1.0], [2.0]), "secret.stars", level=level)
    asking = {"stranger": ANONYMOUS} | {name: archive.caller(name) for name in "ABC"}
    for name, caller in asking.items():
        sees = name in callers
        listed_names = [s.name for s in tap_schema.read(archive, caller)]
        assert ("secret" in listed_names) == sees
        for text in (
            "SELECT schema_name FROM tap_schema.schemas WHERE schema_name = 'secret'",
            "SELECT table_name FROM tap_schema.tables WHERE table_name = 'secret.stars'",
            "SELECT column_name FROM tap_schema.columns WHERE column_name = 'ra' AND table_name = 'secret.stars'",
        ):
            assert len(ask(archive, text, caller)) == sees
        if sees:
            assert ask(archive, "SELECT ra FROM secret.stars", caller) == [{"ra": 1.0}]
        else:
            with pytest.raises(UsageError, match="unknown table") as refused:
                ask(archive, "SELECT ra FROM secret.star", caller)
            assert "secret.stars" not in str(refused.value)
            with pytest.raises(NotFoundError):
                known(archive).entries[0].described.selectable(caller)


def test_what_an_owner_says_of_a_schema_is_told_to_those_who_may_know_of_the_catalogue(
    archive: Archive,
) -> None:
    update_tap_schema(archive, tables(archive.config))
    for name, level, said in (
        ("a", MYDB, "The secret plan"),
        ("b", WORLD, ""),
        ("c", WORLD, "What all may know"),
        ("d", WORLD, "Something else"),
    ):
        given = Given(f"shared.{name}", level=level, schema_description=said)
        bring(archive, positions([1.0], [2.0]), given, OWNER, "x")
    text = "SELECT description FROM tap_schema.schemas WHERE schema_name = 'shared'"
    for caller, told, names in (
        (ANONYMOUS, "What all may know", "bcd"),
        (archive.caller("A"), "The secret plan", "abcd"),
    ):
        assert ask(archive, text, caller) == [{"description": told}]
        (schema,) = [s for s in tap_schema.read(archive, caller) if s.name == "shared"]
        assert (schema.description, [t.name for t in schema.tables]) == (told, [f"shared.{n}" for n in names])


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
