"""Does every clause and function of ADQL 2.1 give the rows that Python computes from the same data?

Each file ``adql/computed/*.sql`` has cases, apart by an empty line: a query, and a line ``--> expression`` of Python
over the lists of rows ``T`` (things), ``K`` (kinds), ``X`` (texts) and ``P`` (sky), with the names in
`_NAMES`. A line that goes on has three spaces before it. The order of rows counts where the query has one.
"""

import math
from collections import Counter, namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.datatypes import Timestamp
from datamodel.errors import OutOfRangeError
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.sky import hpx29
from tests.sql_meaning import HIGH, LOW, compute
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

FILES = sorted((Path(__file__).parent / "adql" / "computed").glob("*.sql"))

_TEXT = sa.Text().with_variant(sa.Text(collation="en-x-icu"), "postgresql")
"""Sorts as English does where the database would do so, to show that ADQL does not."""

_TYPES: dict[str, Any] = {
    "BIGINT": sa.BigInteger,
    "INTEGER": sa.Integer,
    "SMALLINT": sa.SmallInteger,
    "DOUBLE": sa.Double(53),
    "REAL": sa.REAL,
    "VARCHAR": _TEXT,
    "TIMESTAMP": Timestamp,
    "BOOLEAN": sa.Boolean,
}
_COLUMNS = {
    "things": "id BIGINT, name VARCHAR, kind VARCHAR, ra DOUBLE, dec DOUBLE, flux DOUBLE, mag REAL, n INTEGER, "
    "small SMALLINT, seen TIMESTAMP, ok BOOLEAN",
    "kinds": "kind VARCHAR, label VARCHAR, low INTEGER, high INTEGER",
    "texts": "id INTEGER, t VARCHAR",
    "sky": "id BIGINT, ra DOUBLE, dec DOUBLE",
    "nothing": "id BIGINT, name VARCHAR, x DOUBLE",
}
_UNITS = {"ra": "deg", "dec": "deg", "mag": "mag"}

_F = float(np.float32(0.3))

_TEXTS = (
    *("12", " -7 ", "3.9", "1e3", "", "abc", "9223372036854775807", "9223372036854775808", "0x10", "1e400"),
    *("2003-02-14", "2003-02-30", "2003-02-14T01:02:03.5Z", "nan", "+.5", "-32769", "١٢", "1_0"),
)

_ROWS: dict[str, list[tuple[Any, ...]]] = {
    "things": [
        (1, "Alpha", "a", 10.0, 20.0, 1.5, 1.5, 7, 3, "2001-01-01", True),
        (2, "alpha", "a", 0.0, 90.0, -2.5, 2.5, -7, -3, "2003-02-14", False),
        (3, "Été", "b", 359.99, -0.01, 0.0, _F, 0, 0, "2003-02-14T06:30:00.5", True),
        (4, "été", "b", 180.0, -90.0, 1e308, 4.0, 2**31 - 1, 2**15 - 1, "2003-12-31T23:59:59.999999", False),
        (5, "", "c", 0.01, 0.0, -1e308, 1.5, -(2**31), -(2**15), "1969-07-20T20:17:40", None),
        (6, None, None, None, None, None, None, None, None, None, None),
        (7, "a_b%c\\", "A", 10.0, 20.0, 1e-300, -1.25, 10, 1, "2001-01-01", True),
        (8, "it's ß 日本", "c", 45.5, 45.5, 2.5, 8.0, 3, 2, "9999-12-31", False),
        (9, "alpha", None, 45.5, None, -0.5, None, 7, None, None, True),
        (10, "ΣΑΣ Ж\U0001f600", "é", 270.0, 89.999, 1234.5678, 2.0**100, 25, 5, "2000-02-29T12:00:00", None),
        (LOW, "low", "a", 90.0, -45.0, 3.0, 0.5, 1, 1, "2001-01-01T00:00:00.000001", True),
        (HIGH, "high", "zz", 120.0, -60.0, 0.1, 0.5, 2, 1, "2024-02-29", False),
    ],
    "kinds": [
        ("a", "first", 0, 5),
        ("b", "second", 5, 10),
        ("b", "again", -10, 0),
        ("A", "upper", 1, 2),
        ("x", None, 100, 200),
        (None, "none", None, None),
        ("é", "ÉTÉ", 20, 30),
    ],
    "texts": [*enumerate(_TEXTS), (100, None)],
    "sky": [],
    "nothing": [],
}


def _sky() -> list[tuple[Any, ...]]:
    """Positions all over, denser about both poles and RA = 0."""
    random = np.random.default_rng(7)
    ra = np.concatenate([random.uniform(0, 360, 120), random.normal(0, 0.5, 60) % 360.0, [0.0, 0.0, 180.0]])
    dec = np.concatenate(
        [90 - random.uniform(0, 1, 60), random.uniform(0, 1, 60) - 90, random.normal(0, 0.5, 60)]
    )
    return [
        (i, float(a), float(d)) for i, (a, d) in enumerate(zip(ra, [*dec, 90.0, -90.0, 0.0], strict=True))
    ]


_ROWS["sky"] = _sky()
_FIELDS = {name: [part.split() for part in text.split(", ")] for name, text in _COLUMNS.items()}
_METADATA = sa.MetaData()
_STORED = {
    name: sa.Table(
        f"{name}_stored",
        _METADATA,
        *(sa.Column(n, _TYPES[kind]) for n, kind in fields),
        *([sa.Column("hpx29", sa.BigInteger, index=True)] if name == "sky" else []),
    )
    for name, fields in _FIELDS.items()
}
CATALOGUE = Catalogue(
    Table(
        "s",
        name,
        tuple(Column(n, kind, _UNITS.get(n)) for n, kind in fields),
        lambda caller, name=name: _STORED[name],
        point=PointIndex("ra", "dec") if name == "sky" else None,
    )
    for name, fields in _FIELDS.items()
)


def _records(name: str) -> list[Any]:
    record = namedtuple(name, [n for n, _ in _FIELDS[name]])
    return [record(*row) for row in _ROWS[name]]


def where(rows: list[Any], *tests: Callable[[Any], Any]) -> list[Any]:
    """Rows for which all tests are true; one that meets None where it cannot be is unknown."""
    return [row for row in rows if all(_true(test, row) for test in tests)]


def _true(test: Callable[[Any], Any], row: Any) -> bool:
    try:
        return test(row) is True
    except TypeError:
        return False


def last(*keys: Any) -> Any:
    """A key of sorting with None last."""
    return tuple((k is None, 0 if k is None else k) for k in keys)


def known(values: Any) -> list[Any]:
    """Values that are not None."""
    return [v for v in values if v is not None]


def groups(rows: list[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Rows by a key."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def halves_away(value: float, places: float = 0) -> float:
    """Rounded to decimals, halves away from zero."""
    scale = 10.0**places
    return math.copysign(math.floor(abs(value * scale) + 0.5), value) / scale


def shown(instant: str) -> str:
    """As an answer writes it."""
    return datetime.fromisoformat(instant).isoformat(timespec="milliseconds")[:23]


def separation(ra: float, dec: float) -> Any:
    """Degrees from each position of the sky, by astropy."""
    ras, decs = (np.array([p[i] for p in _ROWS["sky"]]) for i in (1, 2))
    return SkyCoord(ras, decs, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg


_NAMES: dict[str, Any] = {
    **{
        short: _records(name) for short, name in zip("TKXP", ("things", "kinds", "texts", "sky"), strict=True)
    },
    **{f.__name__: f for f in (compute, where, last, known, groups, halves_away, separation, shown)},
    "math": math,
    "np": np,
    "Counter": Counter,
    "product": product,
    "LOW": LOW,
    "HIGH": HIGH,
}


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_database())
    _METADATA.create_all(made.engine)
    with made.write() as connection:
        install(connection, FUNCTIONS)
        for name, rows in _ROWS.items():
            names = [n for n, _ in _FIELDS[name]]
            records = [dict(zip(names, row, strict=True)) for row in rows]
            for record in records:
                if record.get("seen"):
                    record["seen"] = datetime.fromisoformat(record["seen"])
                if name == "sky":
                    record["hpx29"] = int(hpx29(np.array([record["ra"]]), np.array([record["dec"]]))[0])
            if records:
                connection.execute(_STORED[name].insert(), records)
    yield made
    made.close()


def answer(database: Database, query: str) -> list[Any]:
    """The rows of a query; of one column, its values. As TAP does, one whose numbers overflow is written again."""
    speech = database.speech
    try:
        return _answer(database, query, speech)
    except OutOfRangeError:
        assert speech.careful is not None
        return _answer(database, query, speech.careful)


def _answer(database: Database, query: str, speech: Any) -> list[Any]:
    translated = translate(query, CATALOGUE, ANONYMOUS, speech)
    batches = database.rows(translated.text, translated.columns).batches
    found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return [row[0] for row in found] if len(translated.columns) == 1 else found


def _alike(found: Any, expected: Any) -> bool:
    if isinstance(expected, tuple | list) and isinstance(found, tuple | list):
        return len(found) == len(expected) and all(map(_alike, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(
        rows,
        key=lambda row: repr(
            [
                float(f"{v:.9g}") if isinstance(v, float) else v
                for v in np.atleast_1d(np.array(row, dtype=object)).tolist()
            ]
        ),
    )


def _cases(path: Path) -> Iterator[tuple[str, str]]:
    for case in path.read_text().strip().split("\n\n"):
        query, expected = case.split("\n--> ")
        yield query, " ".join(expected.split("\n   "))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_queries_give_the_rows_that_python_computes(database: Database, path: Path) -> None:
    for query, expression in _cases(path):
        expected = list(eval(expression, dict(_NAMES)))
        found = answer(database, query)
        if "ORDER BY" not in query:
            found, expected = _sorted(found), _sorted(expected)
        assert _alike(found, expected), f"{query}\nfound    {found}\nexpected {expected}"
