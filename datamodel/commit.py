"""Objects become rows: all of them, with what they link to, in one transaction."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import event
from datamodel.context import EVERY_PROJECT, Caller, may_see
from datamodel.errors import ForbiddenError
from datamodel.schema import lineage, list_table, table_of
from datamodel.session import Session

ROWS_WRITTEN = crash.declare("commit.rows", "the rows are written, the transaction is not committed")
COMMITTED = crash.declare("commit.done", "the transaction is committed, the caller does not know yet")


def commit(session: Session, objects: list[Any]) -> None:
    """Insert new objects, with every unsaved object they link to, and write changes of stored ones.

    Parameters
    ----------
    session
        Gives the transaction and the caller, who becomes the creator.
    objects
        Persistent objects.

    Raises
    ------
    ForbiddenError
        The caller is anonymous, or may not change an object.
    """
    fresh = _unsaved(objects)
    changed = [o for o in objects if o.__state__.saved and o.__state__.changed]
    if not fresh and not changed:
        return
    _forbid(session.caller, changed)
    with session.transaction() as connection:
        _complete_system_attributes(session, fresh)
        _insert(connection, fresh)
        for instance in changed:
            _update(session, connection, instance)
        if fresh:
            connection.execute(sa.insert(event), [_event(session, "made", o) for o in fresh])
        crash.reach(ROWS_WRITTEN)
    crash.reach(COMMITTED)
    for instance in fresh:
        instance.__state__.saved, instance.__state__.session = True, session
        session.add(instance)
    for instance in changed:
        instance.__state__.changed.clear()


def _unsaved(objects: list[Any]) -> list[Any]:
    """The unsaved objects and the unsaved ones they link to, linked ones first."""
    ordered: dict[int, Any] = {}
    pending = [(o, False) for o in reversed(objects)]
    while pending:
        instance, expanded = pending.pop()
        if (
            id(instance) in ordered
            or getattr(instance, "__state__", None) is None
            or instance.__state__.saved
        ):
            continue
        if expanded:
            ordered[id(instance)] = instance
        else:
            pending.append((instance, True))
            pending += [(o, False) for o in _linked(instance)]
    return list(ordered.values())


def _linked(instance: Any) -> list[Any]:
    found = []
    for attribute in type(instance).__attributes__.values():
        value = instance.__state__.values.get(attribute.name)
        if attribute.is_link and value is not None:
            found += [v for v in (value if attribute.many else [value]) if hasattr(v, "__state__")]
    return found


def _complete_system_attributes(session: Session, fresh: list[Any]) -> None:
    caller = session.caller
    project = session.archive.config.project if caller.project == EVERY_PROJECT else caller.project
    for instance in fresh:
        values = instance.__state__.values
        given: dict[str, Any] = {"_creator": caller.user, "_project": project, "_privileges": caller.level}
        given["creation_date"] = session.archive.clock()
        for name, value in given.items():
            if values.get(name) is None:
                values[name] = value


def _forbid(caller: Caller, changed: list[Any]) -> None:
    if caller.user is None:
        raise ForbiddenError("an anonymous caller cannot change the archive; log in first")
    for instance in changed:
        if not may_change(caller, instance):
            raise ForbiddenError(f"{caller.user} may not change {instance!r}")


def may_change(caller: Caller, instance: Any) -> bool:
    """The creator, and members of its project, may change what can be changed of a visible object."""
    seen = may_see(
        caller, creator=instance._creator, project=instance._project, privileges=instance._privileges
    )
    return seen and (instance._creator == caller.user or instance._project in caller.projects)


def _insert(connection: sa.Connection, fresh: list[Any]) -> None:
    rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
    for instance in fresh:
        for cls in lineage(_class(instance)):
            row: dict[str, Any] = {"object_id": instance.object_id}
            if "object_id" in cls.__own__:
                row["class_name"] = type(instance).__name__
            row |= {a.column_name: _plain(instance, a) for a in cls.__own__.values() if not a.many}
            rows[table_of(cls)].append(row)
            for attribute in cls.__own__.values():
                if attribute.many:
                    rows[list_table(cls, attribute.name)] += _list_rows(instance, attribute)
    for table in sorted(rows, key=_depth):
        if rows[table]:
            connection.execute(sa.insert(table), rows[table])


def _class(instance: Any) -> Any:
    return type(instance)


def _depth(table: sa.Table) -> int:
    """How many tables must be filled before this one."""
    parents = [k.column.table for k in table.foreign_keys]
    return 1 + max((_depth(p) for p in parents), default=0)


def _plain(instance: Any, attribute: Any) -> Any:
    """The value as the database takes it: a link is an identifier."""
    values = instance.__state__.values
    value = values[attribute.name] if attribute.name in values else getattr(instance, attribute.name)
    return getattr(value, "object_id", value) if attribute.is_link else value


def _list_rows(instance: Any, attribute: Any) -> list[dict[str, Any]]:
    members = instance.__state__.values.get(attribute.name) or []
    plain = [getattr(m, "object_id", m) if attribute.is_link else m for m in members]
    return [{"object_id": instance.object_id, "pos": i, "value": v} for i, v in enumerate(plain)]


def _update(session: Session, connection: sa.Connection, instance: Any) -> None:
    for cls in lineage(_class(instance)):
        names = [n for n in instance.__state__.changed if n in cls.__own__]
        if not names:
            continue
        table = table_of(cls)
        here = table.c.object_id == instance.object_id
        columns = [table.c[cls.__own__[n].column_name] for n in names]
        before = connection.execute(sa.select(*columns).where(here)).one()
        new = {c.name: _plain(instance, cls.__own__[n]) for n, c in zip(names, columns, strict=True)}
        connection.execute(sa.update(table).where(here).values(new))
        for name, old in zip(names, before, strict=True):
            after = str(new[cls.__own__[name].column_name])
            change = _event(session, "changed", instance) | {"attribute": name, "old": str(old), "new": after}
            connection.execute(sa.insert(event), change)


def _event(session: Session, kind: str, instance: Any) -> dict[str, Any]:
    return {
        "at": session.archive.clock(),
        "kind": kind,
        "object_id": instance.object_id,
        "who": session.caller.user,
        "attribute": None,
        "old": None,
        "new": None,
    }
