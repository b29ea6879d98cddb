"""`Comment`: what a person has to say of an object; written once, for ever."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.archive import project
from datamodel.context import EVERY_PROJECT
from datamodel.errors import UsageError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.schema import table_of
from datamodel.session import Session

LONGEST = 10_000
"""Characters of a comment at the most."""


@dataclass(frozen=True)
class Remark:
    """A comment as it is read.

    Attributes
    ----------
    text
        What is said.
    author
        Account name.
    at
        When it was written, naive UTC.
    object_id
        Of the `Comment`.
    """

    text: str
    author: str
    at: datetime
    object_id: str

    def __str__(self) -> str:
        return f"{self.at.isoformat(sep=' ', timespec='seconds')}  {self.author}: {self.text}"


class Comment(DBObject):
    """A remark of a person on an object; its author is its creator."""

    about = persistent("The object it is about", DBObject)
    text = persistent("What is said", "UNICODE")

    def ready_to_commit(self) -> None:
        """Refuse a text that says nothing, or too much.

        Raises
        ------
        UsageError
            It has no text or is longer than `LONGEST`.
        """
        self.text = (self.text or "").strip()
        if not 0 < len(self.text) <= LONGEST:
            raise UsageError(f"a comment has {len(self.text)} characters, expected 1 to {LONGEST}")
        super().ready_to_commit()

    @classmethod
    def on(cls, session: Session, instance: Any, text: str) -> "Comment":
        """A new comment, not yet committed; in queries no more people see it than see the object.

        Raises
        ------
        UsageError
            The object is not committed, or the text is empty or longer than `LONGEST`.
        """
        if not instance.__state__.saved:
            raise UsageError(f"commit {instance!r} before there is something to say of it")
        comment = cls(about=instance, text=text)
        comment.ready_to_commit()
        caller = session.caller
        if instance._project in caller.projects:
            comment._project = instance._project
        usual = session.archive.config.project if caller.project == EVERY_PROJECT else caller.project
        here = project.c.name == (comment._project or usual)
        with session.connection() as connection:
            most = connection.scalar(sa.select(project.c.maximum_privileges).where(here))
        comment._privileges = instance._privileges if most is None else min(instance._privileges, int(most))
        return comment

    @classmethod
    def all_on(cls, session: Session, instance: Any) -> list[Remark]:
        """All comments on an object, the oldest first: who sees the object sees them.

        Parameters
        ----------
        session
            One who looks back sees what had been said then.
        instance
            An object that the caller has found, so may see.
        """
        session.prepare(cls)
        objects, own = table_of(DBObject), table_of(cls)
        columns = (own.c.text, objects.c.creator, objects.c.creation_date, objects.c.object_id)
        statement = sa.select(*columns).join_from(own, objects, own.c.object_id == objects.c.object_id)
        statement = statement.where(own.c.about == instance.object_id)
        if session.caller.as_of is not None:
            statement = statement.where(objects.c.creation_date <= session.caller.as_of)
        with session.connection() as connection:
            found = connection.execute(statement.order_by(objects.c.creation_date, objects.c.object_id))
            return [Remark(*row) for row in found]
