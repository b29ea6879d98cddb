"""How do batches become a table that lasts as long as one transaction, fast, on either database?

The columns are called as people called them where every database can tell them apart by that, and have names of
our own where they are longer or differ in case alone; `sa.Table.c` has them under the names that were sent. A
table with positions has one column more, the index of the sky, and its rows lie in that order.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from datamodel.columns import Column, PointIndex, Table
from datamodel.errors import UsageError
from datamodel.table_rows import insert, pixels_of, storable

MAX_COLUMNS = 1000
"""What both databases take, with some room."""

SORTED_BYTES = 64 << 20
"""Rows are brought into the order of the sky in runs of about this size."""

_INSERTED_ROWS = 20_000
_LONGEST_NAME = 63
"""In bytes; PostgreSQL cuts off what is beyond."""

_LOOKED_AT: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("SET LOCAL default_statistics_target = 10", "ANALYZE {table}"),
}
"""How a database that plans better for it looks at some of the rows."""

_DEGREES = (None, "", "deg", "degree", "degrees")


@dataclass(frozen=True)
class Temporary:
    """A table that is there for one transaction.

    Attributes
    ----------
    table
        As queries know it; the same rows for every caller.
    sql
        As the database knows it.
    """

    table: Table
    sql: sa.Table


def temporary(
    number: int, schema: str, name: str, columns: tuple[Column, ...], description: str = "", rows: int = 0
) -> Temporary:
    """A table that is not there yet; `load` makes it.

    Parameters
    ----------
    number
        Tells it from others of the same transaction.
    schema, name, columns, description
        As queries know it; times come back with as many digits as all have here, and not as many as were sent.
    rows
        About how many there will be.

    Raises
    ------
    UsageError
        There are no columns, too many, or one has no name or that of another.
    """
    _check(f"{schema}.{name}", columns)
    columns = tuple(replace(c, arraysize=None) if c.datatype.kind == "timestamp" else c for c in columns)
    names = _names_in_sql([c.name for c in columns])
    own = [sa.Column(n, c.datatype.sql(), key=c.name) for n, c in zip(names, columns, strict=True)]
    sql = sa.Table(f"temporary_{number}", sa.MetaData(), *own, prefixes=["TEMPORARY"])
    point = position_of(columns)
    if point is not None:
        sql.append_column(sa.Column(point.hpx29, sa.BigInteger))
        sa.Index(f"{sql.name}_hpx29", sql.c[point.hpx29])
    table = Table(schema, name, columns, lambda _caller: sql, description, point=point, rows=rows)
    return Temporary(table, sql)


def position_of(columns: Sequence[Column]) -> PointIndex | None:
    """Which columns hold the position of a row, in degrees: told by their UCDs, or else by their names.

    Returns
    -------
    PointIndex or None
        Its `hpx29` is a name that none of the columns has.
    """
    numbers = [c for c in columns if c.datatype.kind == "number" and c.unit in _DEGREES]
    for ra_is, dec_is in _TELLING:
        ra, dec = ([c.name for c in numbers if tells(c)] for tells in (ra_is, dec_is))
        if len(ra) == len(dec) == 1:
            return PointIndex(ra[0], dec[0], _free_name("hpx29", {c.name.lower() for c in columns}))
    return None


def load(connection: sa.Connection, made: Temporary, batches: Iterable[pa.RecordBatch]) -> int:
    """Make a temporary table and fill it; it goes with the transaction under way.

    Parameters
    ----------
    connection
        Within a transaction.
    made
        Which table.
    batches
        Rows, whose columns are of the types of the table's.

    Returns
    -------
    int
        How many rows there are.

    Raises
    ------
    UsageError
        A value is none that the database can hold.
    """
    table, sql = made.table, made.sql
    connection.execute(CreateTable(sql))
    if table.point is not None:
        batches = _with_pixels(batches, table, table.point)
    total = insert(connection, sql, _stored(batches, table), f"table {table.full_name}")
    for index in sql.indexes:
        connection.execute(CreateIndex(index))
    for statement in _LOOKED_AT[connection.dialect.name]:
        connection.exec_driver_sql(statement.format(table=sql.name))
    return total


def _check(name: str, columns: Sequence[Column]) -> None:
    if not columns or len(columns) > MAX_COLUMNS:
        raise UsageError(f"table {name} has {len(columns)} columns, expected 1 to {MAX_COLUMNS}")
    seen: set[str] = set()
    for number, column in enumerate(columns, 1):
        if not column.name.strip():
            raise UsageError(f"column {number} of table {name} has no name, expected one for each column")
        if column.name in seen:
            raise UsageError(
                f"table {name} has two columns called '{column.name[:100]}', expected different names"
            )
        seen.add(column.name)


def _names_in_sql(names: Sequence[str]) -> list[str]:
    """The same names, but for those that a database would cut off or take for another."""
    often = Counter(name.lower() for name in names)
    made = []
    for place, name in enumerate(names):
        plain = often[name.lower()] == 1 and len(name.encode()) <= _LONGEST_NAME
        made.append(name if plain else _free_name(f"column_{place}", often))
    return made


def _free_name(wanted: str, taken: Container[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def _ucd(*wanted: str) -> Callable[[Column], bool]:
    words = set(wanted)
    return lambda column: words <= {word.strip().lower() for word in (column.ucd or "").split(";")}


def _called(*names: str) -> Callable[[Column], bool]:
    return lambda column: column.name.lower() in names


_TELLING = (
    (_ucd("pos.eq.ra", "meta.main"), _ucd("pos.eq.dec", "meta.main")),
    (_ucd("pos_eq_ra_main"), _ucd("pos_eq_dec_main")),
    (_called("ra"), _called("dec")),
    (_ucd("pos.eq.ra"), _ucd("pos.eq.dec")),
    (_called("raj2000", "ra_icrs"), _called("dej2000", "dec_icrs", "de_icrs")),
)
"""How right ascension and declination are told, the surest first."""


def _with_pixels(
    batches: Iterable[pa.RecordBatch], table: Table, point: PointIndex
) -> Iterator[pa.RecordBatch]:
    """The same rows with their pixels, in the order of these as far as memory goes."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.nbytes for b in held) > SORTED_BYTES:
            yield from _in_order(held, table, point)
            held = []
    yield from _in_order(held, table, point)


def _in_order(held: list[pa.RecordBatch], table: Table, point: PointIndex) -> Iterator[pa.RecordBatch]:
    if not held:
        return
    names = [c.name for c in table.columns]
    whole = pa.Table.from_batches(held).combine_chunks()
    pixels = pixels_of(*(whole.column(names.index(name)) for name in (point.ra, point.dec)))
    order = np.argsort(pixels, kind="stable")
    numbered = whole.append_column(point.hpx29, pa.array(pixels)).take(pa.array(order))
    yield from numbered.combine_chunks().to_batches(max_chunksize=_INSERTED_ROWS)


def _stored(batches: Iterable[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    """The columns as the database is to be given them; after them, what there is more."""
    where = f" of table {table.full_name}"
    for batch in batches:
        made = [storable(batch.column(place), column, where) for place, column in enumerate(table.columns)]
        made += batch.columns[len(made) :]
        yield pa.RecordBatch.from_arrays(made, [str(place) for place in range(len(made))])
