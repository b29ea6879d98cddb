"""`DBMeta` and `DBObject`: Python classes whose objects persist."""

from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel import deletion, history, publishing, retraction, rights
from datamodel.attributes import Attribute, class_named, oidtype, register
from datamodel.clock import new_object_id
from datamodel.commit import commit
from datamodel.deletion import DeletionPlan
from datamodel.errors import UsageError, nearest
from datamodel.persistent import persistent
from datamodel.publishing import PublishPlan
from datamodel.query import Query
from datamodel.retraction import Retraction
from datamodel.schema import own_tables, table_of
from datamodel.session import current
from datamodel.state import State

JUDGEMENTS = {0: "bad", 1: "good", 2: "good, ready for delivery"}
"""What a person may say of an object by ``is_valid``."""


class DBMeta(type):
    """Makes any derived class persistent, and objects new or from the database.

    ``Cls(**attributes)`` is a new object, not yet committed; ``Cls(object_id=oid)`` is a stored one.
    """

    __own__: dict[str, Attribute]
    __attributes__: dict[str, Attribute]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        """Collect the persistent attributes; those of mixins belong to the class that mixes them in."""
        cls = super().__new__(mcs, name, bases, namespace, **options)
        above = [b for b in cls.__mro__[1:] if isinstance(b, DBMeta)]
        inherited = dict(above[0].__attributes__) if above else {}
        own = {
            key: value.attribute
            for base in reversed(cls.__mro__)
            for key, value in vars(base).items()
            if isinstance(value, persistent) and key not in inherited
        }
        if len({b for b in bases if isinstance(b, DBMeta)}) > 1:
            raise UsageError(f"{name} has more than one persistent parent; use a mixin for one of them")
        cls.__persistent__ = True  # type: ignore[attr-defined]
        cls.__own_table__ = True  # type: ignore[attr-defined]
        cls.__own__ = own
        cls.__attributes__ = inherited | _refined(cls, inherited) | own
        _refuse_equal_columns(cls)
        own_tables(cls)
        register(cls)
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Load the object where an ``object_id`` is given; else make a new one."""
        if "object_id" in kwargs:
            return current().load(cls, kwargs["object_id"])
        return super().__call__(*args, **kwargs)

    def select_all(cls) -> Query:
        """All visible objects of the class and its subclasses."""
        return Query(cls)

    def get_persistent_properties(cls) -> list[str]:
        """The names of the attributes that can be queried."""
        return sorted(name for name in cls.__attributes__ if not name.startswith("_"))


def _refined(cls: Any, inherited: dict[str, Attribute]) -> dict[str, Attribute]:
    """The inherited attributes that a class declares again, with a narrower link or another default."""
    refined = {}
    for name, before in inherited.items():
        declared = next((vars(b)[name] for b in cls.__mro__ if name in vars(b)), None)
        if not isinstance(declared, persistent):
            raise UsageError(f"{cls.__name__}.{name} hides the persistent attribute of its parent")
        now = declared.attribute
        narrower = not (now.is_link and before.is_link) or _is_narrower(now.target, before)
        if (now.scalar, now.many) != (before.scalar, before.many) or not narrower:
            raise UsageError(f"{cls.__name__}.{name} is declared otherwise than in its parent")
        refined[name] = now
    return refined


def _is_narrower(target: Any, before: Attribute) -> bool:
    if isinstance(target, str) or isinstance(before.target, str):
        return True  # declared later; checked when a value is set
    return issubclass(target, before.target)


def _refuse_equal_columns(cls: Any) -> None:
    """Raises `UsageError` where two attributes would have one name in SQL, which knows lower case only."""
    seen = {"class_name": "class_name"}
    for attribute in cls.__attributes__.values():
        if attribute.column_name in seen:
            names = f"{seen[attribute.column_name]} and {attribute.name}"
            raise UsageError(f"{cls.__name__}: {names} are the same column '{attribute.column_name}'")
        seen[attribute.column_name] = attribute.name


class DBObject(metaclass=DBMeta):
    """The root of all persistent classes.

    Parameters
    ----------
    **attributes
        Initial values of persistent attributes.

    Raises
    ------
    UsageError
        There is no such attribute; the message names the nearest.
    """

    natural_key: str | None = None
    """The attribute by which a link to this class is compared with a plain value."""

    object_id = persistent("The object identifier", oidtype, ucd="meta.id;meta.main", kind="system")
    creation_date = persistent(
        "When the object was made (UTC)", "TIMESTAMP", ucd="time.creation", indexed=True, kind="system"
    )
    is_valid = persistent(
        "Judgement of a person: 0 bad, 1 good, 2 ready for delivery",
        "SMALLINT",
        1,
        ucd="meta.code.qual",
        mutable=True,
        kind="system",
        among=JUDGEMENTS,
    )
    quality_flags = persistent(
        "Judgement of the system: bits of problems it saw, 0 for none",
        "INTEGER",
        0,
        ucd="meta.code.qual",
        kind="system",
    )
    content_digest = persistent(
        "SHA-256 of the content, without volatile parts", str, indexed=True, kind="system"
    )
    _creator = persistent("The account that made it", "UNICODE", kind="system")
    _project = persistent("The project it belongs to", "UNICODE", kind="system")
    _privileges = persistent(
        "Who sees it: 1 MyDB, 2 project, 3 every account, 4 world, 5 VO",
        "SMALLINT",
        mutable=True,
        kind="system",
    )

    __state__: State

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        """A new object, with an identifier of its own."""
        instance = super().__new__(cls)
        instance.__state__ = State(values={"object_id": new_object_id()})
        return instance

    def __init__(self, **attributes: Any) -> None:
        known = type(self).__attributes__
        for name, value in attributes.items():
            if name not in known:
                raise UsageError(f"{type(self).__name__} has no attribute '{name}'{nearest(name, known)}")
            setattr(self, name, value)

    def ready_to_commit(self) -> None:
        """Refuse to be committed for the first time where something is missing; called on linked objects too."""

    def check_values(self) -> None:
        """Refuse to be committed, or changed, with values that do not go together."""

    def commit(self) -> None:
        """Keep the object and all unsaved objects it links to, or the changes to it, in one transaction."""
        commit(current(), [self])

    def comment(self, text: str) -> None:
        """Say something of the object, under one's name and for ever; who sees the object sees it.

        Raises
        ------
        UsageError
            The text is empty or too long, or the object is not committed.
        """
        class_named("Comment").on(current(), self, text).commit()

    @property
    def comments(self) -> list[Any]:
        """What was said of the object, the oldest first: each is a `datamodel.comments.Remark`."""
        found: list[Any] = class_named("Comment").all_on(current(), self)
        return found

    def judge(self, is_valid: int, comment: str = "") -> None:
        """Say how good the object is, and what there is to say of it, in one transaction.

        Parameters
        ----------
        is_valid
            One of `JUDGEMENTS`.
        comment
            Why; empty for no comment.

        Raises
        ------
        UsageError
            There is no such judgement, or the object is not committed.
        ForbiddenError
            The caller may not change the object.
        """
        if isinstance(is_valid, bool) or is_valid not in JUDGEMENTS:
            known = ", ".join(f"{value} ({meaning})" for value, meaning in JUDGEMENTS.items())
            raise UsageError(f"is_valid is {is_valid!r}, expected one of {known}")
        if not self.__state__.saved:
            raise UsageError(f"commit {self!r} before it is judged")
        said = [class_named("Comment").on(current(), self, comment)] if comment else []
        new = {n: v for n, v in self._as_judged(is_valid).items() if getattr(self, n) != v}
        old = {name: getattr(self, name) for name in new}
        for name, value in new.items():
            setattr(self, name, value)
        try:
            commit(current(), [self, *said])
        except BaseException:
            self.__state__.values |= old
            self.__state__.changed -= set(new)
            raise

    def publish_plan(self, level: int, deep: bool = True, lineage: str = publishing.WHOLE) -> PublishPlan:
        """What `publish` would do: what goes along, what stays hidden, and what is in the way."""
        return publishing.plan(current(), self, level, deep=deep, lineage=lineage)

    def publish(
        self, level: int, deep: bool = True, lineage: str = publishing.WHOLE, agreed: str = ""
    ) -> PublishPlan:
        """Have more people see the object, and what it was made from: all of it in one transaction, or nothing.

        Parameters
        ----------
        level
            2 to 5. 1 takes back what is at 2, which only its creator can; from 3 on nothing is taken back.
        deep
            Whether what it was made from goes along, at any depth.
        lineage
            ``whole``: it is refused where something that it was made from would stay hidden; ``redacted``: that is
            left hidden.
        agreed
            Digest of the plan that somebody agreed to; another one by now is refused.

        Returns
        -------
        PublishPlan
            What was done.

        Raises
        ------
        UsageError
            There is no such level or lineage, or the plan is another one by now.
        ForbiddenError
            Something is in the way; the message says what, and who may.
        """
        return publishing.publish(current(), self, level, deep=deep, lineage=lineage, agreed=agreed)

    def retract(self, reason: str) -> None:
        """Judge the object bad for ever, and have its file be given to nobody: the row stays, with the reason.

        Raises
        ------
        UsageError
            The reason is empty or too long, the object is not committed, or was retracted already.
        ForbiddenError
            The caller may not judge the object.
        """
        said, session = retraction.checked(reason), current()
        if not self.__state__.saved:
            raise UsageError(f"commit {self!r} before it is retracted")
        rights.require_writer(session.caller)
        with session.transaction() as connection:
            session.on_rollback(partial(_restore, self.__state__, dict(self.__state__.values)))
            session.archive.database.share_events(connection)
            owned = rights.locked(connection, self.object_id)
            rights.require(connection, session.caller, rights.CHANGE, owned, self)
            state = self.__state__
            state.values = state.values | {"is_valid": _judgement(connection, self.object_id)}
            if self.is_valid != 0:
                self.judge(0)
            instant = history.now(connection, session.archive.clock)
            retraction.write(connection, self.object_id, said, str(session.caller.user), instant)
            for listener in session.archive.listeners:
                session.after_commit(listener)

    @property
    def retracted(self) -> Retraction | None:
        """When, by whom and why it was retracted; None where it was not."""
        session = current()
        with session.connection() as connection:
            found = retraction.retractions(connection, [self.object_id], session.caller)
        return found.get(self.object_id)

    def deletion_plan(self) -> DeletionPlan:
        """What `delete` would do, and what would break by it.

        Raises
        ------
        ForbiddenError
            The caller may not delete it, whatever refers to it.
        """
        return deletion.plan(current(), self)

    def delete(self) -> DeletionPlan:
        """Delete the object for good, if nothing refers to it; gives what went with it.

        Raises
        ------
        ForbiddenError
            The caller may not delete it, or something refers to it.
        """
        return deletion.delete(current(), self)

    def _as_judged(self, is_valid: int) -> dict[str, Any]:
        """The attributes that a judgement sets."""
        return {"is_valid": int(is_valid)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.object_id}>"


def _judgement(connection: sa.Connection, object_id: str) -> int | None:
    """What the database says now: others may have judged since an object was loaded."""
    root = table_of(DBObject)
    return connection.scalar(sa.select(root.c.is_valid).where(root.c.object_id == object_id))


def _restore(state: State, values: dict[str, Any]) -> None:
    """Have an object be as it was before a transaction that came to nothing."""
    state.values = values
    state.changed.clear()
