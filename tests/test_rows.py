"""Do both databases give the same batches for the same values, whatever the values are?"""

import math
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.database import Database
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError

COLUMNS = tuple(Column(name.lower(), name) for name in DATATYPES)
KEPT = sa.Table(
    "kept",
    sa.MetaData(),
    sa.Column("place", sa.BigInteger, primary_key=True),
    *(sa.Column(c.name, c.datatype.sql()) for c in COLUMNS),
)
SELECT = sa.select(*(KEPT.c[c.name] for c in COLUMNS)).order_by(KEPT.c.place)
NULLS = tuple(None for _ in COLUMNS)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.create([KEPT])
    yield opened
    opened.close()


@pytest.fixture
def kept(database: Database) -> Callable[[list[dict[str, Any]]], Database]:
    """Puts these rows, and no others, into the table."""

    def keep(rows: list[dict[str, Any]]) -> Database:
        with database.write() as connection:
            connection.execute(KEPT.delete())
            if rows:
                numbered = [dict.fromkeys(c.name for c in COLUMNS) | r for r in rows]
                connection.execute(KEPT.insert(), [{"place": i} | r for i, r in enumerate(numbered)])
        return database

    return keep


def got(database: Database, select: Any, columns: tuple[Column, ...], **bounds: Any) -> list[tuple[Any, ...]]:
    """All rows of an answer, after its batches were found to be of the declared types."""
    found = []
    for batch in database.rows(select, columns, **bounds).batches:
        batch.validate(full=True)
        assert batch.schema.types == [c.datatype.arrow for c in columns]
        assert batch.num_rows > 0
        found += [tuple(row.values()) for row in batch.to_pylist()]
    return found


def computed(database: Database, sql: str, type: str) -> Any:
    """The only value of an expression that is declared to be of a type."""
    ((value,),) = got(database, sa.select(sa.literal_column(sql).label("x")), (Column("x", type),))
    return value


ROW = {
    "boolean": True,
    "smallint": -(2**15),
    "integer": 2**31 - 1,
    "bigint": -(2**63),
    "real": 0.1,
    "double": 0.1,
    "char": "a",
    "varchar": "h & \N{GREEK SMALL LETTER CHI} Persei \N{TELESCOPE}",
    "clob": "",
    "region": "CIRCLE ICRS 1 2 3",
    "timestamp": datetime(2003, 2, 14, 1, 2, 3, 999999),
    "point": "1.5 -2.25",
    "circle": "1.5 -2.25 0.1",
    "polygon": "1 2 3 4 5 6.000000000000001",
    "bit": 1,
    "unsignedbyte": 255,
    "unicode": "\N{GREEK SMALL LETTER SIGMA} Ori",
    "boolean[]": "1 0 null",
    "bit[]": "1 0",
    "unsignedbyte[]": "0 255",
    "smallint[]": "-32768 null 32767",
    "integer[]": "-2147483648",
    "bigint[]": "-9223372036854775808 9223372036854775807",
    "real[]": "0.5 -inf 3.4028235e+38",
    "double[]": "",
    "complex": "1 -1.5",
    "doublecomplex": "0.1 0",
    "complex[]": "1 2 3 4",
    "doublecomplex[]": "5e-324 1.7976931348623157e+308",
    "char[]": '["a b", ""]',
    "unicode[]": '["\\u00e9", "\N{TELESCOPE}"]',
}
EXPECTED = ROW | {
    "real": struct.unpack("f", struct.pack("f", 0.1))[0],
    "timestamp": "2003-02-14T01:02:03.999",
    "point": [1.5, -2.25],
    "circle": [1.5, -2.25, 0.1],
    "polygon": [1.0, 2.0, 3.0, 4.0, 5.0, 6.000000000000001],
    "boolean[]": [True, False, None],
    "bit[]": [True, False],
    "unsignedbyte[]": [0, 255],
    "smallint[]": [-(2**15), None, 2**15 - 1],
    "integer[]": [-(2**31)],
    "bigint[]": [-(2**63), 2**63 - 1],
    "real[]": [0.5, -math.inf, float(np.finfo("f4").max)],
    "double[]": [],
    "complex": [1.0, -1.5],
    "doublecomplex": [0.1, 0.0],
    "complex[]": [1.0, 2.0, 3.0, 4.0],
    "doublecomplex[]": [5e-324, 1.7976931348623157e308],
    "char[]": ["a b", ""],
    "unicode[]": ["\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{TELESCOPE}"],
}


def test_every_datatype_comes_out_as_it_is_declared(kept: Callable[..., Database]) -> None:
    found = got(kept([ROW, {}, ROW]), SELECT, COLUMNS)
    expected = tuple(EXPECTED[c.name] for c in COLUMNS)
    assert found == [expected, NULLS, expected]


def test_an_answer_without_rows_has_no_batches(kept: Callable[..., Database]) -> None:
    database = kept([])
    assert got(database, SELECT, COLUMNS) == []
    assert database.rows(SELECT, COLUMNS, limit=3).overflow is False


def test_columns_of_nothing_but_null_keep_their_types(kept: Callable[..., Database]) -> None:
    assert got(kept([{}, {}]), SELECT, COLUMNS) == [NULLS, NULLS]


def test_integers_reach_to_both_ends(kept: Callable[..., Database]) -> None:
    types = {"smallint": 15, "integer": 31, "bigint": 63}
    database = kept([{n: 2**b - 1 for n, b in types.items()}, {n: -(2**b) for n, b in types.items()}])
    select = sa.select(*(KEPT.c[n] for n in types)).order_by(KEPT.c.place)
    columns = tuple(Column(n, n.upper()) for n in types)
    assert got(database, select, columns) == [
        tuple(2**b - 1 for b in types.values()),
        tuple(-(2**b) for b in types.values()),
    ]


def test_infinities_stay_and_nan_is_no_number(kept: Callable[..., Database]) -> None:
    rows = [{"double": v, "real": v} for v in (math.inf, -math.inf, math.nan)]
    columns = (Column("double", "DOUBLE"), Column("real", "REAL"))
    found = got(kept(rows), sa.select(KEPT.c.double, KEPT.c.real).order_by(KEPT.c.place), columns)
    assert found[:2] == [(math.inf, math.inf), (-math.inf, -math.inf)]
    assert all(v is None or math.isnan(v) for v in found[2])  # SQLite has no NaN but NULL


def test_times_are_cut_and_not_rounded(kept: Callable[..., Database]) -> None:
    times = {
        "0001-01-01T00:00:00.0005": "0001-01-01T00:00:00.000",
        "1582-10-15T00:00:00": "1582-10-15T00:00:00.000",
        "1999-12-31T23:59:59.999999": "1999-12-31T23:59:59.999",
        "9999-12-31T23:59:59.9999": "9999-12-31T23:59:59.999",
    }
    database = kept([{"timestamp": t} for t in times])
    select = sa.select(KEPT.c.timestamp).order_by(KEPT.c.place)
    assert got(database, select, (Column("timestamp", "TIMESTAMP"),)) == [(t,) for t in times.values()]


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 2048 + 64, 16_384, 16_385, 40_000])
def test_rows_are_neither_lost_nor_doubled_where_batches_meet(database: Database, rows: int) -> None:
    numbers = _numbers(rows)
    found = database.rows(sa.select(numbers.c.n).order_by(numbers.c.n), (Column("n", "BIGINT"),))
    batches = [batch.column(0).to_numpy() for batch in found.batches]
    assert np.array_equal(np.concatenate(batches), np.arange(1, rows + 1))
    assert max(map(len, batches)) < 40_000


def test_wide_rows_come_in_small_batches(kept: Callable[..., Database]) -> None:
    database = kept([{"clob": str(i) * 300_000} for i in range(60)])
    answer = database.rows(sa.select(KEPT.c.clob).order_by(KEPT.c.place), (Column("clob", "CLOB"),))
    sizes = [batch.nbytes for batch in answer.batches]
    assert len(sizes) > 2
    assert sum(sizes) > 60 * 300_000


@pytest.mark.parametrize(
    ("sql", "type", "value"),
    [
        ("1 = 1", "BOOLEAN", True),
        ("CAST(7 AS BIGINT)", "INTEGER", 7),
        ("CAST(7 AS BIGINT)", "DOUBLE", 7.0),
        ("CAST(7 AS BIGINT)", "BOOLEAN", True),
        ("SUM(CAST(9007199254740993 AS BIGINT))", "BIGINT", 9007199254740993),
        ("AVG(CAST(3 AS BIGINT))", "DOUBLE", 3.0),
        ("CAST(NULL AS BIGINT)", "VARCHAR", None),
        ("NULL", "DOUBLE", None),
        ("'2003-02-14 01:02:03.4567'", "TIMESTAMP", "2003-02-14T01:02:03.456"),
        ("'2003-02-14T01:02:03'", "TIMESTAMP", "2003-02-14T01:02:03.000"),
        ("' 1  2 '", "POINT", [1.0, 2.0]),
        ("''", "POLYGON", []),
        ("CAST(1e300 AS DOUBLE PRECISION)", "REAL", math.inf),
        ("CAST(1e-300 AS DOUBLE PRECISION)", "REAL", 0.0),
        ("3", "VARCHAR", "3"),
    ],
)
def test_a_computed_value_takes_the_declared_type(
    database: Database, sql: str, type: str, value: Any
) -> None:
    assert computed(database, sql, type) == value


@pytest.mark.parametrize(
    ("sql", "type"),
    [
        ("CAST(3000000000 AS BIGINT)", "INTEGER"),
        ("CAST(-32769 AS BIGINT)", "SMALLINT"),
        ("'abc'", "DOUBLE"),
        ("'abc'", "TIMESTAMP"),
        ("'abc'", "POINT"),
        ("9223372036854775807 + CAST(n AS BIGINT)", "BIGINT"),
        ("SUM(CAST(9223372036854775807 AS BIGINT) - n)", "BIGINT"),
    ],
)
def test_a_value_that_does_not_fit_is_the_callers_error_and_shows_no_sql(
    database: Database, sql: str, type: str
) -> None:
    select = sa.select(sa.literal_column(sql).label("x")).select_from(_numbers(3))
    with pytest.raises(UsageError) as told:
        got(database, select, (Column("x", type),))
    assert "SELECT" not in str(told.value).upper().replace("SELECTED", "")
    assert "CAST" not in str(told.value)


@pytest.mark.parametrize(
    ("sql", "type", "value"),
    [
        ("CAST(ARRAY[1.5, n] AS float8[])", "POINT", [1.5, 30_000.0]),
        ("CAST(n AS numeric) / 4", "VARCHAR", "7500.0000000000000000"),
    ],
)
def test_what_copy_is_not_decoded_for_comes_by_a_cursor(
    database: Database, sql: str, type: str, value: Any
) -> None:
    if database.engine.dialect.name != "postgresql":
        return
    select = sa.select(sa.literal_column(sql).label("x")).select_from(_numbers(30_000))
    found = got(database, select, (Column("x", type),))
    assert len(found) == 30_000
    assert found[-1] == (value,)


@pytest.mark.parametrize("sql", ["1 / (n - n)", "(SELECT n FROM numbers)", "LN(CAST(-n AS numeric))"])
def test_what_postgresql_refuses_to_compute_is_told_in_its_words(database: Database, sql: str) -> None:
    if database.engine.dialect.name != "postgresql":
        return
    with pytest.raises(UsageError, match=r"division by zero|more than one row|negative number"):
        got(
            database,
            sa.select(sa.literal_column(sql).label("x")).select_from(_numbers(2)),
            (Column("x", "DOUBLE"),),
        )


def test_order_and_limits_of_the_statement_stay(kept: Callable[..., Database]) -> None:
    database = kept([{"bigint": v} for v in (3, 1, 2)])
    column = (Column("bigint", "BIGINT"),)
    ordered = sa.select(KEPT.c.bigint).order_by(KEPT.c.bigint.desc())
    both = sa.union_all(sa.select(KEPT.c.bigint), sa.select(KEPT.c.bigint)).order_by("bigint")
    cases = [
        (ordered, 2, [3, 2], True),
        (ordered, 3, [3, 2, 1], False),
        (ordered.limit(2), 2, [3, 2], False),
        (ordered.limit(3), 2, [3, 2], True),
        (ordered.limit(1), 2, [3], False),
        (ordered.limit(2).offset(1), 1, [2], True),
        (ordered.fetch(3), 2, [3, 2], True),
        (ordered.limit(sa.literal(2) + 1), 2, [3, 2], True),
        (both, 3, [1, 1, 2], True),
        (both.limit(2), 3, [1, 1], False),
        (ordered, 0, [], True),
    ]
    for select, limit, values, overflow in cases:
        if "FETCH" in str(select) and database.engine.dialect.name == "sqlite":
            continue
        answer = database.rows(select, column, limit=limit)
        assert [v for b in answer.batches for v in b.column(0).to_pylist()] == values, str(select)
        assert answer.overflow is overflow, str(select)


def test_values_of_a_statement_are_never_taken_for_sql(kept: Callable[..., Database]) -> None:
    hostile = "%s %(x)s 100% '; DROP TABLE kept; -- \\ \" \N{TELESCOPE}"
    database = kept([{"varchar": hostile}])
    select = sa.select(KEPT.c.varchar, sa.literal(hostile)).where(KEPT.c.varchar == hostile)
    columns = (Column("varchar", "VARCHAR"), Column("same", "VARCHAR"))
    assert got(database, select.where(KEPT.c.varchar.in_([hostile, "x"])), columns) == [(hostile, hostile)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
DOUBLES = st.floats(allow_nan=False)
VALUES = {
    "boolean": st.booleans(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_subnormal=False, width=32),
    "double": DOUBLES,
    "varchar": TEXTS,
    "clob": TEXTS,
    "timestamp": st.datetimes(),
    "point": st.lists(DOUBLES, min_size=2, max_size=2),
    "polygon": st.lists(DOUBLES, min_size=6, max_size=8),
}
ROWS = st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in VALUES.items()}), max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_is_put_in_comes_out(kept: Callable[..., Database], rows: list[dict[str, Any]]) -> None:
    columns = tuple(c for c in COLUMNS if c.name in VALUES)
    database = kept([{n: _written(v) for n, v in r.items()} for r in rows])
    select = sa.select(*(KEPT.c[c.name] for c in columns)).order_by(KEPT.c.place)
    expected = [tuple(_read(r[c.name]) for c in columns) for r in rows]
    assert got(database, select, columns) == expected


def _written(value: Any) -> Any:
    return " ".join(map(repr, value)) if isinstance(value, list) else value


def _read(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _numbers(count: int) -> Any:
    """The rows 1 to count."""
    first = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    return first.union_all(sa.select(first.c.n + 1).where(first.c.n < count))
