"""Have two tables the same rows, in whatever order and on whatever database?

Each row is written in one way and digested, and the digests are added up. What a database cannot tell apart is
written alike: -0 is 0, and a REAL has the 24 bits that it is declared to have.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.keeping.tables import KeptTable

_MODULUS = 1 << 256
_NULL = b"~"
"""Begins no value that is there."""


class Content:
    """The rows of a table, as they go by.

    Parameters
    ----------
    table
        Whose they are.

    Attributes
    ----------
    rows
        How many there were.
    """

    def __init__(self, table: KeptTable) -> None:
        self._columns = sorted((c.name, c.type, place) for place, c in enumerate(table.columns))
        self._sum = 0
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows, in the columns of `KeptTable.schema`."""
        written = [_written(batch.column(place), type_) for _, type_, place in self._columns]
        whole = pc.binary_join_element_wise(*written, b",", null_handling="replace", null_replacement=_NULL)
        self._sum += sum(int.from_bytes(hashlib.sha256(row).digest()) for row in whole.to_pylist())
        self.rows += batch.num_rows

    @property
    def digest(self) -> str:
        """Stands for the names of the columns and for the rows: 64 hexadecimal digits."""
        names = "\n".join(name for name, _, _ in self._columns)
        begun = int.from_bytes(hashlib.sha256(names.encode()).digest())
        return f"{(begun + self._sum) % _MODULUS:064x}"


def content_of(table: KeptTable, batches: Iterable[pa.RecordBatch]) -> Content:
    """The same, of rows that are at hand."""
    content = Content(table)
    for batch in batches:
        content.add(batch)
    return content


def _written(values: pa.Array, type_: str) -> pa.Array:
    """The values as bytes that end where they say; NULL stays NULL."""
    if type_ in ("real", "double"):
        values = _bits(values, np.dtype(np.float32 if type_ == "real" else np.float64))
    elif type_ == "timestamp":
        values = values.cast(pa.int64())
    elif type_ == "boolean":
        values = values.cast(pa.int8())
    if pa.types.is_integer(values.type):
        return values.cast(pa.string()).cast(pa.binary())
    length = pc.binary_length(values).cast(pa.string()).cast(pa.binary())
    return pc.binary_join_element_wise(length, values.cast(pa.binary()), b":")


def _bits(values: pa.Array, dtype: np.dtype[np.floating]) -> pa.Array:
    """The bits of floating-point numbers as whole numbers; all that are no numbers have the same."""
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.asarray(values.fill_null(0.0)).astype(dtype) + dtype.type(0)
    numbers[np.isnan(numbers)] = np.nan
    mask = np.asarray(values.is_null()) if values.null_count else None
    return pa.array(numbers.view(f"i{dtype.itemsize}"), mask=mask)
