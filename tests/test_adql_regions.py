"""Do CONTAINS and INTERSECTS of a region column find what small flat geometry finds?"""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from datamodel.columns import Column, RegionIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.sky import Circle, Polygon, region_rows, region_tables
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate

METADATA = sa.MetaData()
FRAMES = sa.Table("frames", METADATA, sa.Column("row", sa.Text), sa.Column("s_region", sa.Text))
COVER, EDGES = region_tables("frames", METADATA)
CATALOGUE = Catalogue(
    [
        Table(
            "ivoa",
            "obscore",
            (Column("obs_id", "VARCHAR"), Column("s_region", "REGION", ucd="pos.outline;obs.field")),
            lambda caller: sa.select(
                FRAMES.c.row.label("obs_id"), FRAMES.c.s_region, FRAMES.c.row
            ).subquery(),
            region=RegionIndex("s_region", "row", COVER),
        )
    ]
)
SHAPES = {
    "square": Polygon(((10.0, -0.5), (11.0, -0.5), (11.0, 0.5), (10.0, 0.5))),
    "wrapped": Polygon(((359.5, -0.5), (0.5, -0.5), (0.5, 0.5), (359.5, 0.5))),
    "cap": Circle(0.0, 90.0, 1.0),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    METADATA.create_all(database.engine)
    with database.write() as connection:
        for row, shape in SHAPES.items():
            cover, edges = region_rows(shape, row)
            connection.execute(FRAMES.insert(), {"row": row, "s_region": row})
            connection.execute(COVER.insert(), cover)
            connection.execute(EDGES.insert(), edges)
    yield database
    database.close()


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
}


def test_a_region_is_found_by_what_it_contains_and_meets(database: Database) -> None:
    for condition, expected in CONDITIONS.items():
        query = f"SELECT obs_id FROM ivoa.obscore WHERE {condition} ORDER BY obs_id"
        translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
        batches = database.rows(translated.text, translated.columns).batches
        assert [name for batch in batches for name in batch.column(0).to_pylist()] == expected, condition


@pytest.mark.parametrize("condition", ["CONTAINS(CIRCLE(1, 2, 3), s_region) = 1", "s_region = POINT(1, 2)"])
def test_what_cannot_be_told_of_a_region_is_refused(condition: str) -> None:
    with pytest.raises(AdqlError):
        translate(
            f"SELECT obs_id FROM ivoa.obscore WHERE {condition}", CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]
        )
