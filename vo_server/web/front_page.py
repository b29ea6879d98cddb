"""What is there to say about the archive as a whole: how much of what, and what came last? Facts only."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import snake_case
from datamodel.context import visible
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from processing.classes import RAW_CLASSES, TARGET_CLASSES
from vo_server.web.first_steps import query_url
from vo_server.web.object_page import title

NEWEST = 10
ROWS_OF_A_CLASS = 100


@dataclass(frozen=True)
class Counted:
    """One class: its name, what it is, how many visible objects, and where the first of them are listed."""

    name: str
    doc: str
    count: int
    url: str


@dataclass(frozen=True)
class Newest:
    """One of the last products that were made."""

    class_name: str
    object_id: str
    title: str
    made: str


def counted(session: Session) -> list[Counted]:
    """The raw and the target classes in the order of the work; one statement."""
    objects = table_of(DBObject)
    statement = (
        sa.select(objects.c.class_name, sa.func.count().label("n"))
        .where(visible(objects, session.caller))
        .group_by(objects.c.class_name)
    )
    counts = {row["class_name"]: row["n"] for row in session.execute(statement)}
    return [_counted(cls, counts.get(cls.__name__, 0)) for cls in (*RAW_CLASSES, *TARGET_CLASSES)]


def newest(session: Session) -> list[Newest]:
    """The last products that were made, the very last first."""
    objects = table_of(DBObject)
    names = [cls.__name__ for cls in TARGET_CLASSES]
    statement = (
        sa.select(objects.c.object_id)
        .where(visible(objects, session.caller), objects.c.class_name.in_(names))
        .order_by(objects.c.creation_date.desc(), objects.c.object_id.desc())
        .limit(NEWEST)
    )
    found = session.load_many(DBObject, [row["object_id"] for row in session.execute(statement)])
    return [_newest(product) for product in found.values()]


def _counted(cls: Any, count: int) -> Counted:
    query = f"SELECT TOP {ROWS_OF_A_CLASS} * FROM archive.{snake_case(cls.__name__)}"  # noqa: S608 - ADQL
    doc = (cls.__doc__ or "").strip().splitlines()[0]
    return Counted(cls.__name__, doc, count, query_url(query) if count else "")


def _newest(product: Any) -> Newest:
    made = f"{product.creation_date:%Y-%m-%d %H:%M} UTC"
    return Newest(type(product).__name__, product.object_id, title(product), made)
