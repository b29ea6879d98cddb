"""Is a target being made now, or did its recipe fail when it was tried last?"""

from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.datatypes import Timestamp
from datamodel.schema import metadata
from datamodel.session import Session
from processing.claims import is_claimed
from processing.derivation import derivation_key
from processing.node import FAILED, RUNNING, Node

LONGEST = 1000
"""Characters of a message that is kept."""

failure = sa.Table(
    "failure",
    metadata,
    sa.Column("derivation_key", sa.String(64), primary_key=True),
    sa.Column("class_name", sa.String(100), nullable=False),
    sa.Column("at", Timestamp(), nullable=False),
    sa.Column("who", sa.String(100)),
    sa.Column("message", sa.Text, nullable=False),
)
"""What could not be made when it was tried last; a row goes when it is made."""


def remember_failure(archive: Archive, key: str, class_name: str, who: str | None, message: str) -> None:
    """Keep that a recipe failed, in place of what was known of it before."""
    row = {"class_name": class_name, "at": archive.clock(), "who": who, "message": message[:LONGEST]}
    with archive.database.write() as connection:
        forget_failure(connection, key)
        connection.execute(sa.insert(failure), row | {"derivation_key": key})


def forget_failure(connection: sa.Connection, key: str) -> None:
    """It was made after all."""
    connection.execute(sa.delete(failure).where(failure.c.derivation_key == key))


def look(session: Session, root: Node) -> None:
    """Have each node of a plan know whether it is being made, or failed.

    That can be told of those whose inputs are all there.
    """
    keys = {key: node for node in root.walk() if (key := _key(node)) is not None}
    if not keys:
        return
    here = sa.select(failure.c.derivation_key, failure.c.message)
    with session.connection() as connection:
        failed = {
            row.derivation_key: row.message
            for row in connection.execute(here.where(failure.c.derivation_key.in_(list(keys))))
        }
        running = is_claimed(connection, session.archive.clock(), list(keys))
    for key, node in keys.items():
        if key in running:
            node.activity = RUNNING, ""
        elif key in failed:
            node.activity = FAILED, failed[key]


def _key(node: Node) -> str | None:
    """The key of what would be made now; None where nothing would, or something else first."""
    if node.stays or node.missing or not node.checked or not all(child.stays for child in node.needed()):
        return None
    inputs: dict[str, Any] = {
        name: given.existing if isinstance(given, Node) else given for name, given in node.inputs.items()
    }
    return derivation_key(node, inputs)
