"""How is the index of standings made anew, and how does it follow what happens?"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from datamodel.attributes import all_classes, class_named
from datamodel.context import WORLD
from datamodel.frames import RawFrame
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import standing, standing_role
from processing.site import instruments_of
from processing.standing_entries import (
    chunks,
    entries,
    list_roles,
    made_from,
    next_ids,
    role_targets,
    targets,
    users_of,
)
from processing.standing_judge import LACKS, WALKS, Judge, Written

_EVER = datetime(1000, 1, 1), datetime(9000, 1, 1)


class Index:
    """The index within one transaction that writes it.

    Parameters
    ----------
    lens
        A session that looks through the transaction.
    connection
        The transaction.

    Attributes
    ----------
    has_hidden
        Whether there are objects that the world does not see, as far as was looked at.
    """

    has_hidden = False

    def __init__(self, lens: Session, connection: sa.Connection) -> None:
        self.connection = connection
        self.judge = Judge(lens, connection)
        self._lens = lens
        self._touched: set[str] = set()
        self._judged: set[tuple[str, str]] = set()  # what was judged once is judged by all that there is
        self._before: dict[str, int] = {}

    def rebuild(self, cls: Any, after: str, most: int) -> tuple[int, str | None]:
        """Judge some products of a class anew; those that it is made from were judged before.

        Returns
        -------
        count
            How many they were.
        until
            The identifier of the last of them; None where there are no more.
        """
        ids = next_ids(self.connection, cls, after, most)
        until = ids[-1] if len(ids) == most else None
        here = [standing.c.class_name == cls.__name__, standing.c.object_id > after]
        here += [standing.c.object_id <= until] if until else []
        among = sa.select(standing.c.object_id).where(*here)
        self.connection.execute(sa.delete(standing_role).where(standing_role.c.object_id.in_(among)))
        self.connection.execute(sa.delete(standing).where(*here))
        self._insert(self.judge.judged(cls, list(entries(self.connection, cls, ids))))
        self.connection.execute(_dep(standing_role.c.object_id.in_(among)))
        self.connection.execute(_outdated(sa.and_(*here)))
        return len(ids), until

    def forget_others(self) -> None:
        """Remove the rows of classes that there are not any more."""
        gone = standing.c.class_name.not_in([cls.__name__ for cls in targets()])
        among = sa.select(standing.c.object_id).where(gone)
        self.connection.execute(sa.delete(standing_role).where(standing_role.c.object_id.in_(among)))
        self.connection.execute(sa.delete(standing).where(gone))

    def is_any_hidden(self) -> bool:
        """Whether there are objects that the world does not see."""
        root = table_of(DBObject)
        hidden = sa.select(root.c.object_id).where(root.c.privileges < WORLD).limit(1)
        return self.connection.scalar(hidden) is not None

    def follow(self, last: int, newest: int) -> None:
        """Take in what happened."""
        happened = self._happened(last, newest)
        spans = self._spans(happened)
        by_class: dict[Any, list[str]] = defaultdict(list)
        for oid, each in happened.items():
            if hasattr(each.cls, "of_exposure"):
                by_class[each.cls].append(oid)
        again: dict[Any, set[str]] = defaultdict(set)
        for cls in targets():
            again[cls] |= set(by_class.get(cls, ()))
            again[cls] |= self._beside_raws(cls, happened)
            again[cls] |= self._walked(cls, spans)
        for cls in targets():
            self._judge_again(cls, sorted(again[cls]))
        for cls in targets():
            if by_class.get(cls):
                self._users_again(cls, [happened[oid] for oid in by_class[cls]])
        self._lacking_again(happened, spans)
        self._settle()

    def _happened(self, last: int, newest: int) -> dict[str, "_Happened"]:
        """What happened to products and raw frames, by object."""
        root = table_of(DBObject)
        columns = (event.c.object_id, event.c.attribute, event.c.old, root.c.class_name, root.c.privileges)
        joined = event.join(root, root.c.object_id == event.c.object_id)
        news = sa.select(*columns).select_from(joined).where(event.c.id > last, event.c.id <= newest)
        found: dict[str, _Happened] = {}
        for oid, attribute, old, name, privileges in self.connection.execute(news):
            cls = _class(name)
            if privileges < WORLD:
                self.has_hidden = True
            if cls is not None:
                each = found.setdefault(oid, _Happened(oid, cls))
                if attribute in ("timestamp_start", "timestamp_end") and old is not None:
                    each.instants.append(datetime.fromisoformat(old))
        for cls in {each.cls for each in found.values()}:
            ids = [oid for oid, each in found.items() if each.cls is cls]
            for row in self._lens.load_many(cls, ids).values():
                found[row.object_id].know(row)
        for chunk in chunks(list(found)):
            for row in self.connection.execute(sa.select(standing).where(standing.c.object_id.in_(chunk))):
                found[row.object_id].know_again(row)
        return found

    def _spans(self, happened: dict[str, "_Happened"]) -> dict[str, tuple[datetime, datetime]]:
        """By chip, from when to when something was or became valid, and as far beyond as plans may look."""
        found: dict[str, tuple[datetime, datetime]] = {}
        reach = self._reach()
        for each in happened.values():
            if each.chip is not None and each.instants:
                start, end = found.get(each.chip, (_EVER[1], _EVER[0]))
                low, high = (
                    max(min(each.instants), _EVER[0]) - reach,
                    min(max(each.instants), _EVER[1]) + reach,
                )
                found[each.chip] = min(start, low), max(end, high)
        return found

    def _reach(self) -> timedelta:
        files = instruments_of(self._lens.archive).files
        rules = [rule for file in files for rule in (file.defaults, *file.classes.values())]
        return timedelta(days=max((r.window.days or 1.0) + (r.validity.days or 1.0) for r in rules) + 1)

    def _beside_raws(self, cls: Any, happened: dict[str, "_Happened"]) -> set[str]:
        """The products of a class whose lists may hold a raw frame to which something happened."""
        kinds = tuple(list_roles(cls).values())
        found: set[str] = set()
        reach = self._reach()
        for each in happened.values():
            if kinds and issubclass(each.cls, kinds) and each.instants:
                here = (standing.c.class_name == cls.__name__, standing.c.chip_id == each.chip)
                when = standing.c.instant.between(min(each.instants) - reach, max(each.instants) + reach)
                found |= set(self.connection.scalars(sa.select(standing.c.object_id).where(*here, when)))
        return found

    def _walked(self, cls: Any, spans: dict[str, tuple[datetime, datetime]]) -> set[str]:
        """The products whose plans are walked, near what happened."""
        found: set[str] = set()
        for chip, (start, end) in spans.items():
            here = (
                standing.c.chip_id == chip,
                standing.c.walked == WALKS,
                standing.c.class_name == cls.__name__,
            )
            when = standing.c.instant.between(start, end)
            found |= set(self.connection.scalars(sa.select(standing.c.object_id).where(*here, when)))
        return found

    def _lacking_again(
        self, happened: dict[str, "_Happened"], spans: dict[str, tuple[datetime, datetime]]
    ) -> None:
        """Judge anew the roles for which there is nothing, where what happened may give or take something."""
        kinds = {each.cls for each in happened.values()}
        raws = sorted({each.raw for each in happened.values() if each.raw is not None})
        for user in targets():
            for name, target in role_targets(user).items():
                if kinds.isdisjoint(made_from(target)):
                    continue
                lacking = [standing_role.c.role == name, standing.c.class_name == user.__name__]
                lacking += [standing.c.walked == LACKS, standing_role.c.best_id.is_(None)]
                for chip, (start, end) in spans.items():
                    near = (standing.c.chip_id == chip, standing.c.instant.between(start, end))
                    self._role_again(user, name, sa.and_(*lacking, *near))
                for chunk in chunks(raws) if target.of_exposure else ():
                    self._role_again(user, name, sa.and_(*lacking, standing.c.raw_id.in_(chunk)))

    def _judge_again(self, cls: Any, ids: list[str]) -> None:
        """Judge some products in every respect."""
        for chunk in chunks(ids):
            written = self.judge.judged(cls, list(entries(self.connection, cls, chunk)))
            before = self._verdicts(chunk)
            for table in (standing, standing_role):
                self.connection.execute(sa.delete(table).where(table.c.object_id.in_(chunk)))
            for row in written.rows:
                row["outdated"] = before.get(row["object_id"], 0)
            self._insert(written)
            self._touched |= set(chunk)

    def _insert(self, written: Written) -> None:
        for table, rows in ((standing, written.rows), (standing_role, written.roles)):
            if rows:
                self.connection.execute(sa.insert(table), rows)

    def _users_again(self, cls: Any, changed: list["_Happened"]) -> None:
        """Judge anew the role that some products of a class fill or may fill, wherever it is theirs."""
        ids = [each.object_id for each in changed]
        for user, role in users_of(cls):
            affected: dict[str, None] = {}
            joined = standing_role.join(standing, standing.c.object_id == standing_role.c.object_id)
            for where in self._affected(cls, user, role, ids, changed):
                found = sa.select(standing_role.c.object_id).select_from(joined).where(where)
                affected |= dict.fromkeys(self.connection.scalars(found))
            for chunk in chunks(list(affected)):
                here = (standing_role.c.role == role, standing_role.c.object_id.in_(chunk))
                self._role_again(user, role, sa.and_(*here))

    def _affected(
        self, cls: Any, user: Any, role: str, ids: list[str], changed: list["_Happened"]
    ) -> Iterator[Any]:
        of_role = sa.and_(standing_role.c.role == role, standing.c.class_name == user.__name__)
        for chunk in chunks(ids):
            yield sa.and_(of_role, standing_role.c.used_id.in_(chunk))
            yield sa.and_(of_role, standing_role.c.best_id.in_(chunk))
        if cls.of_exposure:
            raws = sorted({each.raw for each in changed if each.raw is not None})
            for chunk in chunks(raws):
                yield sa.and_(of_role, standing.c.raw_id.in_(chunk))
            return
        groups: dict[tuple[Any, ...], list[datetime]] = defaultdict(list)
        for each in changed:
            groups[each.chip, each.filter if cls.needs_filter else None, each.compatibility] += each.instants
        for (chip, filter, compatibility), instants in groups.items():
            if chip is None or not instants:
                continue
            here = [of_role, standing.c.chip_id == chip, standing.c.compatibility == compatibility]
            here += [standing.c.filter_id == filter] if cls.needs_filter else []
            yield sa.and_(*here, standing.c.instant.between(min(instants), max(instants)))

    def _role_again(self, user: Any, role: str, where: Any) -> None:
        joined = standing_role.join(standing, standing.c.object_id == standing_role.c.object_id)
        columns = (*standing.c, standing_role.c.used_id, standing_role.c.best_id, standing_role.c.shared)
        statement = sa.select(*columns, standing_role.c.reasons).select_from(joined).where(where)
        rows = [
            row for row in self.connection.execute(statement) if (role, row.object_id) not in self._judged
        ]
        self._judged |= {(role, row.object_id) for row in rows}
        walked = [row.object_id for row in rows if row.walked == WALKS]
        plain = [row for row in rows if row.walked != WALKS]
        changes: dict[tuple[str | None, str], list[str]] = defaultdict(list)
        lacking: dict[int, list[str]] = defaultdict(list)
        for row, (best, reasons, walks) in zip(plain, self.judge.role(user, role, plain), strict=True):
            if walks == WALKS:
                walked.append(row.object_id)
                continue
            if walks == LACKS and row.walked != LACKS:
                lacking[LACKS].append(row.object_id)
            if (best, reasons) != (row.best_id, row.reasons):
                changes[best, reasons].append(row.object_id)
        for (best, reasons), ids in changes.items():
            for chunk in chunks(ids):
                here = (standing_role.c.role == role, standing_role.c.object_id.in_(chunk))
                new = {"best_id": best, "reasons": reasons}
                self.connection.execute(sa.update(standing_role).where(*here).values(new))
            self._touched |= set(ids)
        for kind, ids in lacking.items():
            for chunk in chunks(ids):
                lacks = standing.c.object_id.in_(chunk)
                self.connection.execute(sa.update(standing).where(lacks).values(walked=kind))
        self._judge_again(user, sorted(set(walked)))

    def _settle(self) -> None:
        """Carry the verdicts on to what is made from those that have changed, until none does."""
        touched = sorted(self._touched)
        for chunk in chunks(touched):
            self.connection.execute(_dep(standing_role.c.object_id.in_(chunk)))
        while touched:
            turned: list[str] = []
            for chunk in chunks(touched):
                before = self._verdicts(chunk)
                self.connection.execute(_outdated(standing.c.object_id.in_(chunk)))
                after = self._verdicts(chunk)
                turned += [oid for oid in chunk if before.get(oid) != after.get(oid)]
                self._before = before | self._before
            touched = self._carry(turned)

    def _carry(self, turned: list[str]) -> list[str]:
        """Tell those whose best input has turned; gives whom."""
        told: set[str] = set()
        for chunk in chunks(turned):
            here = standing_role.c.best_id.in_(chunk)
            self.connection.execute(_dep(here))
            joined = standing_role.join(standing, standing.c.object_id == standing_role.c.object_id)
            columns = (standing.c.object_id, standing.c.class_name, standing.c.walked)
            walked: dict[str, list[str]] = defaultdict(list)
            for oid, name, how in self.connection.execute(
                sa.select(*columns).select_from(joined).where(here)
            ):
                told.add(oid)
                if how == WALKS:
                    walked[name].append(oid)
            for name, ids in walked.items():
                self._judge_again(class_named(name), sorted(set(ids)))
        return sorted(told)

    def turned(self) -> dict[str, tuple[str, int]]:
        """The class of each product whose verdict is another now, and whether it is outdated."""
        found: dict[str, tuple[str, int]] = {}
        columns = (standing.c.object_id, standing.c.class_name, standing.c.outdated)
        for chunk in chunks(list(self._before)):
            rows = self.connection.execute(sa.select(*columns).where(standing.c.object_id.in_(chunk)))
            found |= {oid: (name, outdated) for oid, name, outdated in rows if self._before[oid] != outdated}
        return found

    def _verdicts(self, ids: list[str]) -> dict[str, int]:
        here = sa.select(standing.c.object_id, standing.c.outdated).where(standing.c.object_id.in_(ids))
        return dict(tuple(row) for row in self.connection.execute(here))


class _Happened:
    """An object to which something happened: where it is, was, and from when to when it matters or did."""

    def __init__(self, object_id: str, cls: Any) -> None:
        self.object_id = object_id
        self.cls = cls
        self.chip: str | None = None
        self.filter: str | None = None
        self.compatibility = ""
        self.raw: str | None = None
        self.instants: list[datetime] = []

    def know(self, row: Any) -> None:
        """Take in what the object is."""
        if getattr(self.cls, "of_exposure", False):
            self.raw = row.raw.object_id if row.raw is not None else None
            return
        self.chip = row.chip.object_id if row.chip is not None else None
        self.filter = row.filter.object_id if row.filter is not None else None
        self.compatibility = row.compatibility or ""
        is_raw = issubclass(self.cls, RawFrame)
        instants = (row.DATE_OBS,) if is_raw else (row.timestamp_start, row.timestamp_end, row.date_obs)
        self.instants += [each for each in instants if each is not None]

    def know_again(self, row: Any) -> None:
        """Take in what the index has of it, for an object that may be hidden now."""
        self.raw = self.raw or row.raw_id
        self.chip = self.chip or row.chip_id
        self.filter = self.filter or row.filter_id
        self.compatibility = self.compatibility or row.compatibility
        self.instants += [row.instant] if row.instant is not None and not self.cls.of_exposure else []


def _class(name: str) -> Any:
    """The class of that name, where it is one of products or raw frames; else None."""
    known = (c for c in all_classes() if hasattr(c, "of_exposure") or issubclass(c, RawFrame))
    return next((cls for cls in known if cls.__name__ == name), None)


def _dep(where: Any) -> Any:
    """The statement that says of some roles whether their best is outdated."""
    best, user = standing.alias(), standing.alias()
    walks = sa.exists().where(user.c.object_id == standing_role.c.object_id, user.c.walked == WALKS)
    is_outdated = sa.select(best.c.outdated).where(best.c.object_id == standing_role.c.best_id, ~walks)
    return (
        sa.update(standing_role).where(where).values(dep=sa.func.coalesce(is_outdated.scalar_subquery(), 0))
    )


def _outdated(where: Any) -> Any:
    """The statement that says of some products whether there is any reason."""
    roles = standing_role
    any_role = sa.exists().where(
        roles.c.object_id == standing.c.object_id, sa.or_(roles.c.reasons != "[]", roles.c.dep == 1)
    )
    found = sa.case((sa.or_(standing.c.own != "[]", any_role), 1), else_=0)
    return sa.update(standing).where(where).values(outdated=found)
