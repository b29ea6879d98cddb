"""Why must products be made again? The rules of `processing.plan` for many products at a time, one level of them."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.frames import RawScienceFrame
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import TO_BUILD
from processing import defaults, waivers
from processing import reasons as why
from processing.declarations import ALWAYS, IF_ASKED, default_values, role, roles
from processing.keys import Keys, keys_of_raw
from processing.plan import Planner
from processing.reasons import NOMINAL_RECIPE, Facts, Reason, facts_of
from processing.recipe import recipe_digest
from processing.site import instruments_of
from processing.standing_entries import Entry, Winners, facts, list_roles, role_targets, targets
from processing.standing_lacks import Lacks

NONE = "[]"
"""No reasons, as JSON."""

RULES, WALKS, LACKS = 0, 1, 2
"""How a product is judged: by rules; by a walk of its plan; by rules, but what it lacks may come."""

Shared = tuple[tuple[str, Any], ...]


@dataclass
class Written:
    """Rows of `standing` and `standing_role`, but for the view that they are in."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    roles: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the survey a product is: identifiers and an instant."""

    instrument: str | None
    chip: str | None
    filter: str | None
    compatibility: str
    instant: datetime
    raw: str | None

    def at(self, instant: datetime, filter: str | None) -> "_Place":
        """The place of a calibration that could be used here."""
        return _Place(self.instrument, self.chip, filter, self.compatibility, instant, None)


class Judge:
    """Says why products must be made again, but for what they are made from being outdated.

    Parameters
    ----------
    lens
        The session in force, through whose eyes they are seen; it looks through the transaction.
    connection
        The transaction.
    """

    def __init__(self, lens: Session, connection: sa.Connection) -> None:
        self._lens = lens
        self._connection = connection
        self._winners = Winners(connection, lens.caller)
        self._planner = Planner(instruments_of(lens.archive))
        self._defaults = defaults.in_force(lens)
        self._named = {o.object_id: o for cls in (Instrument, Chip, Filter) for o in cls.select_all()}
        self._recipes: dict[Any, frozenset[str]] = {}
        names = {oid: each.name for oid, each in self._named.items()}
        self._files = instruments_of(lens.archive)
        self._lacks = Lacks(connection, lens.caller, self._files, names, self._best, self._shared_now)
        self._nominal: set[str] | None = None

    def judged(self, cls: Any, found: list[Entry]) -> Written:
        """What is to be written of some products of a class."""
        written = Written()
        walks_all = _forgives(cls)
        for target in role_targets(cls).values():
            if target.of_exposure:
                self._winners.prepare(target, [entry.raw for entry in found if entry.raw])
        places = [_place(entry) for entry in found]
        ideals = [self._ideals(cls, entry, place) for entry, place in zip(found, places, strict=True)]
        ids = {oid for each in ideals for used, best, _ in each.values() for oid in (used, best) if oid}
        known = facts(self._connection, self._lens.caller, ids)
        for entry, place, each in zip(found, places, ideals, strict=True):
            how = WALKS if walks_all or entry.values["recipe_digest"] == NOMINAL_RECIPE else RULES
            rows = []
            for name, (used, best, shared) in each.items():
                reasons, needs = self._of_role(cls, name, used, best, known, place)
                how = WALKS if WALKS in (how, needs) else max(how, needs)
                rows.append(_role_row(cls, entry.object_id, name, used, best, shared, reasons))
            own = self._walked(cls, entry.object_id) if how == WALKS else self._own(cls, entry)
            if not self._is_made(cls, entry):
                own, how, rows = [], RULES, [row | {"reasons": NONE} for row in rows]
            if how == WALKS:
                rows = [row | {"reasons": "[]"} for row in rows]
            written.rows.append(_row(entry, own, how))
            written.roles += rows
        return written

    def _is_made(self, cls: Any, entry: Entry) -> bool:
        """Whether products of a class are made for the instrument at all; else there is no plan, and no reason."""
        file = self._files.named(self._named[entry.instrument or ""].name)
        return bool(file.makes(cls.__name__))

    def at_hand(self, cls: Any, raws: list[Any]) -> dict[str, str | None]:
        """Of some raw exposures, by identifier, those of which a product of a class can be had: the best there is.

        None where there is none, and it could be made.
        """
        self._winners.prepare(cls, [raw.object_id for raw in raws])
        found: dict[str, str | None] = {}
        for raw in raws:
            best = self._winners.newest(cls, raw.object_id)
            if best is not None or self._lacks.can_be_made(cls, _place_of(raw)):
                found[raw.object_id] = best
        return found

    def role(self, user: Any, name: str, rows: list[Any]) -> list[tuple[str | None, str, int]]:
        """Of a role of some rows of `standing` with ``used_id`` and ``shared``: the best, the reasons, and how."""
        target = role_targets(user)[name]
        places = [
            _Place(r.instrument_id, r.chip_id, r.filter_id, r.compatibility, r.instant, r.raw_id)
            for r in rows
        ]
        shared = [_shared(row.shared) for row in rows]
        if target.of_exposure:
            self._winners.prepare(target, [place.raw for place in places if place.raw])
        bests = [self._best(target, place, each) for place, each in zip(places, shared, strict=True)]
        ids = {oid for oid in (*bests, *(row.used_id for row in rows)) if oid}
        known = facts(self._connection, self._lens.caller, ids)
        found = []
        for row, place, best in zip(rows, places, bests, strict=True):
            reasons, how = self._of_role(user, name, row.used_id, best, known, place)
            found.append((_kept(user, name, best), dumped(reasons), how))
        return found

    def _ideals(
        self, cls: Any, entry: Entry, place: _Place
    ) -> dict[str, tuple[str | None, str | None, Shared]]:
        """By role: what is used, what is best, and the parameters that these must share with it."""
        effective = self._effective(cls, entry)
        declared, found = roles(cls), {}
        for name, target in role_targets(cls).items():
            shared = tuple((n, effective[n]) for n in sorted(declared[name].shares))
            found[name] = (entry.used[name], self._best(target, place, shared), shared)
        return found

    def _best(self, target: Any, place: _Place, shared: Shared) -> str | None:
        if target.of_exposure:
            return None if place.raw is None else self._winners.newest(target, place.raw)
        return self._winners.valid(target, place, shared)

    def _effective(self, cls: Any, entry: Entry) -> dict[str, Any]:
        """The parameters of a product that would be made now."""
        values = self._values_now(cls, _place(entry))
        given = (entry.values["parameters_given"] or "").split()
        return values | {name: entry.values[name] for name in given if name in values}

    def _own(self, cls: Any, entry: Entry) -> list[Reason]:
        """The reasons that lie in a product, its raw frames, its parameters and its recipe."""
        values = entry.values
        found = why.of_judgements(cls, values["is_valid"], values["quality_flags"])
        for name in list_roles(cls):
            found += self._of_list(cls, name, entry)
        found += why.of_parameters(cls, values, self._effective(cls, entry))
        if values["recipe_digest"] not in self._same_recipes(cls):
            found.append(Reason("recipe"))
        return found

    def _same_recipes(self, cls: Any) -> frozenset[str]:
        if cls not in self._recipes:
            self._recipes[cls] = waivers.equivalent(self._lens, cls.__name__, recipe_digest(cls))
        return self._recipes[cls]

    def _of_list(self, cls: Any, name: str, entry: Entry) -> list[Reason]:
        declared: role = roles(cls)[name]
        ideal = self._planner.raw_frames_of(cls, name, self._keys(_place(entry), ()))
        used = facts(self._connection, self._lens.caller, entry.members[name])
        return why.of_list(name, used.values(), map(facts_of, ideal), declared.forgives_new)

    def _of_role(
        self,
        cls: Any,
        name: str,
        used: str | None,
        best: str | None,
        known: dict[str, Facts],
        place: _Place,
    ) -> tuple[list[Reason], int]:
        """How the object used in a role differs from the best, and how the product is to be judged for that."""
        planned = roles(cls)[name].planned
        if best is not None:
            how = WALKS if planned != IF_ASKED and best in self._nominals() else RULES
            return why.of_role(name, known[used] if used else None, known[best]), how
        if planned == IF_ASKED:
            return why.of_role(name, known[used] if used else None, None), RULES
        if self._lacks.can_be_made(role_targets(cls)[name], place):
            return why.of_lack(name, used is not None, TO_BUILD), LACKS
        if planned == ALWAYS:
            return [Reason("missing", name)], LACKS
        return why.of_role(name, known[used] if used else None, None), LACKS

    def _nominals(self) -> set[str]:
        if self._nominal is None:
            self._nominal = set()
            for cls in targets():
                if hasattr(cls, "nominal"):
                    table = table_of(cls)
                    here = sa.select(table.c.object_id).where(table.c.recipe_digest == NOMINAL_RECIPE)
                    self._nominal |= set(self._connection.scalars(here))
        return self._nominal

    def _shared_now(self, cls: Any, name: str, place: _Place) -> Shared:
        """The parameters that an input must share with a product that would be made now."""
        if not roles(cls)[name].shares:
            return ()
        values = self._values_now(cls, place)
        return tuple((n, values[n]) for n in sorted(roles(cls)[name].shares))

    def _values_now(self, cls: Any, place: _Place) -> dict[str, Any]:
        """The parameters of a class that the defaults say; keys are looked up only where there are any."""
        if not self._defaults:
            return default_values(cls)
        return defaults.values_of(self._defaults, cls, self._keys(place, ()))

    def _keys(self, place: _Place, shared: Shared) -> Keys:
        raw = None
        if place.raw is not None:
            raw = self._lens.load(RawScienceFrame, place.raw)
            return keys_of_raw(raw).sharing([n for n, _ in shared], dict(shared))
        instrument, chip, filter = (
            self._named.get(oid or "") for oid in (place.instrument, place.chip, place.filter)
        )
        return Keys(instrument, chip, filter, place.instant, None, place.compatibility, shared)

    def _walked(self, cls: Any, object_id: str) -> list[Reason]:
        """All reasons of a product by a walk of its plan."""
        product = self._lens.load(cls, object_id)
        planner = Planner(instruments_of(self._lens.archive), looks_at_bytes=False)
        return list(planner.node_of(product, product.own_keys()).reasons)


def _forgives(cls: Any) -> bool:
    """Whether a class has a rule of its own for what it forgives, which is asked of objects."""
    own: Any = cls.forgives
    return bool(own.__func__.__qualname__ != "ProcessTarget.forgives")


def dumped(reasons: Collection[Reason]) -> str:
    """Reasons as JSON."""
    if not reasons:
        return NONE  # as is most often so
    return json.dumps([[r.kind, r.name, r.count, r.detail] for r in reasons])


def loaded(text: str) -> list[Reason]:
    """What `dumped` has written."""
    return [Reason(*each) for each in json.loads(text)]


def _shared(text: str) -> Shared:
    if text == NONE:
        return ()
    return tuple((name, value) for name, value in json.loads(text))


def _place(entry: Entry) -> _Place:
    return _Place(entry.instrument, entry.chip, entry.filter, entry.compatibility, entry.instant, entry.raw)


def _place_of(raw: Any) -> _Place:
    instrument, chip, filter = (
        getattr(each, "object_id", None) for each in (raw.instrument, raw.chip, raw.filter)
    )
    return _Place(instrument, chip, filter, raw.compatibility or "", raw.DATE_OBS, raw.object_id)


def _kept(cls: Any, name: str, best: str | None) -> str | None:
    """The best as the index keeps it: not for what is made only if asked, which never makes its users outdated."""
    return None if roles(cls)[name].planned == IF_ASKED else best


def _row(entry: Entry, own: list[Reason], how: int) -> dict[str, Any]:
    return {
        "object_id": entry.object_id,
        "class_name": entry.cls.__name__,
        "instrument_id": entry.instrument,
        "chip_id": entry.chip,
        "filter_id": entry.filter,
        "compatibility": entry.compatibility,
        "instant": entry.instant,
        "raw_id": entry.raw,
        "own": dumped(own),
        "walked": how,
        "outdated": 0,
    }


def _role_row(
    cls: Any,
    object_id: str,
    name: str,
    used: str | None,
    best: str | None,
    shared: Shared,
    reasons: list[Reason],
) -> dict[str, Any]:
    return {
        "object_id": object_id,
        "role": name,
        "used_id": used,
        "best_id": _kept(cls, name, best),
        "shared": json.dumps(shared) if shared else NONE,
        "reasons": dumped(reasons),
        "dep": 0,
    }
