"""One caller at work on one archive: finds, loads and completes objects, each once.

Objects that were found together are completed together: following a link on one of them follows it
on all, in one statement.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any
from weakref import WeakValueDictionary

import sqlalchemy as sa

from datamodel import compile as compiler
from datamodel.archive import Archive
from datamodel.attributes import Attribute, class_named
from datamodel.context import Caller
from datamodel.errors import NotFoundError, UsageError
from datamodel.expressions import Condition, Steps
from datamodel.schema import list_table, owner
from datamodel.state import Restricted, State

PAGE_ROWS = 500

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
        self.caller = caller
        self._objects: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._connection: sa.Connection | None = None
        self._tokens: list[Token[Session | None]] = []

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
        with self.archive.database.write() as connection:
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

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
        statement = compiler.rows(cls, condition, self.caller, order).offset(offset)
        if limit is not None:
            statement = statement.limit(limit)
        return self._restore(cls, self.execute(statement))

    def count(self, cls: Any, condition: Condition | None) -> int:
        """How many visible objects a query finds."""
        found = compiler.ids(cls, condition, self.caller).subquery()
        with self.connection() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0)

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
        wanted = list(dict.fromkeys(object_ids))
        found = {oid: self._objects[oid] for oid in wanted if oid in self._objects}
        missing = [oid for oid in wanted if oid not in found]
        names = [a.name for a in cls.__attributes__.values() if not a.many]
        rows = []
        for start in range(0, len(missing), PAGE_ROWS):
            chunk = missing[start : start + PAGE_ROWS]
            rows += self.execute(compiler.by_ids(cls, chunk, self.caller, names))
        loaded = {o.object_id: o for o in self._restore(cls, rows)}
        everything = {oid: o for oid, o in (found | loaded).items() if isinstance(o, cls)}
        return {oid: everything[oid] for oid in wanted if oid in everything}

    def _restore(self, cls: Any, rows: list[Any]) -> list[Any]:
        page: list[Any] = []
        for row in rows:
            values = dict(row)
            real = self._real_class(cls, values.pop("class_name"))
            instance = self._objects.get(values["object_id"])
            if instance is None:
                instance = object.__new__(real)
                instance.__state__ = State(values=values, saved=True, session=self)
                self._objects[values["object_id"]] = instance
            page.append(instance)
        for instance in page:
            if not instance.__state__.page:
                instance.__state__.page = page
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

    def complete(self, instance: Any, attribute: Attribute) -> None:
        """Load an attribute that was not loaded yet, on the object and its siblings of the same class."""
        cls = type(instance)
        siblings = [o for o in instance.__state__.page or [instance] if type(o) is cls]
        siblings = [o for o in siblings if attribute.name not in o.__state__.values]
        by_id = {o.__state__.values["object_id"]: o for o in siblings}
        if attribute.many:
            self._complete_list(cls, attribute, by_id)
            return
        loaded = instance.__state__.values
        names = [a.name for a in cls.__attributes__.values() if not a.many and a.name not in loaded]
        for chunk in _chunks(list(by_id)):
            for row in self.execute(compiler.by_ids(cls, chunk, self.caller, ["object_id", *names])):
                state = by_id[row["object_id"]].__state__
                state.values |= {n: row[n] for n in names if n not in state.values}

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
        siblings = [o for o in instance.__state__.page or [instance] if name in o.__state__.values]
        ids = [oid for o in siblings for oid in _unfollowed(o.__state__.values[name])]
        found = self.load_many(attribute.target_class(), ids)
        for sibling in siblings:
            values = sibling.__state__.values
            values[name] = _followed(values[name], found)


def _unfollowed(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def _followed(value: Any, found: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_followed(v, found) for v in value]
    return found.get(value) or Restricted(value) if isinstance(value, str) else value


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
