"""Does a translated query say what its columns are and what limit it has, and ask with its caller's rights?"""

import pytest
import sqlalchemy as sa

from datamodel.columns import Column, Table
from datamodel.context import Caller
from datamodel.speech import SPEECHES
from tests.toy_catalogue import COLUMNS, STORED, translated
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

DESCRIBED = {
    "COUNT(*)": ("count_all", "BIGINT", None, "meta.number"),
    "MIN(mag)": ("min_mag", "REAL", "mag", "phot.mag;stat.min"),
    "AVG(ra)": ("avg_ra", "DOUBLE", "deg", "pos.eq.ra;stat.mean"),
    "SUM(id)": ("sum_id", "BIGINT", None, None),
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
    "ra * 2": ("DOUBLE", "deg"),
    "2 * ra": ("DOUBLE", "deg"),
    "ra / 2": ("DOUBLE", "deg"),
    "ra * PI() / SQRT(2)": ("DOUBLE", "deg"),
    "1 / ra": ("DOUBLE", "deg**-1"),
    "ra * id": ("DOUBLE", None),
    "MOD(ra, 360)": ("DOUBLE", "deg"),
    "MOD(ra, mag)": ("DOUBLE", None),
    "-ABS(ROUND(ra, 1))": ("DOUBLE", "deg"),
    "IN_UNIT(ra * 2, 'arcmin')": ("DOUBLE", "arcmin"),
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


DESCRIBED_COLUMNS = (
    Column("a", "DOUBLE", "deg", "pos.eq.ra;meta.main", "Right ascension", indexed=True),
    Column("b", "DOUBLE", "deg", "pos.eq.dec;meta.main", "Declination"),
    Column("m", "REAL", "mag", "phot.mag", "Brightness", utype="char.mag"),
    Column("t", "CHAR", None, "meta.id", "Name", arraysize="36"),
    Column("u", "VARCHAR", None, "meta.id", "Other name"),
)
WHOLE, NOTHING = ("deg", "pos.eq.ra;meta.main", "Right ascension"), (None, None, "")
TOLD = {
    **dict.fromkeys(["SELECT (a) FROM c", "SELECT +a FROM c", "SELECT q.a FROM (SELECT a FROM c) q"], WHOLE),
    **dict.fromkeys(["SELECT COALESCE(a, 0) FROM c", "SELECT COALESCE(a, NULL, a) FROM c"], WHOLE),
    "SELECT CAST(a AS REAL) FROM c": WHOLE,
    "SELECT a FROM c UNION SELECT a FROM c": WHOLE,
    "SELECT a FROM c UNION ALL SELECT 1 FROM c": WHOLE,
    "SELECT 1 FROM c UNION ALL (SELECT 2 FROM c UNION SELECT a FROM c)": WHOLE,
    "SELECT a FROM c EXCEPT SELECT m FROM c": WHOLE,
    "SELECT MAX(a) FROM c": ("deg", "pos.eq.ra;stat.max", "Right ascension"),
    "SELECT IN_UNIT(a, 'rad') FROM c": ("rad", "pos.eq.ra;meta.main", ""),
    "SELECT COALESCE(t, u) FROM c": (None, "meta.id", ""),
    **{
        f"SELECT {made} FROM c": ("deg", None, "")
        for made in ("-a", "ABS(a)", "a + a", "MOD(a, 360)", "ROUND(a, 2)", "COALESCE(a, b)", "SUM(a)")
    },
    "SELECT CAST(a AS INTEGER) FROM c": ("deg", None, ""),
    "SELECT a FROM c UNION SELECT b FROM c": ("deg", None, ""),
    "SELECT a FROM c INTERSECT SELECT b FROM c": ("deg", None, ""),
    "SELECT a FROM c UNION SELECT m FROM c": NOTHING,
    "SELECT a FROM c UNION (SELECT a FROM c UNION SELECT m FROM c)": NOTHING,
    "SELECT COALESCE(a, m) FROM c": NOTHING,
    "SELECT CAST(a AS VARCHAR) FROM c": NOTHING,
    "SELECT LOWER(u) FROM c": NOTHING,
}


@pytest.mark.parametrize("query", TOLD)
def test_a_result_is_told_of_what_its_columns_are_where_it_is_that(query: str) -> None:
    (column,) = _columns(query)
    assert (column.unit, column.ucd, column.description) == TOLD[query]


def _columns(query: str) -> tuple[Column, ...]:
    stored = sa.table("c", *(sa.column(c.name) for c in DESCRIBED_COLUMNS))
    catalogue = Catalogue([Table("s", "c", DESCRIBED_COLUMNS, lambda caller: stored)])
    return translate(query, catalogue, Caller(), SPEECHES["sqlite"]).columns


def test_a_text_from_one_of_several_columns_is_as_long_as_any_of_them() -> None:
    query = "SELECT COALESCE(t, t), COALESCE(t, u), COALESCE(t, 'a longer text') FROM c"
    assert [c.votable_arraysize for c in _columns(query)] == ["36", "*", "*"]


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
