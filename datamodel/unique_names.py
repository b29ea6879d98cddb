"""Names that only one object of a kind may have: instruments, chips, filters, files; whoever writes first."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from datamodel.dialect import insert_absent
from datamodel.schema import metadata, oid_column
from datamodel.session import Session

unique_name = sa.Table(
    "unique_name",
    metadata,
    sa.Column("name", sa.String(300), primary_key=True),
    oid_column("object_id", nullable=False),
)


def one_of_a_kind(session: Session, cls: Any, name: str, make: Callable[[], Any]) -> Any:
    """The object of that name, made if there is none; never two, however many processes ask.

    Parameters
    ----------
    session
        In whose transaction it is looked up and committed.
    cls
        Its class.
    name
        Unique within the class: the natural key and what it is relative to.
    make
        Gives a new object.
    """
    full = f"{cls.__name__} {name}"
    statement = sa.select(unique_name.c.object_id).where(unique_name.c.name == full)
    with session.connection() as connection:
        known = connection.scalar(statement)
    if known is not None:
        return session.load(cls, known)
    with session.transaction() as connection:
        made = make()
        if take_name(connection, full, made.object_id):
            made.commit()
            return made
        return session.load(cls, connection.execute(statement).scalar_one())


def take_name(connection: sa.Connection, full: str, object_id: str) -> bool:
    """Give a name to an object in its transaction, unless another object has it; whether it was given.

    Parameters
    ----------
    connection
        The transaction that commits the object.
    full
        The kind and the name, separated by a space.
    object_id
        The object.
    """
    return insert_absent(connection, unique_name, {"name": full, "object_id": object_id})
