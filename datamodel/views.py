"""One flattened table per persistent class, as the VO sees it: ``archive.<class_in_snake_case>``.

Links to classes with a natural key appear as that key, statistics as their values, all other links
as ``<role>_id``. Lists have a table of their own: ``archive.<class>__<list>``.
"""

from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import OID_LENGTH, Attribute, all_classes, snake_case
from datamodel.columns import Column, ForeignKey, PointIndex, Table
from datamodel.compile import Joins
from datamodel.context import Caller, visible
from datamodel.observatory import Imstat
from datamodel.schema import list_table, owner

SCHEMA = "archive"


def class_tables() -> list[Table]:
    """The tables of every persistent class known to this process, and of their lists."""
    tables = []
    for cls in all_classes():
        tables.append(class_table(cls))
        lists = [a for a in cls.__attributes__.values() if a.many]
        tables += [_list_view(cls, a) for a in lists]
    return tables


def class_table(cls: Any) -> Table:
    """The flattened table of one class and its subclasses."""
    shown = _shown(cls)
    names = {column.name for column, _ in shown}
    return Table(
        SCHEMA,
        snake_case(cls.__name__),
        (_CLASS_NAME, *(column for column, _ in shown)),
        partial(_select, cls),
        description=(cls.__doc__ or cls.__name__).strip().splitlines()[0],
        kind="view",
        keys=tuple(_keys(cls)),
        point=PointIndex("ra", "dec") if {"ra", "dec", "hpx29"} <= names else None,
    )


_CLASS_NAME = Column("class_name", "VARCHAR", description="The class of the object", ucd="meta.code.class")
_POSITION = Column("pos", "INTEGER", description="Position in the list, 0 is the first", ucd="meta.number")


def _shown(cls: Any) -> list[tuple[Column, tuple[Attribute, ...]]]:
    """The columns of the view, each with the path that leads to it."""
    shown: list[tuple[Column, tuple[Attribute, ...]]] = []
    for attribute in cls.__attributes__.values():
        if attribute.many:
            continue
        if not attribute.is_link:
            shown.append((attribute.column(), (attribute,)))
            continue
        target = attribute.target_class()
        if target is Imstat:
            shown += [
                (value.column().named(f"{attribute.column_name}_{name}"), (attribute, value))
                for name, value in target.__own__.items()
            ]
        elif target.natural_key:
            key = target.__attributes__[target.natural_key]
            column = key.column().named(attribute.column_name)
            shown.append((_described(column, attribute.doc), (attribute, key)))
        else:
            shown.append((_id_column(attribute), (attribute,)))
    return shown


def _described(column: Column, doc: str) -> Column:
    return Column(column.name, column.type, column.unit, column.ucd, doc, column.utype, column.arraysize)


def _id_column(attribute: Attribute) -> Column:
    return attribute.column().named(f"{attribute.column_name}_id")


def _keys(cls: Any) -> list[ForeignKey]:
    links = [a for a in cls.__attributes__.values() if a.is_link and not a.many]
    return [
        ForeignKey(
            f"{SCHEMA}.{snake_case(a.target_class().__name__)}",
            ((f"{a.column_name}_id", "object_id"),),
            a.doc,
        )
        for a in links
        if a.target_class() is not Imstat and not a.target_class().natural_key
    ]


def _select(cls: Any, caller: Caller) -> sa.FromClause:
    joins = Joins(cls, caller)
    columns = [joins.base.c.class_name.label("class_name")]
    columns += [joins.column(path).label(column.name) for column, path in _shown(cls)]
    return sa.select(*columns).select_from(joins.clause).where(visible(joins.base, caller)).subquery()


def _list_view(cls: Any, attribute: Attribute) -> Table:
    name = attribute.column_name
    value = Column(
        "member_id" if attribute.is_link else "value",
        attribute.scalar or "CHAR",
        description=attribute.doc,
        unit=attribute.unit,
        ucd=attribute.ucd,
        arraysize=str(OID_LENGTH) if attribute.is_link else None,
        indexed=True,
    )
    own = cls.__attributes__["object_id"].column()
    keys = [ForeignKey(f"{SCHEMA}.{snake_case(cls.__name__)}", (("object_id", "object_id"),))]
    if attribute.is_link:
        target = f"{SCHEMA}.{snake_case(attribute.target_class().__name__)}"
        keys.append(ForeignKey(target, ((value.name, "object_id"),), attribute.doc))
    return Table(
        SCHEMA,
        f"{snake_case(cls.__name__)}__{name}",
        (own, _POSITION, value),
        partial(_select_list, cls, attribute, value.name),
        description=f"{attribute.doc}: one row per member",
        kind="view",
        keys=tuple(keys),
    )


def _select_list(cls: Any, attribute: Attribute, value: str, caller: Caller) -> sa.FromClause:
    joins = Joins(cls, caller)
    table = list_table(owner(cls, attribute.name), attribute.name).alias()
    clause = joins.clause.join(table, table.c.object_id == joins.base.c.object_id)
    where = [visible(joins.base, caller)]
    if attribute.is_link:
        member = Joins(attribute.target_class(), caller)
        clause = clause.join(member.clause, member.base.c.object_id == table.c.value)
        where.append(visible(member.base, caller))
    columns = (table.c.object_id, table.c.pos, table.c.value.label(value))
    return sa.select(*columns).select_from(clause).where(*where).subquery()
