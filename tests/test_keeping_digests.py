"""Is the digest of a table the same for the same rows, and another for any others?"""

from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datamodel.keeping.digests import content_of
from datamodel.keeping.tables import KeptColumn, KeptTable

COLUMNS = (("flag", "boolean"), ("n", "bigint"), ("x", "double"), ("r", "real"), ("at", "timestamp"))
TEXTS = (("word", "varchar"), ("text", "text"), ("blob", "bytes"))
PLAIN = tuple(KeptColumn(name, type_, None, True) for name, type_ in (*COLUMNS, *TEXTS))
TABLE = KeptTable("t", PLAIN, (), None, None, None, (), (), ())

texts = st.none() | st.text(alphabet="~,:1a☉", max_size=3)
rows = st.tuples(
    st.none() | st.booleans(),
    st.none() | st.integers(-2, 2),
    st.none() | st.sampled_from([0.0, -0.0, 0.1, float("inf")]),
    st.none() | st.sampled_from([0.5, -1.5]),
    st.none() | st.sampled_from([datetime(1, 1, 1), datetime(2026, 1, 1, 0, 0, 0, 1)]),
    texts,
    texts,
    st.none() | st.binary(max_size=2),
)
tables = st.lists(rows, max_size=4)


def digest(found: list[Any], table: KeptTable = TABLE) -> str:
    columns = zip(*found, strict=True) if found else [()] * len(table.columns)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, table.schema, strict=True)]
    return content_of(table, [pa.RecordBatch.from_arrays(arrays, schema=table.schema)]).digest


@given(tables, tables)
def test_digests_are_equal_just_where_the_rows_are(one: list[Any], other: list[Any]) -> None:
    """-0 is 0, as SQLite knows only one of them."""
    assert (digest(one) == digest(other)) == (Counter(one) == Counter(other))


@given(tables.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_rows_does_not_matter(both: tuple[list[Any], list[Any]]) -> None:
    assert digest(both[0]) == digest(both[1])


def test_the_names_of_columns_matter_and_their_order_does_not() -> None:
    a, b = (
        KeptTable("t", columns, (), None, None, None, (), (), ()) for columns in (PLAIN[:2], PLAIN[1::-1])
    )
    named = KeptTable(
        "t", (PLAIN[0], KeptColumn("m", "bigint", None, True)), (), None, None, None, (), (), ()
    )
    assert digest([(True, 1)], a) == digest([(1, True)], b) != digest([(True, 1)], named)


def test_a_real_has_the_bits_that_it_is_declared_to_have() -> None:
    """SQLite keeps what it is given, PostgreSQL rounds it."""
    table = KeptTable("t", (KeptColumn("r", "real", None, True),), (), None, None, None, (), (), ())
    rounded = float(pa.scalar(0.1, pa.float32()).as_py())
    assert digest([(0.1,)], table) == digest([(rounded,)], table) != digest([(0.1001,)], table)
