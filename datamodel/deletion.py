"""What goes with an object that is deleted, and what would break? Nothing does: what something refers to stays.

Only what few may see can be deleted: at level 1 by its creator, at level 2 also by a manager of its project. Beyond, an
object is judged bad instead, for others rely on it. Raw frames are never deleted. Who looks back does not see what was
deleted: it is gone for good, but for a record that it was there, and its bytes go with `datamodel.vacuum`.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel import crash, history, rights
from datamodel.attributes import OID_LENGTH, class_named
from datamodel.context import MYDB, PROJECT, SERVICE_ACCOUNT
from datamodel.errors import ForbiddenError, UsageError
from datamodel.history import event
from datamodel.schema import OF_CATALOGUE, metadata, table_of
from datamodel.session import Session

DELETED = crash.declare("delete.rows", "the rows of an object are deleted, the transaction is not committed")

SHOWN = 5
"""Objects that a refusal names."""

RAW = "RawFrame"

_CHUNK = 500
_SOURCE = sa.table("source", sa.column("slid"))
_SOURCE_OWNER = sa.table("source_owner", sa.column("object_id"), sa.column("slid"))
_FAVOURITE = sa.table("favourite", sa.column("object_id"))
_COMMENT = sa.table("comment", sa.column("object_id"), sa.column("about"))
"""By their names, for what they are of stands on objects, which stand on this."""


@dataclass(frozen=True)
class Reference:
    """That an object refers to one that is to be deleted.

    Attributes
    ----------
    class_name, object_id
        Of the object that refers.
    attribute
        The column by which it does.
    """

    class_name: str
    object_id: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.class_name} {self.object_id} ({self.attribute})"


@dataclass(frozen=True)
class DeletionPlan:
    """What a deletion would do.

    Attributes
    ----------
    class_name, object_id
        Of the object.
    filename
        Of its file; empty where it has none.
    references
        What would break, as far as the caller may see it.
    is_hidden
        Whether something refers to it that the caller may not see.
    comments, sources, favourites
        How many go with it.
    """

    class_name: str
    object_id: str
    filename: str
    references: tuple[Reference, ...]
    is_hidden: bool
    comments: int
    sources: int
    favourites: int

    @property
    def is_possible(self) -> bool:
        """Whether nothing would break."""
        return not self.references and not self.is_hidden

    @property
    def words(self) -> str:
        """What would go, or break, for people."""
        what = f"{self.class_name} {self.object_id}"
        if not self.is_possible:
            return f"{what} cannot be deleted: {self._breaks()}"
        counted = {"comment": self.comments, "source": self.sources, "favourite": self.favourites}
        more = [f"{number} {name}{'' if number == 1 else 's'}" for name, number in counted.items() if number]
        file = [f"file '{self.filename}'"] if self.filename else []
        return f"{what} goes for good" + (f", with {', '.join([*file, *more])}" if file or more else "")

    def _breaks(self) -> str:
        shown = [str(each) for each in self.references[:SHOWN]]
        further = len(self.references) - len(shown)
        shown += [f"{further} more"] if further else []
        shown += ["something that you may not see"] if self.is_hidden else []
        return f"there refer to it {', '.join(shown)}"


def plan(session: Session, instance: Any) -> DeletionPlan:
    """What deleting an object would do, and what would break.

    Parameters
    ----------
    session
        The caller.
    instance
        A stored object that the caller has found.

    Raises
    ------
    ForbiddenError
        The caller may not delete it, whatever refers to it.
    UsageError
        It was never committed.
    """
    with session.connection() as connection:
        return _planned(session, connection, instance, _of_objects(connection))


def delete(session: Session, instance: Any) -> DeletionPlan:
    """Delete an object for good, in one transaction; gives what went with it.

    Raises
    ------
    ForbiddenError
        The caller may not delete it, or something refers to it; the message says what.
    UsageError
        It was never committed.
    """
    with session.transaction() as connection:
        session.archive.database.hold_events(connection)  # nobody begins to refer to it
        tables = _of_objects(connection)
        planned = _planned(session, connection, instance, tables)
        if not planned.is_possible:
            raise ForbiddenError(planned.words)
        instant = history.now(connection, session.archive.clock)
        # Who follows what happened cannot ask it any more.
        chip = getattr(getattr(instance, "chip", None), "object_id", None)
        for oid in (*_comments(connection, planned.object_id, tables), planned.object_id):
            _remove(connection, oid, tables)
            said = {"at": instant, "kind": "deleted", "object_id": oid, "who": session.caller.user}
            connection.execute(sa.insert(event).values(said | {"old": planned.class_name, "new": chip}))
        for listener in session.archive.listeners:
            session.after_commit(listener)
        crash.reach(DELETED)
    instance.__state__.saved, instance.__state__.session = False, None
    session.discard(instance)
    return planned


def referring(connection: sa.Connection, object_id: str) -> list[str]:
    """The identifiers of all objects that refer to one, whoever sees them, but for the comments on it."""
    tables = _of_objects(connection)
    comments = _comments(connection, object_id, tables)
    found = [each.object_id for each in _references(connection, object_id, tables)]
    return [each for each in found if each not in comments]


def refuse_gone(connection: sa.Connection, user: str | None, instances: list[Any]) -> None:
    """See that objects are still there, and still to be seen, in the transaction of what a user has refer to them.

    Raises
    ------
    UsageError
        One of them was deleted meanwhile, or taken back by its creator.
    """
    root, stored = table_of(class_named("DBObject")).c, [i for i in instances if i.__state__.saved]
    deleted = sa.select(event.c.object_id).where(event.c.kind == "deleted")
    _refuse(connection, [i for i in stored if _level(i) <= PROJECT], deleted, event.c.object_id, "deleted")
    shared = [i for i in stored if _level(i) == PROJECT and user != SERVICE_ACCOUNT]
    hidden = sa.select(root.object_id).where(root.privileges == MYDB, root.creator != user)
    _refuse(connection, shared, hidden, root.object_id, "taken back by its creator")


def _refuse(
    connection: sa.Connection, instances: list[Any], gone: sa.Select[Any], oid: sa.Column[Any], how: str
) -> None:
    ids = [each.object_id for each in instances]
    for start in range(0, len(ids), _CHUNK):
        found = connection.scalar(gone.where(oid.in_(ids[start : start + _CHUNK])).limit(1))
        if found is not None:
            raise UsageError(f"the object '{found}' was {how} meanwhile: nothing can refer to it any more")


def _level(instance: Any) -> int:
    """As it is known in memory."""
    return instance.__state__.values.get("_privileges") or MYDB


Tables = dict[str, list[str]]
"""The tables that tell of objects, those that rest on others first; which columns may hold identifiers of others."""


def _planned(session: Session, connection: sa.Connection, instance: Any, tables: Tables) -> DeletionPlan:
    oid, root = instance.object_id, table_of(class_named("DBObject"))
    whose = sa.select(root.c.creator, root.c.project, root.c.privileges).where(root.c.object_id == oid)
    row = connection.execute(whose).one_or_none() if instance.__state__.saved else None
    if row is None:
        raise UsageError(f"{instance!r} is not stored: it was never committed, or is deleted already")
    rights.require_writer(session.caller)
    if any(cls.__name__ == RAW for cls in type(instance).__mro__):
        raise ForbiddenError(f"{instance!r} is raw: raw frames are never deleted, but may be judged bad")
    rights.require(connection, session.caller, rights.DELETE, rights.Owned(*row), instance)
    comments = set(_comments(connection, oid, tables))
    referring = [each for each in _references(connection, oid, tables) if each.object_id not in comments]
    seen = session.load_many(class_named("DBObject"), [each.object_id for each in referring])
    return DeletionPlan(
        type(instance).__name__,
        oid,
        getattr(instance, "filename", "") or "",
        tuple(each for each in referring if each.object_id in seen),
        any(each.object_id not in seen for each in referring),
        len(comments),
        _count(connection, _SOURCE, _of_lists_of(oid)) if _SOURCE_OWNER.name in tables else 0,
        _count(connection, _FAVOURITE, _FAVOURITE.c.object_id == oid),
    )


def _of_lists_of(oid: str) -> sa.ColumnElement[bool]:
    """Whether a source is in a list of an object."""
    lists = sa.select(_SOURCE_OWNER.c.slid).where(_SOURCE_OWNER.c.object_id == oid)
    return _SOURCE.c.slid.in_(lists)


def _count(connection: sa.Connection, table: sa.TableClause, here: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(here)) or 0


def _comments(connection: sa.Connection, oid: str, tables: Tables) -> list[str]:
    """What was said of an object, and of that, the last first."""
    if _COMMENT.name not in tables:
        return []
    found: list[str] = []
    last = [oid]
    while last:
        last = list(connection.scalars(sa.select(_COMMENT.c.object_id).where(_COMMENT.c.about.in_(last))))
        found = last + found
    return found


def _references(connection: sa.Connection, oid: str, tables: Tables) -> list[Reference]:
    """All that refers to an object, also by attributes and classes that this program does not know."""
    root = table_of(class_named("DBObject"))
    found = []
    for name, columns in tables.items():
        known = metadata.tables.get(name)
        if known is not None and "class" not in known.info:
            continue  # an index or a log, which goes with the object
        for column in columns:
            table = sa.table(name, sa.column("object_id"), sa.column(column))
            rows = sa.select(root.c.class_name, table.c.object_id).distinct()
            rows = rows.join_from(table, root, root.c.object_id == table.c.object_id)
            where = (table.c[column] == oid) & (table.c.object_id != oid)
            called = name.rpartition("__")[2] if column == "value" else column
            found += [Reference(cls, by, called) for cls, by in connection.execute(rows.where(where))]
    return sorted(found, key=lambda each: (each.class_name, each.object_id, each.attribute))


def _of_objects(connection: sa.Connection) -> Tables:
    """The tables of the database, for it may have classes and attributes that this program does not know.

    Catalogues are not among them: what a column is called there is up to who brought it.
    """
    inspector = sa.inspect(connection)
    columns = {name: listed for (_, name), listed in inspector.get_multi_columns().items()}
    order = [name for name, _ in reversed(inspector.get_sorted_table_and_fkc_names()) if name is not None]
    found = {}
    for name in order:
        lengths = {column["name"]: getattr(column["type"], "length", None) for column in columns[name]}
        if lengths.get("object_id") == OID_LENGTH and not OF_CATALOGUE.fullmatch(name):
            found[name] = [n for n, length in lengths.items() if length == OID_LENGTH and n != "object_id"]
    return found


def _remove(connection: sa.Connection, oid: str, tables: Tables) -> None:
    """Remove all rows of an object; the log of what happened stays."""
    if _SOURCE_OWNER.name in tables:
        connection.execute(sa.delete(_SOURCE).where(_of_lists_of(oid)))
    for name in tables:
        if name != event.name:
            table = sa.table(name, sa.column("object_id"))
            connection.execute(sa.delete(table).where(table.c.object_id == oid))
