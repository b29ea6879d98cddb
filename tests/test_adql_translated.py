"""Does a translated query say what its columns are and what limit it has, and ask with its caller's rights?"""

import pytest
import sqlalchemy as sa

from datamodel.columns import Table
from datamodel.context import Caller
from datamodel.speech import SPEECHES
from tests.toy_catalogue import COLUMNS, STORED, translated
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

DESCRIBED = {
    "COUNT(*)": ("count_all", "BIGINT", None, "meta.number"),
    "MIN(mag)": ("min_mag", "REAL", "mag", "phot.mag;stat.min"),
    "AVG(ra)": ("avg_ra", "DOUBLE", "deg", "pos.eq.ra;stat.mean"),
    "SUM(id)": ("sum_id", "BIGINT", None, "meta.id;meta.main"),
}


@pytest.mark.parametrize("expression", DESCRIBED)
def test_an_aggregate_is_described(expression: str) -> None:
    (column,) = translated(f"SELECT {expression} FROM cat").columns
    assert (column.name, column.type, column.unit, column.ucd) == DESCRIBED[expression]


UNITS = {
    "ra": ("DOUBLE", "deg"),
    "ra + dec": ("DOUBLE", "deg"),
    "ra + 1": ("DOUBLE", "deg"),
    "ra + mag": ("DOUBLE", None),
    "ra * 2": ("DOUBLE", None),
    "ra * dec": ("DOUBLE", "deg**2"),
    'ra / "size"': ("DOUBLE", "deg.pixel**-1"),
    "SQRT(ra * dec)": ("DOUBLE", "deg"),
    "POWER(ra, 2)": ("DOUBLE", "deg**2"),
    "mag + mag": ("DOUBLE", "mag"),
    '"size" + 1': ("BIGINT", "pixel"),
    "ATAN2(ra, dec)": ("DOUBLE", "rad"),
    "DISTANCE(ra, dec, 1, 2)": ("DOUBLE", "deg"),
    "name || 'x'": ("VARCHAR", None),
    "CAST(ra AS REAL)": ("REAL", "deg"),
    "COALESCE(mag, 1.5)": ("DOUBLE", "mag"),
    "COALESCE(ra, mag)": ("DOUBLE", None),
    "NULL": ("VARCHAR", None),
    "3000000000": ("BIGINT", None),
    "(SELECT MAX(ra) FROM cat)": ("DOUBLE", "deg"),
    "IN_UNIT(ra, 'arcmin')": ("DOUBLE", "arcmin"),
}


@pytest.mark.parametrize("expression", UNITS)
def test_type_and_unit_go_through_an_expression(expression: str) -> None:
    (column,) = translated(f"SELECT {expression} AS x FROM cat").columns
    assert (column.type, column.unit) == UNITS[expression]


def test_result_names_are_unique_and_legal() -> None:
    query = "SELECT a.ra, b.ra, a.ra+1, 'x', a.mag AS col3, COUNT(*), COUNT(*), MAX(a.mag) AS \"My Mag\" "
    query += "FROM cat a JOIN a.twice b ON a.id=b.id GROUP BY a.ra, b.ra, a.mag"
    names = [c.name for c in translated(query).columns]
    assert names == ["ra", "ra_2", "col3_2", "col4", "col3", "count_all", "count_all_2", "My Mag"]


def test_the_querys_own_limit_is_reported() -> None:
    assert translated("SELECT TOP 7 ra FROM cat").top == 7
    assert translated("SELECT ra FROM cat").top is None


def test_every_table_reference_asks_with_the_callers_rights() -> None:
    asked: list[Caller] = []

    def selectable(caller: Caller) -> sa.FromClause:
        asked.append(caller)
        return sa.select(STORED).where(STORED.c.id > 0).subquery()

    catalogue = Catalogue([Table("gaia", "cat", COLUMNS, selectable)])
    somebody = Caller(user="somebody")
    query = """WITH w AS (SELECT id FROM cat) SELECT a.id FROM cat AS a, (SELECT id FROM cat) AS b, w
               WHERE a.id IN (SELECT id FROM cat) AND EXISTS (SELECT id FROM cat) UNION SELECT id FROM cat"""
    found = translate(query, catalogue, somebody, SPEECHES["sqlite"])
    assert set(asked) == {somebody}
    assert found.text.count("stored.id >") == 6
