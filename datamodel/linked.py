"""What do stored objects link to? Looked up by identifiers, whether or not a caller sees it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from datamodel.attributes import Attribute, class_named, is_known
from datamodel.rights import Owned
from datamodel.schema import list_table, metadata, owner, table_of

CHUNK = 500


@dataclass(frozen=True)
class Thing:
    """An object as far as its level goes."""

    object_id: str
    class_name: str
    owned: Owned


def things(connection: sa.Connection, object_ids: Iterable[str]) -> dict[str, Thing]:
    """The objects with these identifiers."""
    c, ids = metadata.tables["dbobject"].c, list(dict.fromkeys(object_ids))
    statement = sa.select(c.object_id, c.class_name, c.creator, c.project, c.privileges)
    found = {}
    for start in range(0, len(ids), CHUNK):
        for oid, name, *owned in connection.execute(
            statement.where(c.object_id.in_(ids[start : start + CHUNK]))
        ):
            found[oid] = Thing(oid, name, Owned(*owned))
    return found


def links(connection: sa.Connection, holders: Iterable[Thing], *, roles: bool) -> list[str]:
    """The identifiers that some objects link to, each once.

    Parameters
    ----------
    connection
        Where.
    holders
        Objects; of classes that this process does not know nothing is found.
    roles
        True for what they were made from; False for what describes them, such as chip, filter and statistics.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for each in holders:
        by_class[each.class_name].append(each.object_id)
    found: dict[str, None] = {}
    for name, ids in by_class.items():
        attributes = class_named(name).__attributes__.values() if is_known(name) else ()
        for attribute in attributes:
            if attribute.is_link and (attribute.kind == "role") is roles:
                for start in range(0, len(ids), CHUNK):
                    used = _used(name, attribute, ids[start : start + CHUNK])
                    found |= dict.fromkeys(connection.scalars(used))
    return [each for each in found if each is not None]


def _used(class_name: str, attribute: Attribute, ids: list[str]) -> "sa.Select[tuple[str | None]]":
    holder = owner(class_named(class_name), attribute.name)
    table = list_table(holder, attribute.name) if attribute.many else table_of(holder)
    column = table.c.value if attribute.many else table.c[attribute.column_name]
    return sa.select(column).where(table.c.object_id.in_(ids)).order_by(column)
