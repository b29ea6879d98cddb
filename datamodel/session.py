"""One caller at work on one archive: finds, loads and completes objects, each once.

Objects that were found together are completed together: following a link on one of them follows it
on all, in one statement.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any
from weakref import WeakValueDictionary

import sqlalchemy as sa

from datamodel import compile as compiler
from datamodel.archive import Archive
from datamodel.attributes import Attribute, class_named, is_current
from datamodel.context import Caller
from datamodel.errors import ArchiveError, NotFoundError, UsageError
from datamodel.expressions import Condition, Steps
from datamodel.schema import list_table, owner
from datamodel.state import Restricted, State

PAGE_ROWS = 500

log = logging.getLogger("vo_server")

_current: ContextVar["Session | None"] = ContextVar("session", default=None)


class Session:
    """A context manager: inside it, queries and commits are this caller's, on this archive.

    Parameters
    ----------
    archive
        An open archive.
    caller
        Who asks; every statement gives the rows visible to it only.
    """

    def __init__(self, archive: Archive, caller: Caller) -> None:
        self.archive = archive
        self._connection: sa.Connection | None = None
        self.caller = caller
        self._undo: list[Callable[[], None]] = []
        self._after: list[Callable[[Session], object]] = []
        self._tokens: list[Token[Session | None]] = []

    @property
    def caller(self) -> Caller:
        """Who asks. Another one knows nothing of the objects that were found before.

        Raises
        ------
        UsageError
            The caller looks back from an instant that has not come yet.
        """
        return self._caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        if caller.as_of is not None:
            self.archive.settle(caller.as_of)
        self._caller = caller
        self._objects: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def __enter__(self) -> "Session":
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_error: object) -> None:
        _current.reset(self._tokens.pop())

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """The transaction under way, else a connection for looking."""
        if self._connection is not None:
            yield self._connection
        else:
            with self.archive.database.read() as connection:
                yield connection

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A writing transaction; an inner one is part of the outer."""
        if self._connection is not None:
            yield self._connection
            return
        try:
            with self.archive.database.write() as connection:
                self._connection = connection
                try:
                    yield connection
                finally:
                    self._connection = None
        except BaseException:
            self._after.clear()
            for undo in reversed(self._undo):
                undo()
            raise
        finally:
            self._undo.clear()
        self._follow_up()

    @contextmanager
    def within(self, connection: sa.Connection) -> Iterator["Session"]:
        """Look through a transaction of somebody else inside the block: what it has written is seen."""
        before, self._connection = self._connection, connection
        try:
            yield self
        finally:
            self._connection = before

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is under way."""
        return self._connection is not None

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Have `undo` called if the transaction under way comes to nothing."""
        self._undo.append(undo)

    def after_commit(self, then: Callable[["Session"], object]) -> None:
        """Have `then` called once, with this session, when the transaction under way is committed."""
        if then not in self._after:
            self._after.append(then)

    def _follow_up(self) -> None:
        after, self._after = self._after, []
        for then in after:
            try:
                then(self)
            except (ArchiveError, sa.exc.SQLAlchemyError):  # what is committed must not look as if it failed
                log.exception("what follows a commit failed")

    def prepare(self, cls: Any) -> None:
        """Make sure that the database has the tables of a class, which may have been declared just now."""
        if not self.archive.has_tables(cls):
            with self.transaction() as connection:
                self.on_rollback(self.archive.forget_tables)
                self.archive.create_tables(connection)

    def execute(self, statement: Any) -> list[Any]:
        """All rows of a statement, as mappings."""
        with self.connection() as connection:
            return list(connection.execute(statement).mappings())

    def page(
        self,
        cls: Any,
        condition: Condition | None,
        order: tuple[tuple[Steps, bool], ...],
        offset: int,
        limit: int | None,
    ) -> list[Any]:
        """Objects `offset` to `offset + limit` of a query, loaded together."""
        self.prepare(cls)
        statement = compiler.rows(cls, condition, self.caller, order).offset(offset)
        if limit is not None:
            statement = statement.limit(limit)
        return self._restore(cls, self.execute(statement))

    def ranked(
        self, cls: Any, condition: Condition | None, limit: int | None = None
    ) -> tuple[list[tuple[Any, bool]], int]:
        """The objects of a query, the best first by the caller's policy, each with whether it is a favourite.

        Beside them, how many there are without the limit.
        """
        self.prepare(cls)
        rows = [dict(row) for row in self.execute(compiler.best(cls, condition, self.caller).limit(limit))]
        pinned = [bool(row.pop("favourite")) for row in rows]
        count = [int(row.pop("candidates")) for row in rows]
        return list(zip(self._restore(cls, rows), pinned, strict=True)), max(count, default=0)

    def best_id(self, cls: Any, condition: Condition | None) -> str | None:
        """The identifier of the first that `ranked` gives, or None."""
        self.prepare(cls)
        with self.connection() as connection:
            found: str | None = connection.scalar(compiler.best_id(cls, condition, self.caller))
        return found

    def count(self, cls: Any, condition: Condition | None) -> int:
        """How many visible objects a query finds."""
        self.prepare(cls)
        found = compiler.ids(cls, condition, self.caller).subquery()
        with self.connection() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0)

    def ids(
        self, cls: Any, condition: Condition | None, order: tuple[tuple[Steps, bool], ...], limit: int | None
    ) -> list[str]:
        """The identifiers of all objects of a query, in order."""
        statement = compiler.ordered_ids(cls, condition, self.caller, order).limit(limit)
        with self.connection() as connection:
            return list(connection.execute(statement).scalars())

    def load(self, cls: Any, object_id: str) -> Any:
        """The object with that identifier.

        Raises
        ------
        NotFoundError
            There is none of that class that the caller may see.
        """
        found = self.load_many(cls, [str(object_id)]).get(str(object_id))
        if found is None:
            raise NotFoundError(f"there is no {cls.__name__} with object_id '{str(object_id)[:100]}'")
        return found

    def load_many(self, cls: Any, object_ids: Iterable[str]) -> dict[str, Any]:
        """The objects with those identifiers, as far as the caller may see them, loaded together."""
        self.prepare(cls)
        wanted = [oid for oid in dict.fromkeys(object_ids) if "\0" not in oid]  # no database keeps a NUL
        found = {oid: o for oid in wanted if (o := self.known(oid)) is not None}
        missing = [oid for oid in wanted if oid not in found]
        names = [a.name for a in cls.__attributes__.values() if not a.many]
        rows = []
        for start in range(0, len(missing), PAGE_ROWS):
            chunk = missing[start : start + PAGE_ROWS]
            rows += self.execute(compiler.by_ids(cls, chunk, self.caller, names))
        loaded = {o.object_id: o for o in self._restore(cls, rows)}
        everything = found | loaded
        together = [o for oid in wanted if isinstance(o := everything.get(oid), cls)]
        _keep_together(together)
        return {o.object_id: o for o in together}

    def known(self, object_id: str) -> Any:
        """The object, if it is in memory and its class was not declared anew since."""
        instance = self._objects.get(object_id)
        return instance if instance is not None and is_current(type(instance)) else None

    def _restore(self, cls: Any, rows: list[Any]) -> list[Any]:
        page: list[Any] = []
        for row in rows:
            values = dict(row)
            real = self._real_class(cls, values.pop("class_name"))
            instance = self.known(values["object_id"])
            if instance is None:
                instance = object.__new__(real)
                instance.__state__ = State(values=values, saved=True, session=self)
                self._objects[values["object_id"]] = instance
            else:
                _refresh(instance, values)
            page.append(instance)
        _keep_together(page)
        return page

    @staticmethod
    def _real_class(cls: Any, name: str) -> Any:
        try:
            real = class_named(name)
        except UsageError:
            return cls  # declared by another program; what `cls` knows of it can be used
        return real if issubclass(real, cls) else cls

    def add(self, instance: Any) -> None:
        """Remember an object that was just committed."""
        self._objects[instance.object_id] = instance

    def discard(self, instance: Any) -> None:
        """Forget an object whose commit came to nothing."""
        self._objects.pop(instance.object_id, None)

    def complete(self, instance: Any, attribute: Attribute) -> None:
        """Load an attribute that was not loaded yet, on the object and its siblings of the same class."""
        cls = type(instance)
        page = instance.__state__.page or [instance]
        by_id = {
            o.__state__.values["object_id"]: o
            for o in page
            if attribute.name not in o.__state__.values and _shares(o, cls, attribute)
        }
        if attribute.many:
            self._complete_list(cls, attribute, by_id)
            return
        loaded = instance.__state__.values
        names = [a.name for a in cls.__attributes__.values() if not a.many and a.name not in loaded]
        for chunk in _chunks(list(by_id)):
            for row in self.execute(compiler.by_ids(cls, chunk, self.caller, ["object_id", *names])):
                state = by_id[row["object_id"]].__state__
                state.values |= {n: row[n] for n in names if n not in state.values}
        if attribute.name not in loaded:
            raise NotFoundError(f"{instance!r} may not be seen any more")

    def _complete_list(self, cls: Any, attribute: Attribute, by_id: dict[str, Any]) -> None:
        table = list_table(owner(cls, attribute.name), attribute.name)
        lists: dict[str, list[Any]] = defaultdict(list)
        for chunk in _chunks(list(by_id)):
            statement = sa.select(table).where(table.c.object_id.in_(chunk))
            for row in self.execute(statement.order_by(table.c.object_id, table.c.pos)):
                lists[row["object_id"]].append(row["value"])
        for oid, instance in by_id.items():
            instance.__state__.values[attribute.name] = lists[oid]

    def follow(self, instance: Any, attribute: Attribute) -> None:
        """Replace identifiers by objects in a link (or list of links), on the object and its siblings."""
        name = attribute.name
        siblings = [
            o
            for o in instance.__state__.page or [instance]
            if name in o.__state__.values and type(o).__attributes__.get(name) == attribute
        ]
        ids = [oid for o in siblings for oid in _unfollowed(o.__state__.values[name])]
        found = self.load_many(attribute.target_class(), ids)
        for sibling in siblings:
            values = sibling.__state__.values
            values[name] = _followed(values[name], found, attribute.target_class().__name__)


def _shares(other: Any, cls: Any, attribute: Attribute) -> bool:
    """Whether the attribute of another object is loaded by the same statement as that of a `cls`."""
    if not attribute.many or type(other) is cls:
        return type(other) is cls
    same = type(other).__attributes__.get(attribute.name) == attribute
    return same and owner(type(other), attribute.name) is owner(cls, attribute.name)


def _keep_together(page: list[Any]) -> None:
    """Have objects completed together from now on, if that is more than each was with before."""
    for instance in page:
        if len(instance.__state__.page) < len(page):
            instance.__state__.page = page


def _refresh(instance: Any, values: dict[str, Any]) -> None:
    """Take over what an object in memory did not know, or what another program may have changed."""
    state, attributes = instance.__state__, type(instance).__attributes__
    for name, value in values.items():
        known = state.values.get(name)
        mutable = attributes[name].mutable and name not in state.changed
        if name not in state.values or (mutable and getattr(known, "object_id", known) != value):
            state.values[name] = value


def _unfollowed(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def _followed(value: Any, found: dict[str, Any], class_name: str) -> Any:
    if isinstance(value, list):
        return [_followed(v, found, class_name) for v in value]
    return found.get(value) or Restricted(value, class_name) if isinstance(value, str) else value


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), PAGE_ROWS):
        yield ids[start : start + PAGE_ROWS]


def current() -> Session:
    """The session in force.

    Raises
    ------
    UsageError
        There is none: nothing can be found or committed outside a session.
    """
    session = _current.get()
    if session is None:
        raise UsageError("no archive is open here; open one with `with Session(archive, caller):`")
    return session
