"""How does a database follow when a class gets an attribute that its table does not have yet?

Missing tables and columns are added, old rows get the attribute's default; an attribute that has gone is kept, and
hidden. What cannot be done without touching old values is refused: it needs a migration.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import Attribute
from datamodel.errors import UsageError
from datamodel.schema import own_tables, parent, table_of
from datamodel.schema_changes import (
    ATTRIBUTE_ADDED,
    ATTRIBUTE_HIDDEN,
    ATTRIBUTE_SHOWN,
    CLASS_ADDED,
    Change,
    hidden,
)
from datamodel.values import checked

log = logging.getLogger("vo_server")

MIGRATION = (
    "write a migration: 'python -m datamodel.migrations new MESSAGE' begins one, docs/migrations.md says how"
)


@dataclass(frozen=True)
class Present:
    """The tables that the database has: types of columns, and which table each object_id refers to."""

    columns: dict[str, dict[str, str]]
    parents: dict[str, str]


def adapt(connection: sa.Connection, classes: tuple[Any, ...]) -> list[Change]:
    """Make the database have the tables of `classes`, which stand parents first; gives what was changed.

    Raises
    ------
    UsageError
        An attribute or a parent class was changed in a way that old rows cannot follow.
    """
    present = _look(connection)
    changes: list[Change] = []
    for cls in classes:
        _refuse_other_parent(cls, present)
        for attribute in cls.__own__.values():
            _refuse_other_shape(cls, attribute, present)
        if table_of(cls).name not in present.columns:
            changes.append(Change(CLASS_ADDED, cls.__name__, told=table_of(cls).name))
        for table in own_tables(cls):
            changes += _follow(connection, cls, table, present)
    return [*changes, *_hidden_or_shown(connection, classes, present)]


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
            f" a class keeps its parent; give the new one another name, or {MIGRATION}"
        )


def _refuse_other_shape(cls: Any, attribute: Attribute, present: Present) -> None:
    own = table_of(cls).name
    listed = f"{own}__{attribute.column_name}" in present.columns
    single = attribute.column_name in present.columns.get(own, {})
    if (single if attribute.many else listed) and attribute.name != "object_id":
        was, now = ("one value", "a list") if attribute.many else ("a list", "one value")
        raise UsageError(
            f"{cls.__name__}.{attribute.name} is kept as {was} and now declared as {now}; use another name, or"
            f" {MIGRATION}"
        )


def _follow(connection: sa.Connection, cls: Any, table: sa.Table, present: Present) -> Iterator[Change]:
    own, kept = table_of(cls).name, present.columns.get(table.name)
    if kept is None:
        table.create(connection, checkfirst=False)
        if own in present.columns:
            yield Change(ATTRIBUTE_ADDED, cls.__name__, table.name.removeprefix(f"{own}__"), table.name)
        return
    by_column = {a.column_name: a for a in cls.__own__.values()}
    for column in table.columns:
        declared = _type_name(column.type, connection)
        if column.name not in kept:
            _add(connection, table, column, by_column[column.name])
            told = f"{table.name}.{column.name} {declared}"
            yield Change(ATTRIBUTE_ADDED, cls.__name__, column.name, told)
        elif kept[column.name] != declared:
            raise UsageError(
                f"{cls.__name__}: '{table.name}.{column.name}' is kept as {kept[column.name]} and now"
                f" declared as {declared}; use another name, or {MIGRATION}"
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


def _hidden_or_shown(
    connection: sa.Connection, classes: tuple[Any, ...], present: Present
) -> Iterator[Change]:
    """What the database keeps of attributes that no class declares now, or does again, as far as that is news."""
    declared = {table.name for cls in classes for table in own_tables(cls)}
    told = hidden(connection)
    for cls in classes:
        table = table_of(cls)
        undeclared = set(present.columns.get(table.name, {})) - set(table.columns.keys())
        undeclared |= {
            name.removeprefix(f"{table.name}__")
            for name in present.columns
            if name.startswith(f"{table.name}__") and name not in declared
        }
        before = {attribute for name, attribute in told if name == cls.__name__}
        for attribute in sorted(undeclared - before):
            log.warning(
                "%s has no attribute '%s' any more: its values are kept, and hidden; if it has another name now, %s",
                cls.__name__,
                attribute,
                MIGRATION,
            )
            yield Change(ATTRIBUTE_HIDDEN, cls.__name__, attribute)
        for attribute in sorted(before - undeclared):
            yield Change(ATTRIBUTE_SHOWN, cls.__name__, attribute)
