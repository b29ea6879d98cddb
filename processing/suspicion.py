"""What is a product suspect for? Anything in its lineage that is faulty now; looked up, never stored."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import all_classes, class_named
from datamodel.context import visible
from datamodel.history import as_it_was
from datamodel.objects import DBObject
from datamodel.schema import list_table, owner, table_of
from datamodel.session import Session
from datamodel.state import Restricted


def faulty_ancestors(session: Session, product: Any) -> list[Any]:
    """All that a product was made from, at any depth, and that a person or the system found fault with.

    Parameters
    ----------
    session
        The caller. What it may not see counts as well, and is a `datamodel.state.Restricted`; for one who looks back
        what people had judged then counts.
    product
        A stored object; it may be a raw frame, which is made from nothing.

    Returns
    -------
    list
        The nearest first; each once. One statement is sent for each level of the lineage, and one for all results.
    """
    known = {cls.__name__ for cls in all_classes()}
    seen = {product.object_id}
    level = {type(product).__name__: [product.object_id]}
    faulty: list[tuple[str, str, bool]] = []
    while links := _links(level):
        found = [row for row in session.execute(_level(session, links)) if row["object_id"] not in seen]
        seen |= {row["object_id"] for row in found}
        level = defaultdict(list)
        for row in found:
            if row["class_name"] in known:
                level[row["class_name"]].append(row["object_id"])
            if row["is_valid"] <= 0 or row["quality_flags"]:
                faulty.append((row["object_id"], row["class_name"], bool(row["shown"])))
    shown = session.load_many(DBObject, [oid for oid, _, visible_now in faulty if visible_now])
    return [shown.get(oid) or Restricted(oid, name) for oid, name, _ in faulty]


def _links(level: dict[str, list[str]]) -> list[sa.Select[Any]]:
    """A statement for each role of the classes, which gives what some objects of them were made from."""
    statements: list[sa.Select[Any]] = []
    for name, object_ids in level.items():
        cls = class_named(name)
        for attribute in cls.__attributes__.values():
            if attribute.kind != "role":
                continue
            holder = owner(cls, attribute.name)
            table = list_table(holder, attribute.name) if attribute.many else table_of(holder)
            column = table.c.value if attribute.many else table.c[attribute.column_name]
            statements.append(sa.select(column.label("used")).where(table.c.object_id.in_(object_ids)))
    return statements


def _level(session: Session, links: list[sa.Select[Any]]) -> sa.Select[Any]:
    """The objects at the other end of some links, each once, with what is thought of them."""
    objects, caller = table_of(DBObject), session.caller
    judged: Any = objects.c.is_valid
    if caller.as_of is not None:
        judged = as_it_was(judged, objects.c.object_id, "is_valid", caller.as_of)
    shown = sa.case((visible(objects, caller), 1), else_=0)
    used = sa.union_all(*links).subquery()
    return (
        sa.select(
            objects.c.object_id,
            objects.c.class_name,
            judged.label("is_valid"),
            objects.c.quality_flags,
            shown.label("shown"),
        )
        .where(objects.c.object_id.in_(sa.select(used.c.used)))
        .order_by(objects.c.creation_date, objects.c.object_id)
    )
