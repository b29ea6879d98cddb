"""Do the user defined functions of groups, and that of chance, give what numpy and Python give of the same rows?"""

import math

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.columns import Column, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.errors import UsageError
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.translate import translate

METADATA = sa.MetaData()
MANY = sa.Table(
    "many_stored",
    METADATA,
    sa.Column("id", sa.Integer),
    sa.Column("half", sa.Integer),
    sa.Column("x", sa.Double(53)),
    sa.Column("name", sa.Text),
)
NONE = sa.Table("none_stored", METADATA, sa.Column("x", sa.Double(53)), sa.Column("name", sa.Text))
NAMED = (Column("x", "DOUBLE"), Column("name", "VARCHAR"))
CATALOGUE = Catalogue(
    [
        Table("t", "many", (Column("id", "INTEGER"), Column("half", "INTEGER"), *NAMED), lambda caller: MANY),
        Table("t", "none", NAMED, lambda caller: NONE),
    ]
)
ROWS = 400
X = np.random.default_rng(42).normal(0.0, 1.0, ROWS)


@pytest.fixture(scope="module")
def database(functions_database: Database) -> Database:
    METADATA.create_all(functions_database.engine)
    rows = [
        {
            "id": i,
            "half": i % 2,
            "x": None if i % 10 == 0 else float(X[i]),
            "name": None if i % 5 == 0 else f"n{i}é",
        }
        for i in range(ROWS)
    ]
    with functions_database.write() as connection:
        connection.execute(MANY.insert(), rows)
    return functions_database


def answer(database: Database, query: str) -> list[tuple[object, ...]]:
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    rows = database.rows(translated.text, translated.columns)
    return [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()]


def test_aggregates_have_no_meaning_where_rows_are_chosen(database: Database) -> None:
    for clause in ("WHERE ivo_string_agg(name, ',') = 'a'", "GROUP BY ivo_histogram(x, 0, 1, 3)"):
        with pytest.raises(AdqlError, match="has no meaning in"):
            answer(database, f"SELECT COUNT(*) AS v FROM t.many {clause}")
    with pytest.raises(AdqlError, match=r"many\.id"):
        answer(database, "SELECT id, ivo_string_agg(name, ',') AS v FROM t.many")


def test_texts_of_groups_are_joined_without_those_that_are_null(database: Database) -> None:
    query = "SELECT half, ivo_string_agg(name, ' <//> ') AS v FROM t.many GROUP BY half ORDER BY half"
    for half, joined in answer(database, query):
        expected = [f"n{i}é" for i in range(ROWS) if i % 5 and i % 2 == half]
        assert sorted(str(joined).split(" <//> ")) == sorted(expected)
    assert answer(database, "SELECT ivo_string_agg(name, ',') AS v FROM t.none") == [(None,)]
    one = "SELECT ivo_string_agg(name, ',') AS v FROM t.many WHERE id = 1 HAVING ivo_string_agg(name, ',') <> 'x'"
    assert answer(database, one) == [("n1é",)]


def test_texts_of_a_group_are_bounded(database: Database) -> None:
    """A delimiter of 2000 bytes after each of 320 texts, and of four times as many."""
    long = "é" * 1000
    joined = f"ivo_string_agg(a.name, '{long}')"
    (found,) = answer(database, f"SELECT {joined} AS v FROM t.many AS a")
    assert len(str(found[0])) > 300_000
    with pytest.raises(UsageError, match=r"too big|1000000 bytes"):
        answer(database, f"SELECT {joined} AS v FROM t.many AS a, t.many AS b WHERE b.id < 4")


def test_a_histogram_counts_as_numpy_does(database: Database) -> None:
    known = X[np.arange(ROWS) % 10 > 0]
    for lower, upper, bins in ((-1.0, 1.0, 8), (-0.5, 2.25, 300), (0.0, 1e-3, 1)):
        counts, _ = np.histogram(known, bins, (lower, upper))
        below = np.count_nonzero(known < lower) + ROWS - len(known)
        expected = [below, *counts.tolist(), np.count_nonzero(known > upper)]
        assert answer(database, f"SELECT ivo_histogram(x, {lower}, {upper}, {bins}) AS v FROM t.many") == [
            (expected,)
        ]
    assert answer(database, "SELECT ivo_histogram(x, 0, 1, 3) AS v FROM t.none") == [([0, 0, 0, 0, 0],)]
    assert answer(database, "SELECT ivo_histogram(id, 0, 399, 3) AS v FROM t.many") == [
        ([0, 133, 133, 134, 0],)
    ]


def test_counts_of_a_bin_go_beyond_two_bytes(database: Database) -> None:
    query = "SELECT ivo_histogram(a.id, -1, 1000, 1) AS v FROM t.many AS a, t.many AS b"
    assert answer(database, query) == [([0, ROWS * ROWS, 0],)]


def test_random_numbers_differ_from_row_to_row_and_are_normal(database: Database) -> None:
    """The bounds are missed once in ten million runs."""
    drawn = "ivo_normal_random(10, 5) AS v, ivo_normal_random(a.id, 0) AS w"
    found = np.array(answer(database, f"SELECT {drawn} FROM t.many AS a, t.many AS b WHERE b.id < 20"))
    numbers = found[:, 0]
    assert len(np.unique(numbers)) == len(numbers) == 8000
    assert abs(numbers.mean() - 10) < 5.4 * 5 / math.sqrt(8000)
    assert abs(numbers.std() - 5) < 5.4 * 5 / math.sqrt(16000)
    assert 0.65 < np.mean(np.abs(numbers - 10) < 5) < 0.72
    assert set(found[:, 1]) == set(range(ROWS))
