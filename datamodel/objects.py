"""`DBMeta` and `DBObject`: Python classes whose objects persist."""

from typing import Any

from datamodel.attributes import Attribute, class_named, oidtype, register
from datamodel.clock import new_object_id
from datamodel.commit import commit
from datamodel.errors import UsageError, nearest
from datamodel.persistent import persistent
from datamodel.query import Query
from datamodel.schema import own_tables
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

    def _as_judged(self, is_valid: int) -> dict[str, Any]:
        """The attributes that a judgement sets."""
        return {"is_valid": int(is_valid)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.object_id}>"
