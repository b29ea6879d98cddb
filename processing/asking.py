"""What a person writes becomes keys: dates, names and identifiers to stored objects and an instant."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from datamodel.attributes import class_named
from datamodel.context import POLICIES
from datamodel.errors import NotFoundError, UsageError, nearest
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.series import distinct
from datamodel.session import Session, current
from processing.declarations import parameters
from processing.keys import ANY_TIME, Keys, keys_of_raw
from processing.selection import Demands
from processing.site import instruments_of

KEYS = ("instrument", "date", "chip", "filter", "raw", "compatibility")
OPTIONS = ("as_of", "policy", "allow_forever", "only_good")
"""What may be said of how to choose, beside the keys."""

FIRST_YEAR, LAST_YEAR = 1000, 8999
"""Of what can be asked for: plans look some days beyond it."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_Day = TypeVar("_Day", date, datetime)


def ask(cls: Any, given: dict[str, Any]) -> tuple[Keys, dict[str, Any]]:
    """Keys and parameter overrides from keyword arguments.

    Parameters
    ----------
    cls
        The target class.
    given
        Keys by name; parameters as ``NAME``, ``Class.NAME`` or ``Class.process_params.NAME``.

    Raises
    ------
    UsageError
        Something is unknown, missing or ambiguous; the message quotes it and lists what there is.
    """
    keys = {k: v for k, v in given.items() if k in KEYS and v is not None}
    overrides = {_parameter(cls, k): v for k, v in given.items() if k not in KEYS}
    return (_exposure_keys(cls, keys) if cls.of_exposure else _calibration_keys(cls, keys)), overrides


@contextmanager
def looking(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Demands]]:
    """The keys and parameters without the options of choosing, which are in force inside the block.

    Raises
    ------
    UsageError
        An option has a value that it cannot have.
    """
    rest = {k: v for k, v in given.items() if k not in OPTIONS}
    demands = Demands(_truth(given, "allow_forever"), _truth(given, "only_good"))
    as_of, policy = given.get("as_of"), given.get("policy")
    if policy is not None and policy not in POLICIES:
        raise UsageError(
            f"policy is '{policy}', expected one of {', '.join(POLICIES)}{nearest(str(policy), POLICIES)}"
        )
    session = current()
    caller = session.caller.at(as_of=None if as_of is None else instant(as_of, "as_of"), policy=policy)
    with session if caller == session.caller else Session(session.archive, caller):
        yield rest, demands


def _truth(given: dict[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{name} is '{value}', expected True or False")
    return value is not False


def instant(given: Any, name: str) -> datetime:
    """An instant (naive, UTC) that somebody gave, as a `datetime` or in ISO 8601; a day means its beginning.

    Raises
    ------
    UsageError
        It is none; the message quotes it under that name.
    """
    try:
        return _read(given)
    except ValueError as error:
        raise UsageError(
            f"{name} is '{given}', expected an instant in ISO 8601 such as '2010-10-11'{_why_not(error)}"
        ) from None


def _parameter(cls: Any, name: str) -> str:
    plain = name.replace(".process_params.", ".")
    if "." in plain:
        owner, _, plain = plain.rpartition(".")
        cls = class_named(owner)
    known = parameters(cls)
    if plain not in known:
        raise UsageError(
            f"{cls.__name__} has no key or parameter '{name}'{nearest(name, [*known, *KEYS, *OPTIONS])}"
        )
    return f"{cls.__name__}.{plain}"


def _exposure_keys(cls: Any, keys: dict[str, Any]) -> Keys:
    raw = keys.get("raw")
    others = [name for name in keys if name != "raw"]
    if raw is not None and others:
        raise UsageError(f"an exposure says it all: {', '.join(others)} beside raw has no meaning")
    if "compatibility" in keys:
        raise UsageError(f"{cls.__name__} belongs to one exposure: compatibility has no meaning")
    if raw is None:
        raw = _the_exposure(cls, keys)
    elif isinstance(raw, str):
        raw = current().load(RawScienceFrame, raw)
    if not isinstance(raw, RawScienceFrame):
        raise UsageError(f"{cls.__name__} belongs to a RawScienceFrame, not to {raw!r}")
    return keys_of_raw(raw)


def _the_exposure(cls: Any, keys: dict[str, Any]) -> Any:
    """The one exposure of a night that fits the keys."""
    instrument, chip = _instrument_and_chip(cls, keys)
    start, end = _span(instrument, keys)
    query = (
        (RawScienceFrame.chip == chip)
        & (start <= RawScienceFrame.DATE_OBS)
        & (end > RawScienceFrame.DATE_OBS)
    )
    if "filter" in keys:
        query &= RawScienceFrame.filter == _filter(instrument, keys["filter"])
    found = list(query.order_by("DATE_OBS").limit(50))
    if len(found) != 1:
        listed = ", ".join(f"{r.object_id} ({r.obs_id})" for r in found[:10]) or "none"
        raise UsageError(f"{cls.__name__} needs one exposure (raw=); these fit: {listed}")
    return found[0]


def _calibration_keys(cls: Any, keys: dict[str, Any]) -> Keys:
    group = _group(cls, keys)
    return group.at(_instant(group.instrument, keys))


def _group(cls: Any, keys: dict[str, Any]) -> Keys:
    """What the calibrations of all times have in common."""
    if "raw" in keys:
        raise UsageError(f"{cls.__name__} is a calibration: it has a date, not a raw exposure")
    instrument, chip = _instrument_and_chip(cls, keys)
    if cls.needs_filter and "filter" not in keys:
        names = sorted(f.name for f in Filter.instrument == instrument)
        raise UsageError(f"{cls.__name__} needs a filter; {instrument.name} has {', '.join(names)}")
    named = _filter(instrument, keys["filter"]) if "filter" in keys else None
    chosen = named if cls.needs_filter else None
    shared = _compatibility(keys.get("compatibility"))
    _must_be_known(chip, shared)
    return Keys(instrument, chip, chosen, ANY_TIME, compatibility=shared)


def keys_of_group(cls: Any, given: dict[str, Any]) -> Keys:
    """The keys that all calibrations of one timeline have; process parameters are among them.

    Raises
    ------
    UsageError
        Something is unknown, missing or ambiguous.
    """
    if "date" in given:
        raise UsageError(f"a timeline is of all times: date '{given['date']}' has no meaning")
    keys = {k: v for k, v in given.items() if k in KEYS and v is not None}
    overrides = {_parameter(cls, k).partition(".")[2]: v for k, v in given.items() if k not in KEYS}
    known = parameters(cls)
    shared = tuple(sorted((name, known[name].value(v)) for name, v in overrides.items()))
    found = replace(_group(cls, keys), shared=shared)
    return found if "compatibility" in keys else replace(found, compatibility=_only_compatibility(cls, found))


def _only_compatibility(cls: Any, keys: Keys) -> str:
    """What the raw frames of all calibrations of a chip have in common."""
    query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip)
    found = sorted({shared or "" for (shared,) in distinct(query, "compatibility")})
    if len(found) > 1:
        raise UsageError(f"{cls.__name__} needs a compatibility; there are {', '.join(found)}")
    return found[0] if found else ""


def _compatibility(given: Any) -> str:
    """What raw frames must have in common, as they have it; empty where nothing was said."""
    if given is None:
        return ""
    try:
        read = json.loads(given) if isinstance(given, str) else given
        if not isinstance(read, dict):
            raise TypeError("no object")
        return json.dumps(read, sort_keys=True)
    except (ValueError, TypeError):
        raise UsageError(
            f"compatibility is '{given}', expected a JSON object such as '{{\"binning\": \"2x2\"}}'"
        ) from None


def _must_be_known(chip: Any, shared: str) -> None:
    """Refuse a compatibility with what the raw frames of a chip do not say of themselves."""
    if shared in ("", "{}"):
        return
    said = [json.loads(each or "{}") for (each,) in distinct(RawFrame.chip == chip, "compatibility")]
    known = {name for each in said for name in each}
    unknown = next((name for name in json.loads(shared) if name not in known), None)
    if said and unknown is not None:
        there = f"raw frames of {chip.name} have {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"compatibility has no '{unknown}'; {there}{nearest(unknown, known)}")


def _instrument_and_chip(cls: Any, keys: dict[str, Any]) -> tuple[Any, Any]:
    """The chip named, and its instrument; a unique chip name needs no instrument."""
    wanted = keys.get("chip")
    if isinstance(wanted, Chip):
        return wanted.instrument, wanted
    chips = list(Chip.select_all().order_by("name"))
    if "instrument" in keys:
        name = getattr(keys["instrument"], "name", keys["instrument"])
        chips = [c for c in chips if c.instrument.name == name]
        if not chips:
            names = [i.name for i in Instrument.select_all()]
            raise NotFoundError(f"{_there_is()} no instrument '{name}'{nearest(str(name), names)}")
    if wanted is None and len(chips) > 1:
        raise UsageError(f"{cls.__name__} needs a chip; there are {_listed(chips)}")
    fit = [c for c in chips if wanted is None or c.name == wanted]
    if not fit:
        there = f"; there are {_listed(chips)}" if chips else ""
        raise NotFoundError(
            f"{_there_is()} no chip '{wanted}'{there}{nearest(str(wanted), [c.name for c in chips])}"
        )
    if len(fit) > 1:
        raise UsageError(f"chip '{wanted}' is not unique: say instrument=; there are {_listed(fit)}")
    return fit[0].instrument, fit[0]


def _there_is() -> str:
    as_of = current().caller.as_of
    return "there is" if as_of is None else f"as of {as_of.isoformat()} there was"


def _listed(chips: list[Any]) -> str:
    return ", ".join(f"{c.instrument.name}/{c.name}" for c in chips[:40])


def _filter(instrument: Any, wanted: Any) -> Any:
    if isinstance(wanted, Filter):
        return wanted
    filters = {f.name: f for f in Filter.instrument == instrument}
    by_band = {f.mag_id: f for f in filters.values() if f.mag_id}
    found = filters.get(wanted) or by_band.get(wanted)
    if found is None:
        there = f"; {instrument.name} has {', '.join(sorted(filters))}"
        raise NotFoundError(f"{_there_is()} no filter '{wanted}'{there}{nearest(str(wanted), filters)}")
    return found


def _instant(instrument: Any, keys: dict[str, Any]) -> datetime:
    """A night means its local midnight; an instant means itself."""
    night, instant = _when(keys)
    if instant is not None:
        return instant
    assert night is not None
    return instruments_of(current().archive).named(instrument.name).midnight(night)


def _span(instrument: Any, keys: dict[str, Any]) -> tuple[datetime, datetime]:
    """The night from local noon to local noon; for an instant, that microsecond."""
    night, instant = _when(keys)
    if instant is not None:
        return instant, instant + timedelta(microseconds=1)
    assert night is not None
    middle = instruments_of(current().archive).named(instrument.name).midnight(night)
    return middle - timedelta(hours=12), middle + timedelta(hours=12)


def _when(keys: dict[str, Any]) -> tuple[date | None, datetime | None]:
    given = keys.get("date")
    if given is None:
        raise UsageError("a date is needed: a night such as '2003-02-14' or an instant '2003-02-14T23:10:00'")
    try:
        if isinstance(given, date) and not isinstance(given, datetime):
            return _in_range(given), None
        if isinstance(given, str) and len(given) == len("2003-02-14"):
            return _read(given).date(), None
        return None, _read(given)
    except ValueError as error:
        raise UsageError(
            f"date '{given}' is neither a night '2003-02-14' nor an instant in ISO 8601{_why_not(error)}"
        ) from None


def _read(given: Any) -> datetime:
    """A `datetime`, or what a text in ISO 8601 with hyphens says; a `ValueError` for anything else."""
    if isinstance(given, datetime):
        return _in_range(_utc(given))
    if not _DAY.match(str(given)):
        raise ValueError("")  # of other forms, such as 20030214, it is not plain what is meant
    return _in_range(_utc(datetime.fromisoformat(str(given))))


def _why_not(error: ValueError) -> str:
    """What is impossible about a date that is written well, such as the 31st of February."""
    text = str(error)
    return f": {text}" if "must be in" in text or "out of range" in text else ""


def _in_range(given: _Day) -> _Day:
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise UsageError(f"'{given}' is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return given


def _utc(instant: datetime) -> datetime:
    """Naive and in UTC; one without a zone is in UTC already."""
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
