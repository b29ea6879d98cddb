"""How does a database follow when a class gets an attribute that its table does not have yet?

Missing tables and columns are added, old rows get the attribute's default; what cannot be done without
touching old values is refused.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import Attribute
from datamodel.errors import UsageError
from datamodel.schema import own_tables, parent, table_of
from datamodel.values import checked


@dataclass(frozen=True)
class Present:
    """The tables that the database has: types of columns, and which table each object_id refers to."""

    columns: dict[str, dict[str, str]]
    parents: dict[str, str]


def adapt(connection: sa.Connection, classes: tuple[Any, ...]) -> None:
    """Make the database have the tables of `classes`, which stand parents first.

    Raises
    ------
    UsageError
        An attribute or a parent class was changed in a way that old rows cannot follow.
    """
    present = _look(connection)
    for cls in classes:
        _refuse_other_parent(cls, present)
        for attribute in cls.__own__.values():
            _refuse_other_shape(cls, attribute, present)
        for table in own_tables(cls):
            if table.name in present.columns:
                _follow(connection, cls, table, present.columns[table.name])
            else:
                table.create(connection, checkfirst=False)


def _look(connection: sa.Connection) -> Present:
    inspector = sa.inspect(connection)
    columns = {
        name: {c["name"]: _type_name(c["type"], connection) for c in found}
        for (_, name), found in inspector.get_multi_columns().items()
    }
    parents = {
        name: key["referred_table"]
        for (_, name), keys in inspector.get_multi_foreign_keys().items()
        for key in keys
        if key["constrained_columns"] == ["object_id"]
    }
    return Present(columns, parents)


def _type_name(sql_type: sa.types.TypeEngine[Any], connection: sa.Connection) -> str:
    return str(sql_type.compile(dialect=connection.dialect))


def _refuse_other_parent(cls: Any, present: Present) -> None:
    above, name = parent(cls), table_of(cls).name
    expected = table_of(above).name if above is not None else None
    if name in present.columns and present.parents.get(name) != expected:
        raise UsageError(
            f"class {cls.__name__} is kept below '{present.parents.get(name)}', not '{expected}':"
            " a class keeps its parent; give the new one another name"
        )


def _refuse_other_shape(cls: Any, attribute: Attribute, present: Present) -> None:
    own = table_of(cls).name
    listed = f"{own}__{attribute.column_name}" in present.columns
    single = attribute.column_name in present.columns.get(own, {})
    if (single if attribute.many else listed) and attribute.name != "object_id":
        was, now = ("one value", "a list") if attribute.many else ("a list", "one value")
        raise UsageError(
            f"{cls.__name__}.{attribute.name} is kept as {was} and now declared as {now}; use another name"
        )


def _follow(connection: sa.Connection, cls: Any, table: sa.Table, kept: dict[str, str]) -> None:
    by_column = {a.column_name: a for a in cls.__own__.values()}
    for column in table.columns:
        declared = _type_name(column.type, connection)
        if column.name not in kept:
            _add(connection, table, column, by_column[column.name])
        elif kept[column.name] != declared:
            raise UsageError(
                f"{cls.__name__}: '{table.name}.{column.name}' is kept as {kept[column.name]} and now"
                f" declared as {declared}; use another name"
            )


def _add(connection: sa.Connection, table: sa.Table, column: sa.Column[Any], attribute: Attribute) -> None:
    place = connection.dialect.identifier_preparer.format_table(table)
    definition = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {place} ADD COLUMN {definition}")
    for index in table.indexes:
        if column in index.columns.values():
            index.create(connection)
    if attribute.default is not None and not callable(attribute.default):
        value = checked(attribute, attribute.default)
        connection.execute(sa.update(table).values({column.name: value}))
