"""What would a change of an object make outdated? Tried in a transaction that comes to nothing."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.errors import BusyError, UsageError, nearest
from datamodel.history import event
from datamodel.rights import CHANGE, Owned, require
from datamodel.session import Session
from processing.standing_keeping import follow, tried


@dataclass(frozen=True)
class Impact:
    """What a change turns, as who asks sees it, or else the world.

    Attributes
    ----------
    outdated
        By class: identifiers of products that are up to date now, and would not be.
    mended
        By class: identifiers of those that are outdated now, and would be up to date.
    """

    outdated: dict[str, list[str]]
    mended: dict[str, list[str]]

    def __len__(self) -> int:
        return sum(map(len, self.outdated.values()))

    def __str__(self) -> str:
        lines = [f"{len(self)} would be outdated"]
        lines += [f"{len(ids):8d}  {name}" for name, ids in self.outdated.items()]
        if self.mended:
            lines.append(f"{sum(map(len, self.mended.values()))} would be up to date again")
            lines += [f"{len(ids):8d}  {name}" for name, ids in self.mended.items()]
        return "\n".join(lines)

    __repr__ = __str__


class _TriedError(Exception):
    """The transaction has done what it was for."""


def impact(session: Session, instance: Any, **changes: Any) -> Impact:
    """What changes of attributes of a stored object would turn; nothing is changed.

    Parameters
    ----------
    session
        Whose caller may make the change.
    instance
        A product or a raw frame.
    **changes
        New values of attributes that can be changed, such as ``is_valid=0``.

    Raises
    ------
    UsageError
        There is no such attribute, or it cannot be changed.
    ForbiddenError
        The caller may not make the change.
    BusyError
        The index of standings is being made anew.
    """
    known = [name for name, a in type(instance).__attributes__.items() if a.mutable]
    for name in changes:
        if name not in known:
            raise UsageError(f"{type(instance).__name__}.{name} cannot be changed{nearest(name, known)}")
    if session.is_writing:
        raise UsageError("what a change would do cannot be told within a transaction")
    owned = Owned(instance._creator, instance._project, instance._privileges)
    with session.connection() as connection:
        require(connection, session.caller, CHANGE, owned, instance)
    if not follow(session):
        raise BusyError("how products stand is being found out anew; try again later")
    state = instance.__state__
    before = dict(state.values), set(state.changed)
    turned: dict[str, tuple[str, int]] = {}
    try:
        with session.transaction() as connection:
            for name, value in changes.items():
                setattr(instance, name, value)
            instance.commit()
            newest = connection.scalar(sa.select(sa.func.max(event.c.id)))
            turned = tried(session, connection, newest or 0)
            raise _TriedError
    except _TriedError:
        pass
    finally:
        state.values, state.changed = before
    return Impact(_by_class(turned, 1), _by_class(turned, 0))


def _by_class(turned: dict[str, tuple[str, int]], verdict: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for oid, (name, outdated) in turned.items():
        if outdated == verdict:
            found.setdefault(name, []).append(oid)
    return dict(sorted(found.items()))
