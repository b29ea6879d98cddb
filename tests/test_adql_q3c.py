"""Where PostgreSQL has q3c, is its function for distances called, and are the same rows found?"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.sky import hpx29
from datamodel.speech import SPEECHES, speech_of
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

INSTALLED = list(Path("/usr/share/postgresql").glob("*/extension/q3c.control"))
STARS = sa.Table(
    "stars",
    sa.MetaData(),
    sa.Column("id", sa.Integer),
    *(sa.Column(n, sa.Double(53)) for n in ("ra", "dec")),
    sa.Column("hpx29", sa.BigInteger, index=True),
)
COLUMNS = (Column("id", "INTEGER"), Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
CATALOGUE = Catalogue([Table("sky", "stars", COLUMNS, lambda caller: STARS, point=PointIndex("ra", "dec"))])
RANDOM = np.random.default_rng(4)
SKY = SkyCoord(RANDOM.uniform(0, 360, 500), np.degrees(np.arcsin(RANDOM.uniform(-1, 1, 500))), unit="deg")


def test_extensions_that_are_not_known_change_nothing() -> None:
    assert speech_of("postgresql", ["plpgsql"]) is SPEECHES["postgresql"]
    assert speech_of("postgresql", ["q3c"]).distance.startswith("q3c_dist(")
    careful = speech_of("postgresql", ["q3c"]).careful
    assert careful is not None
    assert careful.distance.startswith("q3c_dist(")


def test_distances_up_to_half_the_sky_are_those_of_q3c_behind_the_same_index() -> None:
    speech = speech_of("postgresql", ["q3c"])
    for radius, called in ((0.1, True), (90, True), (90.5, False)):
        query = f"SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), CIRCLE(1, 2, {radius})) = 1"
        text = translate(query, CATALOGUE, ANONYMOUS, speech).text
        assert ("q3c_dist(" in text) == called
        assert '"hpx29" BETWEEN' in text


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    if os.environ.get("VO_TEST_DATABASE") != "postgresql" or not INSTALLED:
        pytest.skip("q3c is an extension of PostgreSQL")
    made = Database(database_url)
    with made.write() as connection:
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS q3c")
        install(connection, FUNCTIONS)
        STARS.create(connection)
        numbers = zip(
            SKY.ra.deg.tolist(), SKY.dec.deg.tolist(), hpx29(SKY.ra.deg, SKY.dec.deg).tolist(), strict=True
        )
        rows = [{"id": i, "ra": ra, "dec": dec, "hpx29": pixel} for i, (ra, dec, pixel) in enumerate(numbers)]
        connection.execute(STARS.insert(), rows)
    yield made
    made.close()


def test_cones_and_joins_find_with_q3c_what_astropy_finds(database: Database) -> None:
    assert database.speech.distance
    for ra, dec, radius in ((0, 0, 20), (10, 90, 3), (200, -89, 40), (40, 10, 90), (10, 20, 170)):
        query = f"SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {radius})) = 1 ORDER BY id"
        text = translate(query, CATALOGUE, ANONYMOUS, database.speech)
        found = [i for b in database.rows(text.text, text.columns).batches for i in b.column(0).to_pylist()]
        assert found == np.flatnonzero(SKY.separation(SkyCoord(ra, dec, unit="deg")).deg <= radius).tolist()
    query = "SELECT COUNT(*) FROM stars a JOIN stars b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 2"
    text = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    counted = [n for b in database.rows(text.text, text.columns).batches for n in b.column(0).to_pylist()]
    assert counted == [int((SKY[:, None].separation(SKY[None, :]).deg < 2).sum())]
