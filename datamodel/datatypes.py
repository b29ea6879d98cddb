"""What a datatype is called in ADQL, SQL, VOTable, numpy and Arrow: the one table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Dialect


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
        dtype of a column of values; ``object`` for text and geometry.
    arrow
        The Arrow type of a column batch.
    kind
        ``number``, ``text``, ``boolean``, ``timestamp`` or ``geometry``: what ADQL may do with it.
    """

    name: str
    sql: Callable[[], sa.types.TypeEngine[Any]]
    votable: str
    arraysize: str | None
    xtype: str | None
    numpy: np.dtype[Any]
    arrow: pa.DataType
    kind: str


def _text(name: str, arraysize: str = "*", xtype: str | None = None) -> Datatype:
    return Datatype(name, sa.Text, "char", arraysize, xtype, np.dtype(object), pa.string(), "text")


def _number(name: str, sql: Callable[[], Any], votable: str, dtype: str, arrow: pa.DataType) -> Datatype:
    return Datatype(name, sql, votable, None, None, np.dtype(dtype), arrow, "number")


def _geometry(name: str, arraysize: str, xtype: str) -> Datatype:
    arrow = pa.list_(pa.float64())
    return Datatype(name, sa.Text, "double", arraysize, xtype, np.dtype(object), arrow, "geometry")


DATATYPES: dict[str, Datatype] = {
    d.name: d
    for d in (
        Datatype("BOOLEAN", sa.Boolean, "boolean", None, None, np.dtype(bool), pa.bool_(), "boolean"),
        _number("SMALLINT", sa.SmallInteger, "short", "i2", pa.int16()),
        _number("INTEGER", sa.Integer, "int", "i4", pa.int32()),
        _number("BIGINT", sa.BigInteger, "long", "i8", pa.int64()),
        _number("REAL", sa.REAL, "float", "f4", pa.float32()),
        _number("DOUBLE", lambda: sa.Double(53), "double", "f8", pa.float64()),
        _text("CHAR"),
        _text("VARCHAR"),
        _text("CLOB"),
        _text("REGION", xtype="adql:REGION"),
        Datatype(
            "TIMESTAMP", Timestamp, "char", "*", "timestamp", np.dtype(object), pa.string(), "timestamp"
        ),
        _geometry("POINT", "2", "point"),
        _geometry("CIRCLE", "3", "circle"),
        _geometry("POLYGON", "*", "polygon"),
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
