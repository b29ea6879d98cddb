"""Are sources looked up by their place, whoever may see which of their lists?"""

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, Caller
from datamodel.observatory import Instrument
from datamodel.session import Session
from datamodel.sky import hpx29
from datamodel.sources import COLUMNS, insert_sources
from tests import templates
from vo_server.formats.negotiate import choose
from vo_server.tap import query, tap_schema
from vo_server.tap.adql.translate import translate
from vo_server.tap.parameters import TapQuery

archive = templates.complete_archive

MATCH = (
    "SELECT a.sid, b.sid FROM archive.sources AS a JOIN archive.sources AS b "
    "ON DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < 0.01 AND a.sid < b.sid"
)


@pytest.fixture
def starry(archive: Archive) -> Archive:
    """An archive where account A has some hundred sources in a list that only A may see."""
    random = np.random.default_rng(2)
    with Session(archive, archive.caller("A", "P", 1)) as session:
        owner = Instrument(name="camera")
        owner.commit()
        rows = np.zeros(600, dtype=[(c.name, c.datatype.numpy) for c in COLUMNS if c.name != "slid"])
        rows["sid"], rows["ra"], rows["dec"] = (
            range(600),
            random.uniform(10, 11, 600),
            random.uniform(0, 1, 600),
        )
        rows["hpx29"] = hpx29(rows["ra"], rows["dec"])
        with session.transaction() as connection:
            insert_sources(connection, 1, owner.object_id, rows)
    return archive


def pairs(archive: Archive, caller: Caller) -> set[tuple[int, int]]:
    rows = query.run(archive, caller, TapQuery(MATCH, 10_000, choose(None)))
    return {
        pair for batch in rows.batches for pair in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    }


def test_a_match_of_sources_is_what_all_pairs_say_and_of_what_one_may_see(starry: Archive) -> None:
    with Session(starry, starry.caller("A", "P", 1)) as session:
        owner = session.caller
    with starry.database.read() as connection:
        stars = connection.execute(sa.text("SELECT sid, ra, dec FROM source ORDER BY sid")).all()
    _, ra, dec = np.radians(np.array(stars)).T
    unit = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    apart = np.degrees(2 * np.arcsin(np.linalg.norm(unit[:, None] - unit[None], axis=2) / 2))
    expected = {(int(a), int(b)) for a, b in zip(*np.nonzero(np.triu(apart < 0.01, 1)), strict=True)}
    assert len(expected) > 20
    assert pairs(starry, owner) == expected
    assert pairs(starry, ANONYMOUS) == set()


def test_the_index_of_places_serves_a_match_before_that_of_lists(starry: Archive) -> None:
    if starry.database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has statistics to choose by, and does not show its choice on so few rows")
    written = translate(
        MATCH, tap_schema.catalogue(starry, ANONYMOUS), ANONYMOUS, starry.database.speech, most=10
    )
    with starry.database.read() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written.text}")]
    assert any("ix_source_hpx29 (hpx29=?)" in step for step in steps), steps
    assert not any("(slid=?)" in step for step in steps), steps
