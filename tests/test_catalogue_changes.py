"""Does everybody know at once of a catalogue that is brought, replaced or dropped, but for a query under way?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datamodel import catalogues, tap_schema
from datamodel.archive import Archive
from datamodel.catalogue_workshop import LEAST_GRACE_S, sweep
from datamodel.catalogues import known
from datamodel.context import ANONYMOUS
from datamodel.errors import NotFoundError, UsageError
from tests.catalogues import ask, brought, made_up, positions, reading, tables_of_rows
from vo_server.catalogue.importing import drop
from vo_server.formats.negotiate import choose
from vo_server.tap import query
from vo_server.tap.parameters import TapQuery
from vo_server.tap.tap_schema import tables, update_tap_schema


def test_tap_schema_and_queries_know_of_it_at_once_and_until_it_is_dropped(archive: Archive) -> None:
    update_tap_schema(archive, tables(archive.config))
    before = tap_schema.read(archive)
    told = tap_schema.version(archive)
    brought(archive, reading(made_up(50, 1)), description="Fifty stars")
    brought(archive, positions([1.0], [2.0]), "test.more")
    brought(archive, positions([1.0], [2.0]), "another.one")
    assert tap_schema.version(archive) != told
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
    assert tables_of_rows(archive) == {old.sql.name, new.sql.name}
    assert sweep(archive) == 0
    clock.advance(seconds=max(LEAST_GRACE_S, archive.config.query_seconds))
    assert sweep(archive) == 1
    assert tables_of_rows(archive) == {new.sql.name}


def test_a_table_that_is_still_read_is_removed_another_time(archive: Archive, clock: Any) -> None:
    """Where a database waits for readers; else it is gone at once, and the reader keeps what it sees."""
    old = brought(archive, positions(np.linspace(0, 359, 60_000).tolist(), [0.0] * 60_000))
    under_way = query.run(archive, ANONYMOUS, TapQuery("SELECT * FROM test.stars", 1_000_000, choose("csv")))
    drop(archive, "test.stars")
    clock.advance(days=1)
    removed = sweep(archive)
    assert sum(batch.num_rows for batch in under_way.batches) == 60_000
    assert removed + sweep(archive) == 1
    assert old.sql.name not in tables_of_rows(archive)
