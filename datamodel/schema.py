"""The SQL tables of persistent classes: joined inheritance, links, lists.

Each class has one table with its own columns, whose key is its parent's key: a row stands in the
table of a class if and only if the object is of that class or of a subclass.
"""

import re
from functools import cache
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import OID_LENGTH, Attribute, all_classes, snake_case
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

OF_CATALOGUE = re.compile(r"catalogue_([0-9a-f]{32})(_[a-z]+)?")
"""The names of the tables with the rows of a catalogue, which has this identifier."""


def oid_column(name: str, *constraints: Any, **options: Any) -> sa.Column[Any]:
    """A column that holds an object identifier."""
    return sa.Column(name, sa.String(OID_LENGTH), *constraints, **options)


def serial_column() -> sa.Column[Any]:
    """A primary key ``id`` whose numbers count up."""
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def parent(cls: Any) -> Any | None:
    """The persistent parent class; None for the root."""
    return next((b for b in cls.__mro__[1:] if "__persistent__" in vars(b) and b.__own_table__), None)


@cache
def lineage(cls: Any) -> tuple[Any, ...]:
    """The class and its persistent ancestors, root first."""
    above = parent(cls)
    return (cls,) if above is None else (*lineage(above), cls)


def table_name(cls: Any) -> str:
    """The SQL name of a class's own table."""
    return snake_case(cls.__name__)


@cache
def table_of(cls: Any) -> sa.Table:
    """The table with the class's own columns, made on first use."""
    above = parent(cls)
    key = [sa.ForeignKey(table_of(above).c.object_id)] if above is not None else []
    columns = [oid_column("object_id", *key, primary_key=True)]
    if above is None:
        columns.append(sa.Column("class_name", sa.String(100), nullable=False, index=True))
    for attribute in cls.__own__.values():
        if attribute.name != "object_id" and not attribute.many:
            columns.append(_column(attribute))
    return _define(cls, table_name(cls), *columns)


def _define(cls: Any, name: str, *columns: Any) -> sa.Table:
    """A table of a class, in place of the one that an earlier declaration of the same class had.

    Raises
    ------
    UsageError
        The name is taken by something else.
    """
    earlier = metadata.tables.get(name)
    if earlier is not None:
        if earlier.info.get("class") != cls.__name__:
            raise UsageError(f"class {cls.__name__} needs a table called '{name}', but that is taken")
        metadata.remove(earlier)
    return sa.Table(name, metadata, *columns, info={"class": cls.__name__})


def _column(attribute: Attribute) -> sa.Column[Any]:
    index = attribute.indexed or attribute.is_link
    if attribute.is_link:
        return oid_column(attribute.column_name, index=index)
    sql_type = DATATYPES[attribute.scalar or ""].sql()
    return sa.Column(attribute.column_name, sql_type, index=index)


@cache
def list_table(cls: Any, name: str) -> sa.Table:
    """The table of a list attribute that `cls` owns: ``(object_id, pos, value)``; the order is kept."""
    attribute: Attribute = cls.__own__[name]
    above = table_of(cls)
    if attribute.is_link:
        value = oid_column("value", nullable=False, index=True)
    else:
        value = sa.Column("value", DATATYPES[attribute.scalar or ""].sql())
    return _define(
        cls,
        f"{table_name(cls)}__{attribute.column_name}",
        oid_column("object_id", sa.ForeignKey(above.c.object_id), primary_key=True),
        sa.Column("pos", sa.Integer, primary_key=True),
        value,
    )


def owner(cls: Any, name: str) -> Any:
    """The class up the tree whose table holds the attribute."""
    return next(c for c in lineage(cls) if name in c.__own__)


def tables_of_classes() -> list[sa.Table]:
    """Every table of every persistent class known to this process, parents first."""
    return [table for cls in all_classes() for table in own_tables(cls)]


def own_tables(cls: Any) -> list[sa.Table]:
    """The tables that a class has beside those of its parents."""
    lists = [list_table(cls, a.name) for a in cls.__own__.values() if a.many]
    return [table_of(cls), *lists] if cls.__own_table__ else []
