"""Is every text, however long, deep or strange, answered or refused within bounds, and never in the words of SQL?

Queries that have a meaning by the rules of ADQL are made up at random and run: what a database cannot do with them
must have been refused before, or be said without its words.
"""

import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodel.archive import Archive
from datamodel.columns import Column, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.errors import OutOfRangeError, UsageError
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.speech import SPEECHES
from vo_server.formats.negotiate import choose
from vo_server.tap import query as tap_query
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate
from vo_server.tap.parameters import TapQuery

_METADATA = sa.MetaData()
_ONE = sa.Table(
    "one_stored",
    _METADATA,
    *(
        sa.Column("i", sa.BigInteger),
        sa.Column("x", sa.Double(53)),
        sa.Column("t", sa.Text),
        sa.Column("k", sa.Integer),
    ),
)
_TWO = sa.Table(
    "two_stored", _METADATA, sa.Column("k", sa.Integer), sa.Column("u", sa.Text), sa.Column("y", sa.REAL)
)
CATALOGUE = Catalogue(
    [
        Table(
            "s",
            "one",
            (
                Column("i", "BIGINT"),
                Column("x", "DOUBLE", "deg"),
                Column("t", "VARCHAR"),
                Column("k", "INTEGER"),
            ),
            lambda _: _ONE,
        ),
        Table(
            "s", "two", (Column("k", "INTEGER"), Column("u", "VARCHAR"), Column("y", "REAL")), lambda _: _TWO
        ),
    ]
)

_MILLION = 1_000_000


def _growing(column: str, operator: str, levels: int = 3) -> str:
    """Each query has sixty times the expression of the one before; without FROM where there are fewer levels."""
    many = f"q0 AS (SELECT {column} AS n FROM one)"
    for level in range(1, levels + 1):
        many += f", q{level} AS (SELECT {operator.join(['n'] * 60)} AS n FROM q{level - 1})"
    return f"WITH {many} SELECT n" + (f" FROM q{levels}" if levels > 2 else "")


LONG = {
    "blanks": " " * _MILLION,
    "parentheses": "SELECT " + "(" * (_MILLION - 7),
    "quotes": "'" * _MILLION,
    "double quotes": '"' * _MILLION,
    "comment": "--" + "x" * (_MILLION - 2),
    "digits": f"SELECT {'1' * (_MILLION - 20)} FROM one",
    "a name": f"SELECT {'a' * (_MILLION - 20)} FROM one",
    "a function": f"SELECT {'a' * (_MILLION - 20)}() FROM one",
    "a table": f"SELECT * FROM {'a' * (_MILLION - 20)}",
    "a schema": f"SELECT {'a' * (_MILLION // 2)}.x FROM one",
    "a unit": f"SELECT IN_UNIT(x, '{'m.' * 400_000}m') FROM one",
    "columns": f"SELECT {', '.join(['i'] * 2_000)} FROM one",
    "stars": f"SELECT {', '.join(['*'] * 2_000)} FROM one",
    "order": f"SELECT i FROM one ORDER BY {', '.join(['i'] * 2_000)}",
    "groups": f"SELECT i FROM one GROUP BY {', '.join(['i'] * 2_000)}",
    "joins": "SELECT i FROM one" + " NATURAL JOIN two" * 1_000,
    "commas": "SELECT i FROM one" + ", two" * 1_000,
    "unions": "SELECT i FROM one" + " UNION SELECT i FROM one" * 1_000,
    "functions in functions": f"SELECT {'SQRT(' * 1_000}x{')' * 1_000} FROM one",
    "queries in queries": f"SELECT i FROM {'(SELECT i FROM ' * 1_000}one{') q' * 1_000}",
    "doubling": "WITH a0 AS (SELECT * FROM one)"
    + "".join(f", a{n} AS (SELECT p.*, q.* FROM a{n - 1} p, a{n - 1} q)" for n in range(1, 30))
    + " SELECT * FROM a29",
    "coalesce": f"SELECT COALESCE({', '.join(['x'] * 25_000)}) FROM one",
    "texts that grow": _growing("t", "||"),
    "sums that grow": _growing("x", "+"),
    "sums that grow in queries": f"SELECT {'+'.join(['n'] * 60)} FROM (SELECT {'+'.join(['n'] * 60)} AS n FROM "
    f"(SELECT {'+'.join(['x'] * 60)} AS n FROM one) AS a) AS b",
    "sums in many columns": _growing("x", "+", 2) + ", n" * 200 + " FROM q2",
    "vertices": f"SELECT i FROM one WHERE 1 = CONTAINS(POINT(x, x), POLYGON({', '.join(['1, 2'] * 5_000)}))",
}


@pytest.mark.parametrize("what", LONG)
def test_what_is_too_long_or_too_deep_is_refused_in_a_short_message(what: str) -> None:
    with pytest.raises(AdqlError) as error:
        translate(LONG[what], CATALOGUE, ANONYMOUS, SPEECHES["sqlite"])
    assert len(str(error.value)) < 1_100


def test_brackets_in_texts_and_names_do_not_count() -> None:
    deep = f"SELECT {'(' * 8}x{')' * 8} AS \"{')(' * 40}\" FROM one WHERE t = '{')' * 9}' OR t = '{'(' * 90}'"
    assert translate(deep, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]).columns[0].name


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_database())
    _METADATA.create_all(made.engine)
    with made.write() as connection:
        install(connection, FUNCTIONS)
        rows = [(1, 1.5, "a", 1), (2**62, -1e300, "É%_", 2), (-(2**63), None, "", None), (3, 1e-300, None, 1)]
        connection.execute(_ONE.insert(), [dict(zip("ixtk", row, strict=True)) for row in rows])
        connection.execute(
            _TWO.insert(), [dict(zip("kuy", row, strict=True)) for row in [(1, "a", 2.5), (9, None, None)]]
        )
    yield made
    made.close()


def run(database: Database, query: str) -> int:
    """The number of rows; as TAP does, a query whose numbers overflow is written again."""
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    try:
        return sum(b.num_rows for b in database.rows(translated.text, translated.columns, seconds=20).batches)
    except OutOfRangeError:
        assert database.speech.careful is not None
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech.careful)
    return sum(b.num_rows for b in database.rows(translated.text, translated.columns, seconds=20).batches)


def _said(database: Database, query: str) -> str:
    """The message of the refusal, or nothing."""
    try:
        run(database, query)
    except UsageError as error:
        return str(error)
    return ""


_NUMBERS = st.sampled_from(["i", "k", "x", "1", "2.5", "0", "-3", "9223372036854775807", "1e308", "NULL"])
_TEXTS = st.sampled_from(["t", "'a'", "''", "'É%'", "'it''s'", "LOWER(t)", "CAST(i AS VARCHAR)", "t || 'x'"])


_FUNCTIONS = (
    "ABS CEILING FLOOR ROUND TRUNCATE SQRT EXP LOG LOG10 SIN COS TAN COT ASIN ACOS ATAN DEGREES RADIANS"
)


def _grown_numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    functions = st.sampled_from(_FUNCTIONS.split())
    kinds = st.sampled_from(["SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("{}({})".format, functions, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["POWER", "MOD", "ATAN2", "COALESCE"]), inner, inner),
        st.builds(
            "CAST({} AS {})".format, st.one_of(inner, _TEXTS.map(lambda t: t if "'" not in t else "t")), kinds
        ),
        st.builds("- {}".format, inner),
        st.builds(
            "(SELECT {}({}) FROM one)".format, st.sampled_from(["MIN", "MAX", "SUM", "AVG"]), st.just("i + 1")
        ),
        st.builds(
            "(SELECT MAX(y) FROM two WHERE two.k = one.k AND y < {})".format, st.sampled_from(["x", "5"])
        ),
    )


_VALUES = st.recursive(_NUMBERS, _grown_numbers, max_leaves=6)
_CONDITIONS = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, _VALUES, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), _VALUES),
        st.builds(
            "{} {} {}".format, _TEXTS, st.sampled_from(["=", "<", "LIKE", "ILIKE", "NOT LIKE"]), _TEXTS
        ),
        st.builds("{} BETWEEN {} AND {}".format, _VALUES, _VALUES, _VALUES),
        st.builds("{} IN ({}, {}, 5)".format, _VALUES, _VALUES, _VALUES),
        st.builds("{} NOT IN (SELECT k FROM two)".format, _VALUES),
        st.builds("{} IS NOT NULL".format, _VALUES),
        st.just("EXISTS (SELECT u FROM two WHERE two.k = one.k)"),
    ),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        inner.map("NOT ({})".format),
    ),
    max_leaves=4,
)
_SOURCES = st.one_of(
    st.just("one"),
    st.builds(
        "one {} JOIN two ON {}".format,
        st.sampled_from(["", "LEFT", "RIGHT", "FULL"]),
        st.sampled_from(["one.k = two.k", "x < y", "t = u AND i > y", "1 = 1"]),
    ),
    st.builds(
        "{} AS one".format,
        st.sampled_from(["(SELECT * FROM one WHERE k = 1)", "(SELECT DISTINCT * FROM one)"]),
    ),
)
_QUERIES = st.builds(
    "SELECT {}{} AS a, {} AS b FROM {} WHERE {}{}".format,
    st.sampled_from(["", "DISTINCT ", "TOP 2 "]),
    _VALUES,
    _TEXTS,
    _SOURCES,
    _CONDITIONS,
    st.sampled_from(["", " ORDER BY a, b DESC", " ORDER BY 2 OFFSET 1", " UNION SELECT y, u FROM two"]),
)
_OF_SQL = re.compile(
    r"SELECT|CAST\(|NULLIF|vo_|psycopg|sqlite|Traceback|\bt[0-9]+\.|\bc[0-9]+\b", re.IGNORECASE
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=_QUERIES)
def test_random_queries_with_a_meaning_run_or_are_refused_in_words_of_adql(
    database: Database, query: str
) -> None:
    for text in (query, query.replace("one.k", "k")):
        assert not _OF_SQL.search(_said(database, text)), text


_SOUP = """SELECT FROM one two i x t k y u * ( ) , . = < + - / || 'x' '2003-01-01' 1 2.5 AND OR NOT IN BETWEEN LIKE IS
NULL GROUP BY HAVING ORDER DESC OFFSET TOP 3 DISTINCT JOIN LEFT FULL NATURAL USING ON AS q UNION EXCEPT ALL INTERSECT
WITH COUNT(*) MIN( SQRT( POINT( CIRCLE( CONTAINS( DISTANCE( CAST( INTEGER TIMESTAMP COALESCE( EXISTS ILIKE MOD( PI()
POLYGON( IN_UNIT( AVG( "x" ; -- :: /* ‘ [ \x00 é ivo_string_agg( ivo_healpix_index( BOX( REGION( AREA( LIMIT"""


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(_SOUP.split()), max_size=25).map(" ".join))
def test_random_words_run_or_are_refused_in_words_of_adql(database: Database, words: str) -> None:
    for text in (
        words,
        f"SELECT {words} FROM one",
        f"SELECT i FROM one WHERE {words}",
        f"SELECT i FROM one {words}",
    ):
        try:
            run(database, text)
        except UsageError:
            continue


@pytest.mark.parametrize("overflow", ["x * {} * 10", "x * {} - x * {} * 10", "CAST(x * {} AS REAL)"])
def test_a_query_over_tap_whose_numbers_overflow_gives_null(complete_archive: Archive, overflow: str) -> None:
    number = overflow.format("1e308", "1e308")
    text = f"SELECT {number} AS y FROM (SELECT COUNT(*) + 5.0 AS x FROM ivoa.obscore) AS q"
    query = TapQuery(text, 10, choose(None))
    rows = [
        row
        for batch in tap_query.run(complete_archive, ANONYMOUS, query).batches
        for row in batch.to_pylist()
    ]
    assert rows == [{"y": None}]
