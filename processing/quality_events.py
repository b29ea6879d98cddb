"""What has happened to the quality of objects? What was flagged or judged, in order, from the log of events."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.attributes import all_classes, class_named
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.schema import owner, table_of
from processing.declarations import flag_names

FLAGGED, JUDGED = "flagged", "judged"
"""The system found fault with a new product; a person judged an object otherwise than before."""

AT_A_TIME = 1000
SCANNED = 100_000
"""Events of all kinds that are looked through at a time."""

_NAMES = {"instrument": Instrument, "chip": Chip, "filter": Filter}


@dataclass(frozen=True)
class QualityEvent:
    """Something that happened to the quality of an object.

    Attributes
    ----------
    number
        Of the event; what comes later has a larger one.
    event
        `FLAGGED` or `JUDGED`.
    object_id, class_name
        The object.
    instrument, chip, filter
        Their names; None where it has none.
    flags
        Names of its quality flags.
    is_valid
        The judgement; for what was flagged, as it is now.
    by
        The account that made or judged it.
    at
        Naive UTC.
    """

    number: int
    event: str
    object_id: str
    class_name: str
    instrument: str | None
    chip: str | None
    filter: str | None
    flags: list[str]
    is_valid: int
    by: str
    at: datetime

    def as_json(self, base_url: str) -> dict[str, Any]:
        """The document that is told of it.

        Parameters
        ----------
        base_url
            Of the archive, without a slash at the end.
        """
        plain = asdict(self) | {"at": f"{self.at.isoformat(timespec='milliseconds')}Z"}
        plain["class"] = plain.pop("class_name")
        return plain | {"url": f"{base_url}/object/{self.object_id}"}


def newest_number(archive: Archive, since: int) -> int:
    """The number of the newest event of any kind; `since` where there is none after it.

    No event with a smaller number is going to be committed later.
    """
    newest = sa.select(sa.func.max(event.c.id))
    with archive.database.read() as connection:
        found = connection.scalar(newest) or 0
    if found > since and archive.database.facts.lock_events:
        with archive.database.write() as connection:
            archive.database.hold_events(connection)
            found = connection.scalar(newest) or 0
    return max(since, int(found))


def quality_events(
    archive: Archive, since: int, shown: sa.ColumnElement[bool], limit: int = AT_A_TIME
) -> tuple[list[QualityEvent], int, bool]:
    """The events after one, the newest last; from where to go on; and whether there is more by now.

    Parameters
    ----------
    archive
        Open.
    since
        Number of the last event that is known; 0 for all.
    shown
        Which objects may be told of, by the columns of `dbobject`.
    limit
        So many at the most.
    """
    newest = newest_number(archive, since)
    last = min(newest, since + SCANNED)
    if last <= since:
        return [], since, False
    with archive.database.read() as connection:
        rows = connection.execute(_statement(since, last).where(shown).limit(limit)).all()
    found = [_event(row) for row in rows]
    if len(found) == limit:
        last = found[-1].number
    return found, last, last < newest


def _statement(since: int, last: int) -> sa.Select[Any]:
    objects = table_of(DBObject)
    source = event.join(objects, objects.c.object_id == event.c.object_id)
    holders = {owner(c, "instrument") for c in all_classes() if _NAMES.keys() <= c.__attributes__.keys()}
    links: dict[str, list[Any]] = {name: [] for name in _NAMES}
    for cls in sorted(holders, key=lambda c: str(c.__name__)):
        table = table_of(cls)
        source = source.outerjoin(table, table.c.object_id == objects.c.object_id)
        for name in _NAMES:
            links[name].append(table.c[name])
    columns = []
    for name, cls in _NAMES.items():
        named = table_of(cls).alias()
        linked = sa.func.coalesce(*links[name]) if len(links[name]) > 1 else links[name][0]
        source = source.outerjoin(named, named.c.object_id == linked)
        columns.append(named.c.name.label(name))
    flagged = sa.and_(event.c.kind == "made", objects.c.quality_flags > 0)
    judged = sa.and_(event.c.kind == "changed", event.c.attribute == "is_valid")
    return (
        sa.select(event, objects.c.class_name, objects.c.quality_flags, objects.c.is_valid, *columns)
        .select_from(source)
        .where(event.c.id > since, event.c.id <= last, sa.or_(flagged, judged))
        .order_by(event.c.id)
    )


def _event(row: Any) -> QualityEvent:
    judged = row.kind == "changed"
    known = {cls.__name__ for cls in all_classes()}
    names = flag_names(class_named(row.class_name), row.quality_flags) if row.class_name in known else []
    return QualityEvent(
        number=row.id,
        event=JUDGED if judged else FLAGGED,
        object_id=row.object_id,
        class_name=row.class_name,
        instrument=row.instrument,
        chip=row.chip,
        filter=row.filter,
        flags=names,
        is_valid=int(row.new) if judged else row.is_valid,
        by=row.who,
        at=row.at,
    )
