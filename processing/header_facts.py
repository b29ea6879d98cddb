"""What do the headers of one image say of the frame, in the words of the archive?"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from datamodel.errors import NotFoundError
from processing.bounded_bytes import NotUnderstoodError
from processing.header_rules import CardValue, FrameTypeRule, Source, WcsRule, card_value
from processing.instrument_file import InstrumentFile

__all__ = ["NotUnderstoodError", "RawFacts", "facts"]

WITH_FILTER = ("RawDomeFlatFrame", "RawTwilightFlatFrame", "RawScienceFrame")
"""Classes whose frames saw light through a filter; the others have none, whatever the header says."""

OF_THE_SKY = ("RawTwilightFlatFrame", "RawScienceFrame")
"""Classes whose frames looked at the sky, so that pointing and airmass mean something."""

_MJD_EPOCH = datetime(1858, 11, 17)
_YEARS = range(1900, 2100)
_LONGEST_S = 1e6
_WCS_TEXT = re.compile(r"CTYPE[12]|CUNIT[12]|RADESYS")
_WCS_NUMBER = re.compile(
    r"WCSAXES|(CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|PV[12]_\d{1,2}|LONPOLE|LATPOLE|EQUINOX"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d_\d)"
)
_CELESTIAL = re.compile(r"(RA--|DEC-|[GESH]LON|[GESH]LAT)-.+")


@dataclass(frozen=True)
class RawFacts:
    """What is known of a raw frame before anybody looks at its pixels.

    Attributes
    ----------
    frame_class
        One of `processing.header_rules.FRAME_CLASSES`.
    chip, filter
        The instrument file's names; filter is None for a bias and a dark.
    date_obs
        Start of the exposure; naive, UTC.
    night
        That `date_obs` belongs to.
    mjd_obs
        The same instant as a modified Julian date, UTC, in days.
    exptime_s
        Seconds, 0 or more.
    airmass, ra, dec
        Of the telescope, degrees, as the header has them; None where the frame is not of the sky.
    obs_id
        Of the exposure; the stem of the file's name where the header has none.
    wcs
        FITS keywords of a science frame's projection, mended as the instrument file says; None where there
        is none.
    compatibility
        What must be equal for frames to be used together, by the instrument file's names.
    """

    instrument: str
    frame_class: str
    chip: str
    filter: str | None
    date_obs: datetime
    night: date
    mjd_obs: float
    exptime_s: float
    object: str | None
    airmass: float | None
    observer: str | None
    ra: float | None
    dec: float | None
    obs_id: str
    wcs: dict[str, str | int | float] | None
    compatibility: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Headers:
    """The cards that hold for an image, its own before the primary ones, and the name of its file."""

    primary: Mapping[str, Any]
    own: Mapping[str, Any]
    filename: str

    def value(self, card: str) -> CardValue | None:
        own = card_value(self.own, card)
        return card_value(self.primary, card) if own is None else own

    def read(self, source: Source | None) -> CardValue | None:
        if source is None:
            return None
        found = (value for card in source.cards if (value := self.value(card)) is not None)
        value = next(found, None)
        if value is None and source.filename:
            part = re.search(source.filename, self.filename)
            value = part[1] if part else None
        return source.constant if value is None else value


def facts(
    instrument: InstrumentFile,
    primary_header: Mapping[str, Any],
    hdu_header: Mapping[str, Any],
    filename: str,
) -> RawFacts:
    """Say what a raw frame is.

    Parameters
    ----------
    instrument
        That took it: `processing.instrument.Instruments.recognise`.
    primary_header, hdu_header
        The file's and the image's; a card of the image counts before one of the file.
    filename
        Without folders.

    Raises
    ------
    NotUnderstoodError
        With the reason: no rule tells the type, a card is missing or senseless, the chip or filter is
        unknown.
    """
    headers = _Headers(primary_header, hdu_header, filename)
    sources = instrument.facts
    frame_class = _frame_class(instrument.frame_types, headers)
    date_obs = _instant(sources.date_obs, headers)
    of_sky = frame_class in OF_THE_SKY
    return RawFacts(
        instrument=instrument.name,
        frame_class=frame_class,
        chip=_known(instrument.chip, sources.chip, headers, "chip"),
        filter=_filter(instrument, headers) if frame_class in WITH_FILTER else None,
        date_obs=date_obs,
        night=instrument.night_of(date_obs),
        mjd_obs=(date_obs - _MJD_EPOCH) / timedelta(days=1),
        exptime_s=_exptime(sources.exptime_s, headers),
        object=_text(sources.object, headers),
        airmass=_bounded(sources.airmass, headers, "an airmass", 0.9, 100) if of_sky else None,
        observer=_text(sources.observer, headers),
        ra=_angle(sources.ra_deg, headers, 15, 0, 360) if of_sky else None,
        dec=_angle(sources.dec_deg, headers, 1, -90, 90) if of_sky else None,
        obs_id=_text(sources.obs_id, headers) or filename.partition(".")[0],
        wcs=_wcs(instrument.wcs, headers) if frame_class == "RawScienceFrame" else None,
        compatibility=_compatibility(instrument.compatibility, headers),
    )


def _frame_class(rules: tuple[FrameTypeRule, ...], headers: _Headers) -> str:
    for rule in rules:
        named = rule.filename is None or fnmatchcase(headers.filename.casefold(), rule.filename.casefold())
        if named and all(c.holds(headers.value(c.card)) for c in rule.conditions):
            return rule.frame_class
    cards = dict.fromkeys(c.card for rule in rules for c in rule.conditions)
    seen = ", ".join(f"{card} = {headers.value(card)!r:.80}" for card in cards)
    raise NotUnderstoodError(f"no rule tells the frame's type: {seen or headers.filename}")


def _known(look_up: Callable[[str], Any], source: Source, headers: _Headers, what: str) -> str:
    value = headers.read(source)
    if value is None:
        raise NotUnderstoodError(f"the {what} is not told: expected {source}")
    try:
        return str(look_up(str(value)).name)
    except NotFoundError as error:
        raise NotUnderstoodError(f"{source}: {error}") from None


def _filter(instrument: InstrumentFile, headers: _Headers) -> str | None:
    source = instrument.facts.filter
    return _known(instrument.filter, source, headers, "filter") if source else None


def _text(source: Source | None, headers: _Headers) -> str | None:
    value = headers.read(source)
    return None if value is None else str(value)


def _number(source: Source | None, headers: _Headers) -> float | None:
    """A number, also one written as text or with a decimal comma."""
    value = headers.read(source)
    if value is None:
        return None
    try:
        number = float(str(value).replace(",", ".", 1) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        raise NotUnderstoodError(f"{source} = {value!r:.80}: expected a number") from None
    if not math.isfinite(number):
        raise NotUnderstoodError(f"{source} = {value!r:.80}: expected a finite number")
    return number


def _bounded(source: Source | None, headers: _Headers, what: str, low: float, high: float) -> float | None:
    number = _number(source, headers)
    if number is not None and not low <= number <= high:
        raise NotUnderstoodError(f"{source} = {number}: expected {what}, {low} to {high}")
    return number


def _exptime(source: Source, headers: _Headers) -> float:
    exptime_s = _bounded(source, headers, "seconds", 0, _LONGEST_S)
    if exptime_s is None:
        raise NotUnderstoodError(f"the exposure time is not told: expected {source}")
    return exptime_s


def _angle(
    source: Source | None, headers: _Headers, degrees_a_unit: int, low: float, high: float
) -> float | None:
    """Degrees, from a number of degrees or from text such as ``02:21:07.2`` (hours, of a right ascension)."""
    value = headers.read(source)
    parts = re.fullmatch(r"([+-]?)(\d{1,3})[: ]+(\d{1,2})[: ]+(\d{1,2}(?:\.\d*)?)", str(value))
    if parts is None:
        return _bounded(source, headers, "degrees", low, high)
    size = float(parts[2]) + float(parts[3]) / 60 + float(parts[4]) / 3600
    degrees = degrees_a_unit * (-size if parts[1] == "-" else size)
    if not low <= degrees <= high:
        raise NotUnderstoodError(f"{source} = {value!r:.80}: expected {low} to {high} degrees")
    return degrees


def _instant(source: Source, headers: _Headers) -> datetime:
    value = headers.read(source)
    if value is None:
        raise NotUnderstoodError(f"the time of the exposure is not told: expected {source}")
    time_scale = str(headers.value("TIMESYS") or "UTC").upper()
    if time_scale not in ("UTC", "UT", "UT1", "GMT") and not source.utc_offset_h:
        raise NotUnderstoodError(f"TIMESYS = '{time_scale}': expected UTC")
    try:
        instant = _READERS[source.format](source, headers, value)
    except (ValueError, OverflowError) as error:
        raise NotUnderstoodError(f"{source} = {value!r:.80}: expected a date and time ({error})") from None
    if instant.year not in _YEARS:
        raise NotUnderstoodError(f"{source} = {value!r:.80}: expected a year from 1900 to 2099")
    return instant


def _from_iso(source: Source, headers: _Headers, value: CardValue) -> datetime:
    """A date with its time of day, or with that from another card; a zone in the text counts."""
    text = str(value)
    if "T" not in text and ":" not in text:
        times = (t for card in source.time_cards if (t := headers.value(card)) is not None)
        if (time_of_day := next(times, None)) is None:
            raise ValueError("the time of day is missing")
        text = f"{text}T{time_of_day}"
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is not None:
        return instant.astimezone(UTC).replace(tzinfo=None)
    return instant - timedelta(hours=source.utc_offset_h)


def _from_mjd(source: Source, headers: _Headers, value: CardValue) -> datetime:
    return _MJD_EPOCH + timedelta(days=float(value)) - timedelta(hours=source.utc_offset_h)


_READERS: dict[str, Callable[[Source, _Headers, CardValue], datetime]] = {"iso": _from_iso, "mjd": _from_mjd}


def _compatibility(keys: Mapping[str, tuple[str, ...]], headers: _Headers) -> dict[str, str]:
    return {key: " ".join(str(headers.value(card)) for card in cards) for key, cards in keys.items()}


def _wcs(rule: WcsRule, headers: _Headers) -> dict[str, str | int | float] | None:
    """The mended keywords of the projection (Greisen & Calabretta 2002); None where the sky is not in it."""
    if not rule.in_headers or headers.value("CTYPE1") is None or headers.value("CTYPE2") is None:
        return None
    cards = dict.fromkeys([*headers.primary, *headers.own])
    kept = [c for c in cards if not any(fnmatchcase(c, pattern) for pattern in rule.drop)]
    numbers = {c: _wcs_number(c, headers) for c in kept if _WCS_NUMBER.fullmatch(c)}
    texts = {c: str(headers.value(c) or "") for c in kept if _WCS_TEXT.fullmatch(c)}
    if rule.repair_where is None or headers.value(rule.repair_where) is not None:
        texts = {c: rule.ctype_repairs.get(text, text) for c, text in texts.items()}
    if not all(_CELESTIAL.fullmatch(texts[c]) for c in ("CTYPE1", "CTYPE2")):
        return None
    _check_wcs(numbers)
    return {**texts, **numbers}


def _wcs_number(card: str, headers: _Headers) -> int | float:
    value = headers.value(card)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUnderstoodError(f"{card} = {value!r:.80} in the projection: expected a number")
    return value


def _check_wcs(numbers: Mapping[str, float]) -> None:
    for card in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"):
        if card not in numbers:
            raise NotUnderstoodError(f"{card} is missing in the projection")
    kind = "CD" if "CD1_1" in numbers or "CD1_2" in numbers else "PC"
    unit = float(kind == "PC")
    a, d = (numbers.get(f"{kind}{n}_{n}", unit) for n in (1, 2))
    b, c = numbers.get(f"{kind}1_2", 0.0), numbers.get(f"{kind}2_1", 0.0)
    steps = 1.0 if kind == "CD" else numbers.get("CDELT1", 1.0) * numbers.get("CDELT2", 1.0)
    if steps * (a * d - b * c) == 0:
        raise NotUnderstoodError("the projection's matrix is singular")
