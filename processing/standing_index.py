"""How is the index of standings made anew, and how does it follow what happens?"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from datamodel.among import among
from datamodel.attributes import class_named
from datamodel.context import WORLD
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import standing, standing_role
from processing.site import instruments_of
from processing.standing_entries import (
    Entry,
    chunks,
    entries,
    list_roles,
    made_from,
    next_ids,
    role_targets,
    targets,
    users_of,
)
from processing.standing_happened import Happened, followed_class, reach_of
from processing.standing_judge import LACKS, WALKS, Judge, Written

_JOINED = standing_role.join(
    standing,
    sa.and_(standing.c.object_id == standing_role.c.object_id, standing.c.view == standing_role.c.view),
)
_EVER = datetime(1000, 1, 1), datetime(9000, 1, 1)
_NOTHING = sa.func.coalesce(standing_role.c.best_id, "") == ""
"""That there is no best: said so that SQLite does not look up, by its index, how many are without one in all."""


class Index:
    """The index within one transaction that writes it.

    Parameters
    ----------
    lens
        A session that looks through the transaction.
    connection
        The transaction.
    view
        The number of the view of the index, which has what the lens sees.

    Attributes
    ----------
    hidden
        The objects that the world does not see, among those that were looked at, by the names of their classes.
    """

    def __init__(self, lens: Session, connection: sa.Connection, view: int) -> None:
        self.connection = connection
        self.hidden: dict[str, set[str]] = defaultdict(set)
        self._view = view
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
        here = [self._in(standing), standing.c.class_name == cls.__name__, standing.c.object_id > after]
        here += [standing.c.object_id <= until] if until else []
        products = sa.select(standing.c.object_id).where(*here)
        of_roles = sa.and_(self._in(standing_role), standing_role.c.object_id.in_(products))
        self.connection.execute(sa.delete(standing_role).where(of_roles))
        self.connection.execute(sa.delete(standing).where(*here))
        self._insert(self.judge.judged(cls, self._entries(cls, ids)))
        self.connection.execute(_dep(of_roles))
        self.connection.execute(sa.update(standing).where(*here, _HAS_TURNED).values(outdated=1))
        return len(ids), until

    def forget_others(self) -> None:
        """Remove the rows of classes that there are not any more."""
        names = [cls.__name__ for cls in targets()]
        gone = sa.and_(self._in(standing), standing.c.class_name.not_in(names))
        of_roles = standing_role.c.object_id.in_(sa.select(standing.c.object_id).where(gone))
        self.connection.execute(sa.delete(standing_role).where(self._in(standing_role), of_roles))
        self.connection.execute(sa.delete(standing).where(gone))

    def _in(self, table: Any) -> sa.ColumnElement[bool]:
        """Whether a row is of this view."""
        found: sa.ColumnElement[bool] = table.c.view == self._view
        return found

    def _among(self, column: Any, ids: list[str]) -> sa.ColumnElement[bool]:
        return among(self.connection, column, ids)

    def _entries(self, cls: Any, ids: list[str]) -> list[Entry]:
        return list(entries(self.connection, self._lens.caller, cls, ids))

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

    def _happened(self, last: int, newest: int) -> dict[str, Happened]:
        """What happened to products and raw frames, by object."""
        root = table_of(DBObject)
        columns = (event.c.object_id, event.c.attribute, event.c.old, root.c.class_name, root.c.privileges)
        joined = event.outerjoin(root, root.c.object_id == event.c.object_id)
        news = sa.select(*columns).select_from(joined).where(event.c.id > last, event.c.id <= newest)
        found: dict[str, Happened] = {}
        for oid, attribute, old, name, privileges in self.connection.execute(news):
            cls = followed_class(name or old or "")  # what was deleted has told its class
            if name is not None and privileges < WORLD:
                self.hidden[name].add(oid)
            if cls is not None:
                each = found.setdefault(oid, Happened(oid, cls))
                if attribute in ("timestamp_start", "timestamp_end") and old is not None:
                    each.instants.append(datetime.fromisoformat(old))
        for cls in {each.cls for each in found.values()}:
            ids = [oid for oid, each in found.items() if each.cls is cls]
            for row in self._lens.load_many(cls, ids).values():
                found[row.object_id].know(row)
        for chunk in chunks(list(found)):
            kept = sa.select(standing).where(self._in(standing), self._among(standing.c.object_id, chunk))
            for row in self.connection.execute(kept):
                found[row.object_id].know_again(row)
        return found

    def _spans(self, happened: dict[str, Happened]) -> dict[str, tuple[datetime, datetime]]:
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
        return reach_of(instruments_of(self._lens.archive).files)

    def _beside_raws(self, cls: Any, happened: dict[str, Happened]) -> set[str]:
        """The products of a class whose lists may hold a raw frame to which something happened."""
        kinds = tuple(list_roles(cls).values())
        found: set[str] = set()
        reach = self._reach()
        for each in happened.values():
            if kinds and issubclass(each.cls, kinds) and each.instants:
                here = [self._in(standing), standing.c.class_name == cls.__name__]
                here += [standing.c.chip_id == each.chip]
                when = standing.c.instant.between(min(each.instants) - reach, max(each.instants) + reach)
                found |= set(self.connection.scalars(sa.select(standing.c.object_id).where(*here, when)))
        return found

    def _walked(self, cls: Any, spans: dict[str, tuple[datetime, datetime]]) -> set[str]:
        """The products whose plans are walked, near what happened."""
        found: set[str] = set()
        for chip, (start, end) in spans.items():
            here = (
                self._in(standing),
                standing.c.chip_id == chip,
                standing.c.walked == WALKS,
                standing.c.class_name == cls.__name__,
            )
            when = standing.c.instant.between(start, end)
            found |= set(self.connection.scalars(sa.select(standing.c.object_id).where(*here, when)))
        return found

    def _lacking_again(
        self, happened: dict[str, Happened], spans: dict[str, tuple[datetime, datetime]]
    ) -> None:
        """Judge anew the roles for which there is nothing, where what happened may give or take something."""
        kinds = {each.cls for each in happened.values()}
        raws = sorted({each.raw for each in happened.values() if each.raw is not None})
        for user in targets():
            for name, target in role_targets(user).items():
                if kinds.isdisjoint(made_from(target)):
                    continue
                lacking = [standing_role.c.role == name, standing.c.class_name == user.__name__]
                lacking += [standing.c.walked == LACKS, _NOTHING]
                for chip, (start, end) in spans.items():
                    near = (standing.c.chip_id == chip, standing.c.instant.between(start, end))
                    self._role_again(user, name, sa.and_(*lacking, *near))
                for chunk in chunks(raws) if target.of_exposure else ():
                    self._role_again(user, name, sa.and_(*lacking, self._among(standing.c.raw_id, chunk)))

    def _judge_again(self, cls: Any, ids: list[str]) -> None:
        """Judge some products in every respect."""
        for chunk in chunks(ids):
            written = self.judge.judged(cls, self._entries(cls, chunk))
            before = self._verdicts(chunk)
            for table in (standing, standing_role):
                these = (self._in(table), self._among(table.c.object_id, chunk))
                self.connection.execute(sa.delete(table).where(*these))
            for row in written.rows:
                row["outdated"] = before.get(row["object_id"], 0)
            self._insert(written)
            here = (self._in(standing_role), self._among(standing_role.c.object_id, chunk))
            self.connection.execute(_dep(sa.and_(*here)))
            self._touched |= set(chunk)

    def _verdicts(self, ids: list[str]) -> dict[str, int]:
        """Which of some products are outdated, as it is said now."""
        found: dict[str, int] = {}
        for chunk in chunks(ids):
            here = (self._in(standing), self._among(standing.c.object_id, chunk))
            rows = self.connection.execute(sa.select(standing.c.object_id, standing.c.outdated).where(*here))
            found |= {row.object_id: row.outdated for row in rows}
        return found

    def _insert(self, written: Written) -> None:
        for table, rows in ((standing, written.rows), (standing_role, written.roles)):
            if rows:
                self.connection.execute(sa.insert(table), [row | {"view": self._view} for row in rows])

    def _users_again(self, cls: Any, changed: list[Happened]) -> None:
        """Judge anew the role that some products of a class fill or may fill, wherever it is theirs."""
        ids = [each.object_id for each in changed]
        for user, role in users_of(cls):
            affected: dict[str, None] = {}
            for where in self._affected(cls, user, role, ids, changed):
                found = sa.select(standing_role.c.object_id).select_from(_JOINED)
                found = found.where(self._in(standing_role), self._in(standing), where)
                affected |= dict.fromkeys(self.connection.scalars(found))
            for chunk in chunks(list(affected)):
                here = (standing_role.c.role == role, self._among(standing_role.c.object_id, chunk))
                self._role_again(user, role, sa.and_(*here))

    def _affected(
        self, cls: Any, user: Any, role: str, ids: list[str], changed: list[Happened]
    ) -> Iterator[Any]:
        of_role = sa.and_(standing_role.c.role == role, standing.c.class_name == user.__name__)
        for chunk in chunks(ids):
            yield sa.and_(of_role, self._among(standing_role.c.used_id, chunk))
            yield sa.and_(of_role, self._among(standing_role.c.best_id, chunk))
        if cls.of_exposure:
            raws = sorted({each.raw for each in changed if each.raw is not None})
            for chunk in chunks(raws):
                yield sa.and_(of_role, self._among(standing.c.raw_id, chunk))
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
        columns = (*standing.c, standing_role.c.used_id, standing_role.c.best_id, standing_role.c.shared)
        statement = sa.select(*columns, standing_role.c.reasons).select_from(_JOINED)
        statement = statement.where(self._in(standing_role), self._in(standing), where)
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
        verdicts = self._verdicts([best for best, _ in changes if best is not None])
        for (best, reasons), ids in changes.items():
            for chunk in chunks(ids):
                here = [self._in(standing_role), standing_role.c.role == role]
                here += [self._among(standing_role.c.object_id, chunk)]
                new = {"best_id": best, "reasons": reasons, "dep": verdicts.get(best or "", 0)}
                self.connection.execute(sa.update(standing_role).where(*here).values(new))
            self._touched |= set(ids)
        for kind, ids in lacking.items():
            for chunk in chunks(ids):
                lacks = (self._in(standing), self._among(standing.c.object_id, chunk))
                self.connection.execute(sa.update(standing).where(*lacks).values(walked=kind))
        self._judge_again(user, sorted(set(walked)))

    def _settle(self) -> None:
        """Carry the verdicts on to what is made from those that have changed, until none does."""
        touched = sorted(self._touched)
        while touched:
            turned: dict[str, int] = {}
            for chunk in chunks(touched):
                which = (self._in(standing), self._among(standing.c.object_id, chunk), _HAS_TURNED)
                found = sa.select(standing.c.object_id, standing.c.outdated).where(*which)
                turned |= {row.object_id: row.outdated for row in self.connection.execute(found)}
            self._turn(list(turned))
            self._before = turned | self._before
            touched = self._carry(turned)

    def _turn(self, ids: list[str]) -> None:
        """Have some products be up to date that were outdated, and the other way round."""
        for chunk in chunks(ids):
            here = sa.update(standing).where(self._in(standing), self._among(standing.c.object_id, chunk))
            self.connection.execute(here.values(outdated=1 - standing.c.outdated))

    def _carry(self, turned: dict[str, int]) -> list[str]:
        """Tell those whose best input has turned from some verdicts; gives whom."""
        told: set[str] = set()
        for before in (0, 1):
            for chunk in chunks([oid for oid, each in turned.items() if each == before]):
                told |= self._tell(chunk, 1 - before)
        return sorted(told)

    def _tell(self, bests: list[str], verdict: int) -> set[str]:
        """Tell those whose best inputs have one verdict now; gives whom."""
        here = sa.and_(self._in(standing_role), self._among(standing_role.c.best_id, bests))
        columns = (standing.c.object_id, standing.c.class_name, standing.c.walked)
        users = self.connection.execute(sa.select(*columns).select_from(_JOINED).where(here)).all()
        which = (here, standing_role.c.dep != verdict)
        self.connection.execute(sa.update(standing_role).where(*which).values(dep=verdict))
        walked: dict[str, set[str]] = defaultdict(set)
        for oid, name, how in users:
            if how == WALKS:
                walked[name].add(oid)
        for name, ids in walked.items():
            self._judge_again(class_named(name), sorted(ids))
        return {oid for oid, _, _ in users}

    def turned(self) -> dict[str, tuple[str, int]]:
        """The class of each product whose verdict is another now, and whether it is outdated."""
        found: dict[str, tuple[str, int]] = {}
        columns = (standing.c.object_id, standing.c.class_name, standing.c.outdated)
        for chunk in chunks(list(self._before)):
            here = (self._in(standing), self._among(standing.c.object_id, chunk))
            rows = self.connection.execute(sa.select(*columns).where(*here))
            found |= {oid: (name, outdated) for oid, name, outdated in rows if self._before[oid] != outdated}
        return found


def _dep(where: Any) -> Any:
    """The statement that says of some roles whether their best is outdated, where it is said otherwise."""
    best, user = standing.alias(), standing.alias()
    walks = sa.exists().where(
        user.c.object_id == standing_role.c.object_id,
        user.c.view == standing_role.c.view,
        user.c.walked == WALKS,
    )
    here = (best.c.object_id == standing_role.c.best_id, best.c.view == standing_role.c.view)
    found = sa.select(best.c.outdated).where(*here, ~walks).scalar_subquery()
    wrong = sa.func.coalesce(found, 0) != standing_role.c.dep
    return sa.update(standing_role).where(where, wrong).values(dep=1 - standing_role.c.dep)


def _has_turned() -> sa.ColumnElement[bool]:
    """Whether there is any reason, where it is said that there is none; or the other way round."""
    roles = standing_role
    any_role = sa.exists().where(
        roles.c.object_id == standing.c.object_id,
        roles.c.view == standing.c.view,
        sa.or_(roles.c.reasons != "[]", roles.c.dep == 1),
    )
    is_outdated = sa.case((sa.or_(standing.c.own != "[]", any_role), 1), else_=0)
    return is_outdated != standing.c.outdated


_HAS_TURNED = _has_turned()
