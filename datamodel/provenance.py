"""How was an object made: where, by whom, when, in how many seconds, and by what code?

One row for each making and one text for each recipe, written in the transaction that keeps the product and never
changed. The names are those of the IVOA Provenance Data Model 1.0, where a making is an *activity*.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from datamodel.datatypes import Timestamp
from datamodel.dialect import insert_absent
from datamodel.schema import metadata, oid_column
from datamodel.session import Session

activity = sa.Table(
    "activity",
    metadata,
    oid_column("object_id", primary_key=True),
    sa.Column("class_name", sa.String(100), nullable=False),
    sa.Column("instrument", sa.Text),
    sa.Column("recipe_digest", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("account", sa.String(100), nullable=False),
    sa.Column("started", Timestamp(), nullable=False),
    sa.Column("ended", Timestamp(), nullable=False),
    sa.Column("wall_s", sa.Double, nullable=False),
    sa.Column("cpu_s", sa.Double, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Index("ix_activity_class_name", "class_name", "ended"),
    sa.Index("ix_activity_instrument", "class_name", "instrument", "ended"),
)
"""How each product was made."""

recipe = sa.Table(
    "recipe",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("class_name", sa.String(100), nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("first_seen", Timestamp(), nullable=False),
)
"""What each recipe did, as code; a digest stands for one text for ever."""

_CHUNK = 500


@dataclass(frozen=True)
class Activity:
    """One making.

    Attributes
    ----------
    object_id, class_name, instrument
        What was made, and of which instrument; None where that has none.
    recipe_digest
        Of the code that made it.
    host, pid, account
        The machine, the process and the account of the operating system that ran the recipe.
    started, ended
        When its work was given out and when it was taken back (UTC, the archive's clock).
    wall_s, cpu_s
        Seconds that the recipe took, and of processor time, all its threads together.
    versions
        Of Python and the libraries that compute, by name.
    """

    object_id: str
    class_name: str
    instrument: str | None
    recipe_digest: str
    host: str
    pid: int
    account: str
    started: datetime
    ended: datetime
    wall_s: float
    cpu_s: float
    versions: dict[str, str]


@dataclass(frozen=True)
class Recipe:
    """The code of a recipe, and when a product was first made by it (UTC)."""

    digest: str
    class_name: str
    code: str
    first_seen: datetime


def record(connection: sa.Connection, made: Activity, code: str) -> None:
    """Keep how a product was made, and the code of its recipe unless that is known.

    Parameters
    ----------
    connection
        The transaction that keeps the product.
    made
        The making.
    code
        The text of the recipe with the digest in `made`.
    """
    known = {"digest": made.recipe_digest, "class_name": made.class_name, "code": code}
    insert_absent(connection, recipe, known | {"first_seen": made.ended})
    row = vars(made) | {"versions": json.dumps(made.versions, sort_keys=True)}
    connection.execute(sa.insert(activity).values(row))


def record_again(connection: sa.Connection, object_id: str, before: str) -> None:
    """Say of an object that it was made as another was, where that was recorded.

    Parameters
    ----------
    connection
        The transaction that keeps the object.
    object_id, before
        The new object, and the other.
    """
    others = [column for column in activity.c if column.name != "object_id"]
    as_before = sa.select(sa.literal(object_id), *others).where(activity.c.object_id == before)
    names = ["object_id", *(column.name for column in others)]
    connection.execute(sa.insert(activity).from_select(names, as_before))


def activities_of(session: Session, object_ids: Iterable[str]) -> dict[str, Activity]:
    """How objects were made, as far as that was recorded; the caller is known to see these objects."""
    rows = _rows(session, activity, activity.c.object_id, object_ids)
    return _by_key(rows, "object_id", lambda row: Activity(**row | {"versions": json.loads(row["versions"])}))


def recipes_of(session: Session, digests: Iterable[str]) -> dict[str, Recipe]:
    """The recipes with these digests, as far as their code was recorded."""
    return _by_key(_rows(session, recipe, recipe.c.digest, digests), "digest", lambda row: Recipe(**row))


def _rows(session: Session, table: sa.Table, key: Any, wanted: Iterable[str]) -> list[dict[str, Any]]:
    listed, rows = list(dict.fromkeys(wanted)), []
    for start in range(0, len(listed), _CHUNK):
        rows += session.execute(sa.select(table).where(key.in_(listed[start : start + _CHUNK])))
    return [dict(row) for row in rows]


_Kind = TypeVar("_Kind")


def _by_key(
    rows: list[dict[str, Any]], key: str, made: Callable[[dict[str, Any]], _Kind]
) -> dict[str, _Kind]:
    return {row[key]: made(row) for row in rows}
