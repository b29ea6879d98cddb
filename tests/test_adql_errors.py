"""Is every text that is no query refused, and does the error name the right place?"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.toy_catalogue import translated
from vo_server.tap.adql.arities import ARITIES
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.features import features
from vo_server.tap.adql.parser import parse
from vo_server.tap.adql.udf_catalogue import OFFERED

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "adql"

PLACES = {
    "SELECT DISTANCE FROM cat": (1, 17, "expected ( after DISTANCE, found 'FROM'"),
    "SELECT ra\nFROM gaia.cta": (2, 6, "unknown table 'gaia.cta'; did you mean 'gaia.cat'?"),
    "SELECT\n  mags FROM cat": (2, 3, "unknown column 'mags'; did you mean 'mag'?"),
    "SELECT x.ra FROM cat": (1, 8, "unknown table 'x' in 'x.ra'"),
    "SELECT ra FROM cat AS a, cat AS b": (1, 8, "ambiguous column 'ra'; there are a.ra, b.ra"),
    "SELECT ra FROM twice": (1, 16, "ambiguous table 'twice'; there are a.twice, b.twice"),
    "SELECT ra FROM cat, cat": (1, 19, "two tables are called 'gaia.cat'"),
    "SELECT SINE(ra) FROM cat": (1, 8, "unknown function 'SINE'; did you mean 'SIN'?"),
    "SELECT ra FROM cat LIMIT 5": (1, 20, "ADQL has no LIMIT; write SELECT TOP n"),
    "SELECT ra FROM cat; DROP TABLE cat": (1, 19, "found ';'; a request has one query"),
    "SELECT ra::int FROM cat": (1, 10, "CAST(value AS type)"),
    "SELECT ‘x’ FROM cat": (1, 8, "found a typographic quote"),
    "SELECT “ra” FROM cat": (1, 8, "found a typographic quote"),
    "SELECT 'x FROM cat": (1, 8, "found a string without its closing '"),
    "SELECT ra /* all */ FROM cat": (1, 11, "a comment is written from --"),
    "SELECT size FROM cat": (1, 8, 'a reserved word; to use it as a name, write "size"'),
    "SELECT ra FROM cat WHERE mag = 'x'": (1, 30, "cannot compare the number 'mag' with a text"),
    "SELECT ra FROM cat WHERE mag": (1, 26, "expected a condition such as value = 1"),
    "SELECT ra FROM cat WHERE CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))": (1, 26, "expected a condition"),
    "SELECT ra > 3 FROM cat": (1, 11, "expected a value, found a condition"),
    "SELECT ra FROM cat WHERE seen > 'soon'": (1, 33, "expected a time such as '2003-02-14T01:02:03'"),
    "SELECT ra FROM cat WHERE seen > '2003-02-30'": (1, 33, "expected a time such as"),
    "SELECT ra FROM cat WHERE seen > 3": (1, 31, "cannot compare the timestamp 'seen' with a number"),
    "SELECT SIN(name) FROM cat": (1, 12, "SIN takes a number, found the text 'name'"),
    "SELECT ra + name FROM cat": (1, 13, "+ takes a number, found the text 'name'"),
    "SELECT ra || name FROM cat": (1, 8, "|| takes a text, found the number 'ra'"),
    "SELECT name FROM cat WHERE mag LIKE 'x%'": (1, 28, "LIKE takes a text"),
    "SELECT SIN(1, 2) FROM cat": (1, 8, "SIN takes 1 argument, found 2"),
    "SELECT ra FROM cat WHERE 1=CONTAINS(POINT(ra), CIRCLE(1,2,3))": (
        1,
        37,
        "POINT takes 2 arguments, found 1",
    ),
    "SELECT DISTANCE(1, 2, 3) FROM cat": (1, 8, "DISTANCE takes 2 or 4 arguments, found 3"),
    "SELECT CIRCLE(1, 2) FROM cat": (1, 8, "CIRCLE takes 3 numbers, found 2"),
    "SELECT ra FROM cat WHERE CONTAINS(ra, CIRCLE(1,2,3))=1": (
        1,
        35,
        "expected a geometry, found the number",
    ),
    "SELECT ra FROM cat WHERE CONTAINS(POINT(ra,dec), CIRCLE(1,91,3))=1": (1, 59, "latitude from -90 to 90"),
    "SELECT ra FROM cat WHERE CONTAINS(POINT(ra,dec), CIRCLE(1,9,-3))=1": (1, 61, "radius from 0 to 180"),
    "SELECT POINT('MARS', 1, 2) FROM cat": (1, 14, "SUPER_GALACTIC, or none, found 'MARS'"),
    "SELECT ra FROM cat WHERE POINT(1,2) < POINT(ra,dec)": (1, 37, "geometries are compared by CONTAINS"),
    "SELECT name, COUNT(*) FROM cat": (1, 8, "'cat.name' must be in GROUP BY or inside an aggregate"),
    "SELECT mag FROM cat GROUP BY name": (1, 8, "'cat.mag' must be in GROUP BY"),
    "SELECT * FROM cat GROUP BY name": (1, 8, "must be in GROUP BY"),
    "SELECT ra FROM cat WHERE COUNT(*) > 1": (1, 26, "COUNT has no meaning in WHERE"),
    "SELECT MAX(MIN(ra)) FROM cat": (1, 12, "an aggregate inside MAX has no meaning"),
    "SELECT ra FROM cat GROUP BY 1": (1, 29, "GROUP BY takes columns"),
    "SELECT ra FROM cat ORDER BY 2": (1, 29, "a result column from 1 to 1"),
    "SELECT ra FROM cat ORDER BY 'ra'": (1, 29, "a result column from 1 to 1"),
    "SELECT DISTINCT ra FROM cat ORDER BY mag": (1, 38, "unknown column 'mag'"),
    "SELECT ra FROM cat UNION SELECT ra, dec FROM cat": (1, 26, "queries of as many columns, found 1 and 2"),
    "SELECT ra FROM cat UNION SELECT name FROM cat": (1, 26, "cannot mix"),
    "SELECT ra FROM cat WHERE ra IN (SELECT ra, dec FROM cat)": (1, 33, "has one column, found 2"),
    "SELECT ra FROM cat JOIN a.twice": (1, 32, "expected ON or USING after the joined table"),
    "SELECT ra FROM cat JOIN a.twice USING (x)": (1, 40, "unknown column 'x'"),
    "SELECT COALESCE(ra, 'x') FROM cat": (1, 21, "COALESCE cannot mix the number 'ra' and a text"),
    "SELECT IN_UNIT(name, 'deg') FROM cat": (1, 16, "IN_UNIT takes a number"),
    "SELECT IN_UNIT(ra, 'kg') FROM cat": (1, 8, "'deg' cannot be converted to 'kg'"),
    "SELECT IN_UNIT(ra, 'foos') FROM cat": (1, 8, "expected a unit as VOUnits writes it, found 'foos'"),
    "SELECT IN_UNIT(id*2, 'deg') FROM cat": (1, 8, "IN_UNIT needs a value with a unit"),
    "SELECT CAST(ra AS FLOAT) FROM cat": (1, 19, "expected one of the types SMALLINT"),
    "SELECT TOP 2.5 ra FROM cat": (1, 12, "a whole number after TOP, found '2.5'"),
    "SELECT 89x FROM cat": (1, 8, "expected a number or a name, found '89x'"),
    "SELECT REGION('Union (Circle 1 2 3)') FROM cat": (1, 15, "a UNION of regions is not one geometry"),
    "": (1, 1, "expected SELECT at the beginning of a query, found the end of the query"),
}


@pytest.mark.parametrize(
    ("name", "count", "bound"),
    [
        ("POLYGON", 20_000, "POLYGON takes 400 vertices at the most, found 20000 arguments"),
        ("POLYGON", 802, "POLYGON takes 400 vertices at the most, found 401"),
        ("COALESCE", 10_001, "COALESCE takes 1 to 10000 arguments, found 10001"),
        ("COALESCE", 0, "COALESCE takes 1 or more arguments, found 0"),
    ],
)
def test_too_many_arguments_are_told_how_many_there_may_be(name: str, count: int, bound: str) -> None:
    with pytest.raises(AdqlError) as error:
        translated(f"SELECT {name}({', '.join(['1'] * count)}) FROM cat")
    assert bound in str(error.value)


@pytest.mark.parametrize("query", PLACES)
def test_an_error_names_its_place_and_what_was_expected(query: str) -> None:
    line, column, message = PLACES[query]
    with pytest.raises(AdqlError) as error:
        translated(query)
    assert (error.value.line, error.value.column) == (line, column), str(error.value)
    assert str(error.value).startswith(f"line {line}, column {column}: ")
    assert message in str(error.value)


HOSTILE = """
SELECT 1
SELECT pg_sleep(10) FROM cat
SELECT ra FROM cat WHERE id = 1; SELECT 2 FROM cat
SELECT ra FROM cat FETCH FIRST 5 ROWS ONLY
SELECT TOP (10) ra FROM cat
SELECT ra FROM cat ORDER BY ra NULLS FIRST
SELECT DISTINCT ON (ra) ra FROM cat
SELECT * EXCEPT (ra) FROM cat
SELECT * REPLACE (1 AS ra) FROM cat
SELECT ra FROM cat WHERE ra == 1
SELECT ra FROM cat WHERE ra BETWEEN SYMMETRIC 2 AND 1
WITH RECURSIVE w AS (SELECT ra FROM cat) SELECT ra FROM w
WITH w AS MATERIALIZED (SELECT ra FROM cat) SELECT ra FROM w
SELECT ra FROM cat ASOF JOIN cat b ON 1=1
SELECT ra FROM '/etc/passwd'
SELECT ra FROM read_csv('/etc/passwd')
SELECT ra FROM information_schema.tables
SELECT ra FROM sqlite_master
SELECT ra FROM pg_catalog.pg_user
SELECT ra FROM stored
SELECT hpx29 FROM cat
SELECT c1 FROM (SELECT ra FROM cat) q
SELECT t1.ra FROM cat
FROM cat
SELECT ra FROM cat UNION BY NAME SELECT ra FROM cat
SELECT ra FROM cat WHERE (ra, dec) = (1, 2)
SELECT ra FROM cat WHERE ra ISNULL
SELECT ra FROM cat WHERE ra NOTNULL
SELECT ra, FROM cat
SELECT ra FROM cat,
SELECT ra FROM cat WHERE
SELECT ra FROM cat WHERE ra = = 1
SELECT ra FROM cat WHERE ra = 1 = 1
SELECT ra FROM cat WHERE ra < 1 < 2
SELECT ra FROM cat WHERE NOT ra
SELECT ra FROM cat WHERE ra AND dec
SELECT ra FROM cat WHERE TRUE
SELECT CASE WHEN ra > 1 THEN 1 END FROM cat
SELECT ra FROM cat WHERE ra IN ()
SELECT ra FROM cat WHERE ra IN 1
SELECT ra FROM cat WHERE EXISTS cat
SELECT ra FROM cat WHERE name LIKE 'x' ESCAPE '!'
SELECT ra FROM cat WHERE name SIMILAR TO 'x'
SELECT ra FROM cat WHERE name ~ 'x'
SELECT ra FROM cat WHERE name COLLATE NOCASE = 'x'
SELECT ra FROM cat CROSS JOIN a.twice
SELECT ra FROM cat NATURAL CROSS JOIN a.twice
SELECT ra FROM cat TABLESAMPLE (10)
SELECT ra FROM cat FOR UPDATE
SELECT ra INTO x FROM cat
INSERT INTO cat VALUES (1)
UPDATE cat SET ra = 1
DELETE FROM cat
DROP TABLE cat
PRAGMA table_info(cat)
ATTACH DATABASE 'x' AS y
EXPLAIN SELECT ra FROM cat
VALUES (1)
SELECT ra FROM cat WHERE ra = ?
SELECT ra FROM cat WHERE ra = :ra
SELECT ra FROM cat WHERE ra = %(ra)s
SELECT ra FROM cat WHERE ra = $1
SELECT ra FROM cat WHERE ra = @x
SELECT $$x$$ FROM cat
SELECT E'x' FROM cat
SELECT X'00' FROM cat
SELECT 0x1F FROM cat
SELECT 1e999 FROM cat
SELECT ra & 1 FROM cat
SELECT ra % 2 FROM cat
SELECT ra ^ 2 FROM cat
SELECT `ra` FROM cat
SELECT [ra] FROM cat
SELECT "" FROM cat
SELECT ra AS FROM cat
SELECT ra "a" "b" FROM cat
SELECT COUNT() FROM cat
SELECT COUNT(*, 1) FROM cat
SELECT SUM(*) FROM cat
SELECT SUM(DISTINCT *) FROM cat
SELECT COUNT(*) OVER () FROM cat
SELECT ra FROM (SELECT ra FROM cat)
SELECT ra FROM (VALUES (1)) AS v
SELECT ra FROM LATERAL (SELECT ra FROM cat) q
SELECT q.ra FROM cat, (SELECT cat.ra FROM a.twice) q
SELECT ra FROM cat OFFSET 1 ORDER BY ra
SELECT ra FROM cat ORDER BY ra TOP 5
SELECT TOP 5 DISTINCT ra FROM cat
SELECT ra FROM cat OFFSET 99999999999999999999
SELECT (SELECT ra, dec FROM cat) FROM cat
SELECT ra FROM cat WHERE ra = (SELECT name FROM cat)
SELECT lower(name FROM cat
SELECT "ra"";DROP TABLE x;--" FROM cat
SELECT ra FROM cat "t1" WHERE t2.ra = 1
""".strip().split("\n")


@pytest.mark.parametrize("query", HOSTILE)
def test_what_is_not_adql_is_refused(query: str) -> None:
    with pytest.raises(AdqlError):
        translated(query)


@pytest.mark.parametrize("text", ["x'; DROP TABLE stored; --", "%(x)s ? :name $1", '"quoted"', "\\", "\\'"])
def test_a_text_stands_in_the_sql_as_a_literal_and_a_name_of_a_column_not_at_all(text: str) -> None:
    quoted, label = text.replace("'", "''"), text.replace('"', '""')
    query = f'SELECT \'{quoted}\' AS "{label}", q."{label}" FROM (SELECT ra AS "{label}" FROM cat) AS q'
    found = translated(query)
    assert found.text.count(f"'{quoted}'") == 1
    assert text not in found.text.replace(f"'{quoted}'", "")
    assert found.columns[0].name == text


def test_each_feature_is_named_once_and_its_function_exists() -> None:
    forms = [(f.type, f.form) for f in features()]
    assert len(forms) == len(set(forms))
    geometries = {f.form for f in features() if f.type.endswith("adqlgeo")}
    assert geometries <= set(ARITIES)
    assert "REGION" in geometries


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the validation queries are not beside the project")
def test_all_validation_queries_are_judged_rightly() -> None:
    declared = {**OFFERED.arities, "ESO_INTERSECTION": (2, 2), "ESO_DATEADD_SEC": (2, 2)}
    judged = []
    for path in sorted(CORPUS.glob("*.xml")):
        for query in ElementTree.parse(path).iter("adql"):
            try:
                parse(query.text or "", functions=declared)
                accepted = True
            except AdqlError:
                accepted = False
            judged.append((accepted, query.get("valid") == "true"))
    assert sum(accepted == valid for accepted, valid in judged) == 196
    assert len(judged) == 196
