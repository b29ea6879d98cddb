"""What is a table that is being read: described columns, and batches of rows as they come?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn, Self

import pyarrow as pa

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.formats.reading.limits import Limits


@dataclass
class Reading:
    """A table in a file, described, and read batch by batch; once, and in a memory that stays the same.

    Attributes
    ----------
    columns
        As the file tells of them, names and all; their order is that of the batches.
    batches
        Arrow record batches of the types ``column.datatype.arrow``. A timestamp is ISO 8601 text in UTC with six
        decimals, ``2003-02-14T01:02:03.000000``, which both databases take; NaN is NaN and not NULL.
    name, description
        Of the table, or empty.
    rows
        How many there are, where the file says so before they are read; else None.
    infos
        Name and value of each INFO and PARAM of the table and what it is in, in order: creator, citation, ...
    undecided
        Names of columns that have no values in a file that tells no types; they are said to be text.
    close
        Releases the file; also done at the end of the batches and of a ``with`` block.
    """

    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]
    name: str = ""
    description: str = ""
    rows: int | None = None
    infos: tuple[tuple[str, str], ...] = ()
    undecided: frozenset[str] = frozenset()
    close: Callable[[], None] = field(default=lambda: None)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches; the file is released after the last, and after a failure."""
        try:
            yield from self.batches
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def counted(batches: Iterator[pa.RecordBatch], limits: Limits) -> Iterator[pa.RecordBatch]:
    """The batches, refused as soon as there are more rows than may be."""
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        check_rows(rows, limits)
        if batch.num_rows:
            yield batch


def check_rows(rows: int, limits: Limits) -> None:
    """Refuse a table of more rows than may be."""
    if limits.rows is not None and rows > limits.rows:
        raise UsageError(f"the table has more than the {limits.rows} rows that are allowed")


def described(columns: list[Column], limits: Limits) -> tuple[Column, ...]:
    """The columns, if their number may be and their names are different.

    Raises
    ------
    UsageError
        There are none or too many, or two have the same name.
    """
    if not columns:
        raise UsageError("the table has no columns")
    if len(columns) > limits.columns:
        raise UsageError(f"the table has {len(columns)} columns; {limits.columns} are allowed")
    named = [c if c.name.strip() else c.named(f"col{i}") for i, c in enumerate(columns, 1)]
    seen: set[str] = set()
    for column in named:
        if column.name in seen:
            raise UsageError(f"two columns have the name '{column.name[:60]}'")
        seen.add(column.name)
    if sum(_declared_bytes(c) for c in named) > limits.row_bytes:
        raise UsageError(f"a row would take more than the {limits.row_bytes} bytes that are allowed")
    return tuple(named)


def refuse(column: Column, value: object, expected: str = "", where: str = "") -> NoReturn:
    """Say which value of which column cannot be."""
    quoted = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}..."
    told = expected or f"a value of {column.datatype.votable}"
    raise UsageError(f"column '{column.name[:60]}'{where}: expected {told}, found {quoted}")


def _declared_bytes(column: Column) -> int:
    extent = column.extent
    return 8 * (extent.most or 1) if extent.fixed else 8
