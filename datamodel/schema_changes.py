"""How did the tables of an archive come to be what they are? Each change is a row, written in its own transaction."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version

import sqlalchemy as sa

from datamodel.datatypes import Timestamp
from datamodel.schema import metadata

BEGUN = "begun"
MIGRATED = "migrated"
CLASS_ADDED = "class added"
ATTRIBUTE_ADDED = "attribute added"
ATTRIBUTE_HIDDEN = "attribute hidden"
ATTRIBUTE_SHOWN = "attribute shown again"

schema_change = sa.Table(
    "schema_change",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", Timestamp(), nullable=False),
    sa.Column("what", sa.String(40), nullable=False),
    sa.Column("class_name", sa.String(100)),
    sa.Column("attribute", sa.String(100)),
    sa.Column("told", sa.Text),
    sa.Column("version", sa.String(40), nullable=False),
)
"""The log of changes of tables: what was done, when, and by which version of the program."""


@dataclass(frozen=True)
class Change:
    """One change of the tables.

    Attributes
    ----------
    what
        One of the kinds above.
    class_name, attribute
        Whose table; the attribute by its SQL name. None where it is no table of a class.
    told
        The column and its type, or the revision and what its migration does.
    """

    what: str
    class_name: str | None = None
    attribute: str | None = None
    told: str = ""


def record(connection: sa.Connection, at: datetime, changes: Iterable[Change]) -> None:
    """Write down what is done in a transaction, and that it is this version of the program that does it."""
    rows = [asdict(change) | {"at": at, "version": version("vo-server")} for change in changes]
    if rows:
        connection.execute(sa.insert(schema_change), rows)


def hidden(connection: sa.Connection) -> set[tuple[str, str]]:
    """The classes and attributes that were written down as hidden, and not as shown again since."""
    table = schema_change
    seen = sa.select(table.c.what, table.c.class_name, table.c.attribute).order_by(table.c.id)
    last = {
        (class_name, attribute): what
        for what, class_name, attribute in connection.execute(
            seen.where(table.c.what.in_((ATTRIBUTE_HIDDEN, ATTRIBUTE_SHOWN)))
        )
    }
    return {place for place, what in last.items() if what == ATTRIBUTE_HIDDEN}
