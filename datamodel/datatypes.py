"""What a datatype is called in ADQL, SQL, VOTable, numpy and Arrow: the one table."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from datamodel.errors import UsageError


class Timestamp(sa.types.TypeDecorator[datetime]):
    """A UTC instant: ``timestamp`` on PostgreSQL, ISO 8601 text of fixed width on SQLite.

    The text has a ``T`` and six decimals, so that comparing as text is comparing in time.
    """

    impl = sa.String(26)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Use the database's own type where it has one."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=False))
        return dialect.type_descriptor(sa.String(26))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Python to database; ISO text is taken as it is meant."""
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value is None or dialect.name == "postgresql":
            return value
        return value.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Database to Python: a naive `datetime` in UTC."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Datatype:
    """One datatype under all the names it goes by.

    Attributes
    ----------
    name
        The ADQL 2.1 name, and the key in `DATATYPES`.
    sql
        Makes the SQLAlchemy type.
    votable, arraysize, xtype
        As written on a VOTable 1.4 FIELD; arraysize None is a scalar.
    numpy
        dtype of a column of values; ``object`` for text, geometry and arrays.
    arrow
        The Arrow type of a column batch. An array is a flat list, whatever its dimensions, the first index
        running fastest; a complex number is two elements, its real and its imaginary part.
    kind
        ``number``, ``text``, ``boolean``, ``timestamp``, ``geometry`` or ``array``: what ADQL may do with it.
    parts
        How many elements of the Arrow list make one element of VOTable: 2 for complex numbers.
    """

    name: str
    sql: Callable[[], sa.types.TypeEngine[Any]]
    votable: str
    arraysize: str | None
    xtype: str | None
    numpy: np.dtype[Any]
    arrow: pa.DataType
    kind: str
    parts: int = 1


@dataclass(frozen=True)
class Extent:
    """How many elements a value has, by its arraysize (VOTable 1.4 section 2.2).

    Attributes
    ----------
    most
        Elements at the most, over all dimensions; None where there is no bound.
    fixed
        Whether there are always that many.
    row
        Elements in all dimensions but the last: of a variable array, always a multiple of this.
    first
        The size of the first dimension, which of an array of texts is their length; None if not known.
    """

    most: int | None
    fixed: bool
    row: int
    first: int | None


_ARRAYSIZE = re.compile(r"(?:[0-9]{1,9}x){0,8}(?:[0-9]{1,9}\*?|\*)")


def extent(arraysize: str | None) -> Extent:
    """What an arraysize such as ``3x4``, ``3x*``, ``10*`` or None (a scalar) says.

    Raises
    ------
    UsageError
        It is none that VOTable 1.4 knows.
    """
    if arraysize is None:
        return Extent(1, True, 1, 1)
    if not _ARRAYSIZE.fullmatch(arraysize):
        raise UsageError(f"expected an arraysize such as 3, *, 10* or 3x*, found '{arraysize[:60]}'")
    sizes = arraysize.split("x")
    row = math.prod(int(size) for size in sizes[:-1])
    last = sizes[-1].removesuffix("*")
    first = sizes[0].removesuffix("*")
    return Extent(
        row * int(last) if last else None, not arraysize.endswith("*"), row, int(first) if first else None
    )


def _text(name: str, votable: str = "char", xtype: str | None = None) -> Datatype:
    return Datatype(name, sa.Text, votable, "*", xtype, np.dtype(object), pa.string(), "text")


def _number(name: str, sql: Callable[[], Any], votable: str, dtype: str, arrow: pa.DataType) -> Datatype:
    return Datatype(name, sql, votable, None, None, np.dtype(dtype), arrow, "number")


def _geometry(name: str, arraysize: str, xtype: str) -> Datatype:
    arrow = pa.list_(pa.float64())
    return Datatype(name, sa.Text, "double", arraysize, xtype, np.dtype(object), arrow, "geometry")


def _array(name: str, votable: str, element: pa.DataType, arraysize: str | None = "*") -> Datatype:
    parts = 2 if votable.endswith("Complex") else 1
    return Datatype(
        name, sa.Text, votable, arraysize, None, np.dtype(object), pa.list_(element), "array", parts
    )


DATATYPES: dict[str, Datatype] = {
    d.name: d
    for d in (
        Datatype("BOOLEAN", sa.Boolean, "boolean", None, None, np.dtype(bool), pa.bool_(), "boolean"),
        _number("BIT", sa.SmallInteger, "bit", "u1", pa.uint8()),
        _number("UNSIGNEDBYTE", sa.SmallInteger, "unsignedByte", "u1", pa.uint8()),
        _number("SMALLINT", sa.SmallInteger, "short", "i2", pa.int16()),
        _number("INTEGER", sa.Integer, "int", "i4", pa.int32()),
        _number("BIGINT", sa.BigInteger, "long", "i8", pa.int64()),
        _number("REAL", sa.REAL, "float", "f4", pa.float32()),
        _number("DOUBLE", lambda: sa.Double(53), "double", "f8", pa.float64()),
        _text("CHAR"),
        _text("VARCHAR"),
        _text("CLOB"),
        _text("UNICODE", "unicodeChar"),
        _text("REGION", xtype="adql:REGION"),
        Datatype(
            "TIMESTAMP", Timestamp, "char", "*", "timestamp", np.dtype(object), pa.string(), "timestamp"
        ),
        _geometry("POINT", "2", "point"),
        _geometry("CIRCLE", "3", "circle"),
        _geometry("POLYGON", "*", "polygon"),
        _array("BOOLEAN[]", "boolean", pa.bool_()),
        _array("BIT[]", "bit", pa.bool_()),
        _array("UNSIGNEDBYTE[]", "unsignedByte", pa.uint8()),
        _array("SMALLINT[]", "short", pa.int16()),
        _array("INTEGER[]", "int", pa.int32()),
        _array("BIGINT[]", "long", pa.int64()),
        _array("REAL[]", "float", pa.float32()),
        _array("DOUBLE[]", "double", pa.float64()),
        _array("COMPLEX", "floatComplex", pa.float32(), None),
        _array("DOUBLECOMPLEX", "doubleComplex", pa.float64(), None),
        _array("COMPLEX[]", "floatComplex", pa.float32()),
        _array("DOUBLECOMPLEX[]", "doubleComplex", pa.float64()),
        _array("CHAR[]", "char", pa.string(), "1x*"),
        _array("UNICODE[]", "unicodeChar", pa.string(), "1x*"),
    )
}

PYTHON_TYPES: dict[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    datetime: "TIMESTAMP",
}
"""Which datatype a persistent attribute of a plain Python type has."""
