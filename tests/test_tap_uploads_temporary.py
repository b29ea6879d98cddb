"""Do temporary tables hold what they are given, on whichever database, and go with their transaction?"""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from datamodel import healpix
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.context import ANONYMOUS
from datamodel.errors import UsageError
from datamodel.temporary import load, position_of, temporary

VALUES = {
    "BOOLEAN": [True, None, False],
    "UNSIGNEDBYTE": [0, None, 255],
    "SMALLINT": [-(2**15), None, 2**15 - 1],
    "INTEGER": [-(2**31), None, 2**31 - 1],
    "BIGINT": [-(2**63), None, 2**63 - 1],
    "REAL": [1.5, None, -3.25e-30],
    "DOUBLE": [0.1, None, -1.7976931348623157e308],
    "VARCHAR": ["", None, 'a "quoted", text;\nof two lines \\N \\.'],
    "UNICODE": ["αβγ", None, "😀"],
    "TIMESTAMP": ["2026-01-31T12:00:00.125", None, "1957-10-04T19:28:34.000"],
    "POINT": [[1.0, 2.0], None, [359.99999999999994, -90.0]],
    "DOUBLE[]": [[], None, [1.0, 2.5, 1e-300]],
    "INTEGER[]": [[], None, [1, None, -5]],
    "BOOLEAN[]": [[], None, [True, False]],
    "CHAR[]": [["a b", ""], None, ['"']],
}


def batch_of(columns: tuple[Column, ...], *values: list) -> pa.RecordBatch:
    arrays = [pa.array(v, c.datatype.arrow) for v, c in zip(values, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, [c.name for c in columns])


def loaded(archive: Archive, columns: tuple[Column, ...], *batches: pa.RecordBatch) -> list[dict]:
    """The rows of a table that is loaded from batches, in the order in which they lie in the database."""
    made = temporary(0, "TAP_UPLOAD", "t", columns)
    clause = made.table.selectable(ANONYMOUS)
    select = sa.select(*(clause.c[c.name] for c in columns))
    rows = archive.database.rows(select, columns, before=lambda c: load(c, made, iter(batches)))
    return [row for batch in rows.batches for row in batch.to_pylist()]


def test_every_type_comes_out_as_it_went_in(archive: Archive) -> None:
    columns = tuple(Column(f"x {type}", type) for type in VALUES)
    rows = loaded(archive, columns, batch_of(columns, *VALUES.values()))
    assert {f"x {type}": [row[f"x {type}"] for row in rows] for type in VALUES} == {
        f"x {type}": pa.array(values, Column("x", type).datatype.arrow).to_pylist()
        for type, values in VALUES.items()
    }


def test_nan_is_null_and_infinity_is_kept(archive: Archive) -> None:
    columns = (Column("x", "DOUBLE"), Column("y", "REAL"))
    rows = loaded(
        archive, columns, batch_of(columns, [float("nan"), float("inf")], [float("-inf"), float("nan")])
    )
    assert rows == [{"x": None, "y": float("-inf")}, {"x": float("inf"), "y": None}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000"),
        ("2026-01-31 12:00:00", "2026-01-31T12:00:00.000"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000"),
        ("2026-01-31T12:00:00.123456789", "2026-01-31T12:00:00.123"),
        ("", None),
    ],
)
def test_a_time_is_read_as_dali_writes_it(given: str, kept: str | None, archive: Archive) -> None:
    columns = (Column("t", "TIMESTAMP"),)
    assert loaded(archive, columns, batch_of(columns, [given])) == [{"t": kept}]


def test_times_compare_in_time(archive: Archive) -> None:
    columns = (Column("t", "TIMESTAMP"),)
    made = temporary(0, "TAP_UPLOAD", "t", columns)
    batch = batch_of(columns, ["2026-01-31T12:00:00.5", "2026-01-31", "2027-01-01T00:00:00"])
    with archive.database.engine.connect() as connection:
        load(connection, made, [batch])
        late = sa.select(made.sql.c.t).where(made.sql.c.t > datetime(2026, 1, 31, 12)).order_by(made.sql.c.t)
        assert list(connection.scalars(late)) == [
            datetime(2026, 1, 31, 12, 0, 0, 500000),
            datetime(2027, 1, 1),
        ]


def test_how_many_rows_there_are_is_known_to_those_who_ask() -> None:
    made = temporary(0, "TAP_UPLOAD", "t", (Column("x", "INTEGER"),), rows=12)
    assert made.table.rows == 12


def test_rows_lie_in_the_order_of_the_sky_and_have_an_index_on_it(archive: Archive) -> None:
    random = np.random.default_rng(3)
    ra, dec = random.uniform(0, 360, 20_000), np.degrees(np.arcsin(random.uniform(-1, 1, 20_000)))
    columns = (
        Column("n", "INTEGER"),
        Column("lambda", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
        Column("beta", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
    )
    made = temporary(3, "TAP_UPLOAD", "t", columns)
    assert made.table.point is not None
    pixel = made.sql.c[made.table.point.hpx29]
    batches = [
        batch_of(columns, range(i, i + 4_000), ra[i : i + 4_000], dec[i : i + 4_000])
        for i in range(0, 20_000, 4_000)
    ]
    with archive.database.engine.connect() as connection:
        load(connection, made, batches)
        found = connection.execute(sa.select(made.sql.c.n, pixel)).all()
        indices = sa.inspect(connection).get_indexes("temporary_3")
    order = np.array([row[0] for row in found])
    assert np.array_equal([row[1] for row in found], healpix.hpx29(ra, dec)[order])
    assert (np.diff([row[1] for row in found]) >= 0).all()
    assert sorted(order) == list(range(20_000))
    assert [index["column_names"] for index in indices] == [["hpx29"]]


def test_what_is_no_place_of_the_sky_is_kept_and_in_no_range(archive: Archive) -> None:
    columns = (Column("ra", "DOUBLE"), Column("dec", "REAL"), Column("hpx29", "VARCHAR"))
    values = [[None, 10.0, float("inf"), -10.0], [0.0, -999.0, 0.0, 90.0], ["a", "b", "c", "d"]]
    made = temporary(0, "TAP_UPLOAD", "t", columns)
    assert made.table.point is not None
    with archive.database.engine.connect() as connection:
        load(connection, made, [batch_of(columns, *values)])
        found = connection.execute(sa.select(made.sql.c["hpx29"], made.sql.c[made.table.point.hpx29])).all()
    assert sorted(map(tuple, found)) == [
        ("a", healpix.NO_PIXEL),
        ("b", healpix.NO_PIXEL),
        ("c", healpix.NO_PIXEL),
        ("d", int(healpix.hpx29(350.0, 90.0))),
    ]


MAIN = (
    Column("x", "DOUBLE", "deg", "pos.eq.ra;meta.main"),
    Column("y", "DOUBLE", "deg", "POS.EQ.DEC;META.MAIN"),
)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((*MAIN, Column("ra", "DOUBLE"), Column("dec", "DOUBLE")), ("x", "y")),
        ((Column("RA", "REAL"), Column("Dec", "REAL")), ("RA", "Dec")),
        ((Column("a", "DOUBLE", ucd="pos.eq.ra"), Column("d", "DOUBLE", ucd="pos.eq.dec")), ("a", "d")),
        ((Column("RAJ2000", "DOUBLE"), Column("DEJ2000", "DOUBLE")), ("RAJ2000", "DEJ2000")),
        ((Column("ra", "VARCHAR"), Column("dec", "VARCHAR")), None),
        ((Column("ra", "DOUBLE", "rad"), Column("dec", "DOUBLE", "rad")), None),
        ((Column("ra", "DOUBLE"), Column("mag", "DOUBLE")), None),
        ((Column("ra", "DOUBLE"), Column("RA", "DOUBLE"), Column("dec", "DOUBLE")), None),
    ],
)
def test_a_position_is_told_by_ucds_or_else_by_names(
    columns: tuple[Column, ...], expected: tuple[str, str] | None
) -> None:
    found = position_of(columns)
    assert (found and (found.ra, found.dec)) == expected


def test_names_of_columns_are_kept_as_they_are(archive: Archive) -> None:
    names = [
        "select",
        "RA",
        "ra",
        'a "b"',
        "100% 'x' :y",
        "ö" * 31,
        "x" * 64,
        "column_1",
        "; DROP TABLE source",
        "a.b",
    ]
    columns = tuple(Column(name, "INTEGER") for name in names)
    rows = loaded(archive, columns, batch_of(columns, *([i] for i in range(len(names)))))
    assert rows == [{name: i for i, name in enumerate(names)}]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a", "b", "a"], "has two columns called 'a'"),
        (["a", " "], "column 2 of table TAP_UPLOAD.t has no name"),
        ([], "has 0 columns, expected 1 to 1000"),
        ([f"c{i}" for i in range(1001)], "has 1001 columns, expected 1 to 1000"),
    ],
)
def test_columns_that_could_not_be_told_apart_are_refused(names: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        temporary(0, "TAP_UPLOAD", "t", tuple(Column(name, "INTEGER") for name in names))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        (
            Column("when", "TIMESTAMP"),
            "yesterday",
            "'when' of table TAP_UPLOAD.t holds 'yesterday', expected a time such as",
        ),
        (Column("what", "VARCHAR"), "a\0b", "'what' of table TAP_UPLOAD.t holds the character NUL"),
    ],
)
def test_a_value_that_cannot_be_kept_is_told(column: Column, value: str, told: str, archive: Archive) -> None:
    with pytest.raises(UsageError, match=told):
        loaded(archive, (column,), batch_of((column,), [value]))


def test_as_many_columns_as_are_allowed_can_be_kept(archive: Archive) -> None:
    columns = tuple(Column(f"c{i}", "DOUBLE") for i in range(1000))
    (row,) = loaded(archive, columns, batch_of(columns, *([float(i)] for i in range(1000))))
    assert [*row.values()] == [float(i) for i in range(1000)]


def test_a_table_is_gone_after_its_query_also_where_it_failed(archive: Archive) -> None:
    columns = (Column("x", "INTEGER"),)
    for _ in range(2):
        assert loaded(archive, columns, batch_of(columns, [1])) == [{"x": 1}]
        with pytest.raises(UsageError):
            loaded(archive, (Column("x", "VARCHAR"),), batch_of((Column("x", "VARCHAR"),), ["\0"]))
    with archive.database.read() as connection:
        assert not sa.inspect(connection).has_table("temporary_0")
