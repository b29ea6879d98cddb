"""Objects become rows: all of them, with what they link to, in one transaction."""

from collections import defaultdict
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel import crash, history, publishing, retraction, rights
from datamodel.archive import project
from datamodel.context import EVERY_PROJECT, LEVELS, SERVICE_ACCOUNT, VO
from datamodel.deletion import refuse_gone
from datamodel.errors import ForbiddenError, UsageError
from datamodel.history import event, written
from datamodel.persistent import default_of
from datamodel.schema import lineage, list_table, table_of
from datamodel.session import Session
from datamodel.values import checked

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
        The caller is anonymous, or may not change an object, or not make one as asked.
    UsageError
        An object is not ready: it has a file that was not stored, or a value it cannot have.
    """
    changed = list({id(o): o for o in objects if o.__state__.saved and o.__state__.changed}.values())
    fresh = _unsaved(objects)
    if not fresh and not changed:
        return
    rights.require_writer(session.caller)
    for instance in fresh:
        instance.ready_to_commit()
        session.prepare(type(instance))
    for instance in fresh + changed:
        instance.check_values()
    with session.transaction() as connection:
        session.on_rollback(partial(_forget, session, fresh, changed, _snapshots(fresh + changed)))
        if any(publishing.is_taken_back(each) for each in changed):
            session.archive.database.hold_events(connection)  # nobody begins to refer to it
        session.archive.database.share_events(connection)
        for instance in fresh:
            instance.ready_to_commit()  # again: a file that was stored long ago may have been removed meanwhile
        refuse_gone(connection, session.caller.user, [each for o in fresh + changed for each in _linked(o)])
        instant = history.now(connection, session.archive.clock)
        _complete_system_attributes(session, connection, fresh, instant)
        _insert(connection, fresh)
        happened = [_event(session, instant, "made", o) for o in fresh]
        for instance in changed:
            happened += _update(session, connection, instance, instant)
        moved = {e["object_id"] for e in happened if e["attribute"] == "_privileges" and e["old"] != e["new"]}
        connection.execute(sa.insert(event), happened)
        for instance in fresh:
            instance.__state__.saved, instance.__state__.session = True, session
            session.add(instance)
        for instance in changed:
            instance.__state__.changed.clear()
        publishing.follow(session, connection, [o for o in changed if o.object_id in moved])
        for listener in session.archive.listeners if changed else ():
            session.after_commit(listener)
        crash.reach(ROWS_WRITTEN)
    crash.reach(COMMITTED)


Snapshots = list[tuple[dict[str, Any], set[str]]]


def _snapshots(objects: list[Any]) -> Snapshots:
    return [(dict(o.__state__.values), set(o.__state__.changed)) for o in objects]


def _forget(session: Session, fresh: list[Any], changed: list[Any], before: Snapshots) -> None:
    """Have the objects know again that the database does not know of them, or of their changes."""
    for instance in fresh:
        instance.__state__.saved, instance.__state__.session = False, None
        session.discard(instance)
    for instance, (values, names) in zip(fresh + changed, before, strict=True):
        instance.__state__.values, instance.__state__.changed = values, names


def _unsaved(objects: list[Any]) -> list[Any]:
    """The unsaved objects and the unsaved ones they link to, linked ones first."""
    ordered, reached = [], set()
    pending = [(o, False) for o in reversed(objects)]
    pending += [(linked, False) for o in objects if o.__state__.changed for linked in _linked(o)]
    while pending:
        instance, expanded = pending.pop()
        if expanded:
            ordered.append(instance)
        elif id(instance) not in reached and not instance.__state__.saved:
            reached.add(id(instance))
            pending.append((instance, True))
            pending += [(o, False) for o in _linked(instance)]
    return ordered


def _linked(instance: Any) -> list[Any]:
    found = []
    for attribute in type(instance).__attributes__.values():
        value = instance.__state__.values.get(attribute.name)
        if attribute.is_link and value is not None:
            found += [v for v in (value if attribute.many else [value]) if hasattr(v, "__state__")]
    return found


def _complete_system_attributes(
    session: Session, connection: sa.Connection, fresh: list[Any], instant: datetime
) -> None:
    caller = session.caller
    usual = session.archive.config.project if caller.project == EVERY_PROJECT else caller.project
    limits: dict[str, int] = {}
    for instance in fresh:
        values = instance.__state__.values
        name = values.get("_project") or usual
        if name not in (usual, *caller.projects):
            raise ForbiddenError(f"{caller.user} is not a member of project '{name}'")
        if values.get("_creator") not in (None, caller.user) and caller.user != SERVICE_ACCOUNT:
            raise ForbiddenError(f"{caller.user} cannot make objects in the name of {values['_creator']}")
        if name not in limits:
            limits[name] = _maximum_privileges(connection, name)
        given: dict[str, Any] = {
            "_creator": caller.user,
            "_project": name,
            "_privileges": min(caller.level, limits[name]),
        }
        values["creation_date"] = instant  # of this transaction: who looks back relies on it
        for attribute, value in given.items():
            if values.get(attribute) is None:
                values[attribute] = value
        _check_privileges(values["_privileges"], limits[name], name)


def _maximum_privileges(connection: sa.Connection, name: str) -> int:
    found = connection.scalar(sa.select(project.c.maximum_privileges).where(project.c.name == name))
    return VO if found is None else int(found)


def _check_privileges(privileges: int, maximum: int, name: str) -> None:
    if privileges not in LEVELS:
        raise UsageError(f"privileges are {privileges}, expected one of {', '.join(map(str, LEVELS))}")
    if privileges > maximum:
        raise ForbiddenError(f"project '{name}' allows privileges up to {maximum}, not {privileges}")


def _forbid(session: Session, connection: sa.Connection, instance: Any) -> None:
    """Refuse a change by what the database says of the object, and lock it until the end."""
    caller, changed = session.caller, instance.__state__.changed
    owned = rights.locked(connection, instance.object_id)
    if owned is None or changed - {"_privileges"}:
        rights.require(connection, caller, rights.CHANGE, owned, instance)
    if "is_valid" in changed and instance.is_valid > 0:
        retraction.refuse(connection, instance)
    if owned is not None and "_privileges" in changed:
        new = instance._privileges
        if rights.sees(caller, owned):
            _check_privileges(new, _maximum_privileges(connection, owned.project), owned.project)
        rights.require_level(connection, caller, owned, new, instance)


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
    value = values[attribute.name] if attribute.name in values else default_of(attribute)
    if attribute.is_link:
        return getattr(value, "object_id", value)
    values[attribute.name] = checked(attribute, value)
    return values[attribute.name]


def _list_rows(instance: Any, attribute: Any) -> list[dict[str, Any]]:
    values = instance.__state__.values
    if attribute.name not in values:
        values[attribute.name] = default_of(attribute)
    members = values[attribute.name] = checked(attribute, values[attribute.name])
    plain = [getattr(m, "object_id", m) if attribute.is_link else m for m in members]
    return [{"object_id": instance.object_id, "pos": i, "value": v} for i, v in enumerate(plain)]


def _update(
    session: Session, connection: sa.Connection, instance: Any, instant: datetime
) -> list[dict[str, Any]]:
    """Write what changed; gives the events that say so."""
    _forbid(session, connection, instance)
    happened = []
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
            values = {"old": written(old), "new": written(new[cls.__own__[name].column_name])}
            happened.append(_event(session, instant, "changed", instance) | {"attribute": name} | values)
    return happened


def _event(session: Session, instant: datetime, kind: str, instance: Any) -> dict[str, Any]:
    return {
        "at": instant,
        "kind": kind,
        "object_id": instance.object_id,
        "who": session.caller.user,
        "attribute": None,
        "old": None,
        "new": None,
    }
