"""What is known of an instrument, and what follows from it for nights, windows and validity?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TypeVar

from datamodel.errors import NotFoundError, UsageError, nearest
from processing.header_rules import Condition, FactSources, FrameTypeRule, WcsRule, require

CALIBRATION_CLASSES = (
    "ReadNoise",
    "GainLinearity",
    "DarkCurrent",
    "BiasFrame",
    "HotPixelMap",
    "DomeFlatFrame",
    "ColdPixelMap",
    "TwilightFlatFrame",
    "NightSkyFlatFrame",
    "MasterFlatFrame",
    "FringeFrame",
    "IlluminationCorrection",
    "IlluminationCorrectionFrame",
    "AtmosphericExtinction",
    "AtmosphericExtinctionCurve",
    "AtmosphericExtinctionFrames",
    "AtmosphericExtinctionZeropoint",
    "PhotometricParameters",
    "PhotTransformation",
)
"""What has a time of validity, and so may have a rule of its own."""

FLAT_KINDS = ("dome", "twilight", "night-sky")
_FLAT_NEEDED = {
    "DomeFlatFrame": "dome",
    "ColdPixelMap": "dome",
    "TwilightFlatFrame": "twilight",
    "NightSkyFlatFrame": "night-sky",
}
_NAME = re.compile(r"[A-Za-z0-9_.+#]{1,32}")


@dataclass(frozen=True)
class Section:
    """A rectangle of pixels; FITS convention: counted from 1, both ends included."""

    x1: int
    x2: int
    y1: int
    y2: int

    def __post_init__(self) -> None:
        ordered = 1 <= self.x1 <= self.x2 and 1 <= self.y1 <= self.y2
        require(ordered, "a section", str(self), "'[x1:x2,y1:y2]' with 1 <= x1 <= x2 and 1 <= y1 <= y2")

    @property
    def slices(self) -> tuple[slice, slice]:
        """For a numpy array of shape ``(ny, nx)``."""
        return slice(self.y1 - 1, self.y2), slice(self.x1 - 1, self.x2)

    def __str__(self) -> str:
        return f"[{self.x1}:{self.x2},{self.y1}:{self.y2}]"


@dataclass(frozen=True)
class ChipFacts:
    """A detector and its nominal figures, for where nothing better was measured (grade ``nominal``).

    Attributes
    ----------
    size
        ``(nx, ny)`` pixels of a usual read-out; files may have others.
    mosaic
        ``(column, row)`` in the camera.
    pixel_scale_arcsec
        None where pixels are not of the sky.
    trim_section
        The pixels that see light; None for all.
    """

    name: str
    size: tuple[int, int]
    gain_e_per_adu: float
    read_noise_adu: float
    saturation_adu: float
    mosaic: tuple[int, int] = (0, 0)
    pixel_scale_arcsec: float | None = None
    aliases: tuple[str, ...] = ()
    trim_section: Section | None = None
    overscan_section: Section | None = None
    prescan_section: Section | None = None

    def __post_init__(self) -> None:
        require_name(self.name, "a chip's name")
        require(min(self.size) > 0, "size", self.size, "two positive numbers [nx, ny]")
        require(self.gain_e_per_adu > 0, "gain_e_per_adu", self.gain_e_per_adu, "above 0")
        require(self.read_noise_adu >= 0, "read_noise_adu", self.read_noise_adu, "0 or more")
        scale = self.pixel_scale_arcsec
        require(scale is None or scale > 0, "pixel_scale_arcsec", scale, "above 0")


@dataclass(frozen=True)
class FilterFacts:
    """A filter: its name here, the band it observes, and its limits in metres (vacuum); None is unknown."""

    name: str
    mag_id: str | None = None
    em_min_m: float | None = None
    em_max_m: float | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_name(self.name, "a filter's name")
        low, high = self.em_min_m, self.em_max_m
        if low is not None and high is not None:
            require(0 < low < high < 1e-2, "em_min_m, em_max_m", (low, high), "metres, the smaller one first")


_Named = TypeVar("_Named", bound=ChipFacts | FilterFacts)


@dataclass(frozen=True)
class Site:
    """Where the telescope stands, degrees east and north; `utc_offset_h` sets local noon to 12 h there."""

    longitude_deg: float
    latitude_deg: float
    altitude_m: float | None = None
    utc_offset_h: float | None = None

    def __post_init__(self) -> None:
        require(
            -180 <= self.longitude_deg <= 180, "longitude_deg", self.longitude_deg, "-180 to 180, east > 0"
        )
        require(-90 <= self.latitude_deg <= 90, "latitude_deg", self.latitude_deg, "-90 to 90")
        require(abs(self.utc_offset_h or 0) <= 14, "utc_offset_h", self.utc_offset_h, "-14 to 14")

    @cached_property
    def clock(self) -> timedelta:
        """How far local time is ahead of UTC: the zone's where one is given, else the mean sun's."""
        hours = self.longitude_deg / 15 if self.utc_offset_h is None else self.utc_offset_h
        return timedelta(seconds=round(3600 * hours))


@dataclass(frozen=True)
class Period:
    """A night, or a number of days centred on local midnight."""

    days: float | None = None


@dataclass(frozen=True)
class ClassRule:
    """From when raw frames are collected for a calibration, how many, and when the result is valid."""

    window: Period
    validity: Period
    minimum_raws: int
    maximum_raws: int | None = None

    def __post_init__(self) -> None:
        most = self.maximum_raws
        enough = self.minimum_raws >= 1 and (most is None or most >= self.minimum_raws)
        require(enough, "minimum_raws, maximum_raws", (self.minimum_raws, most), "1 <= minimum <= maximum")


@dataclass(frozen=True)
class InstrumentFile:
    """All that the archive is told of an instrument; docs/instrument_files.md describes every key."""

    name: str
    telescope: str
    site: Site
    match: tuple[Condition, ...]
    frame_types: tuple[FrameTypeRule, ...]
    facts: FactSources
    chips: tuple[ChipFacts, ...]
    wcs: WcsRule
    defaults: ClassRule
    classes: Mapping[str, ClassRule]
    flats: tuple[str, ...]
    filters: tuple[FilterFacts, ...] = ()
    compatibility: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        require_name(self.name, "an instrument's name")
        for key, things in (("match", self.match), ("frame_types", self.frame_types), ("chips", self.chips)):
            require(bool(things), key, "nothing", "at least one")
        for kind in self.flats:
            require(kind in FLAT_KINDS, "flats", kind, f"some of {', '.join(FLAT_KINDS)}")

    def night_of(self, instant: datetime) -> date:
        """The night that an instant (naive, UTC) belongs to: local noon to local noon, by its first date."""
        if instant.tzinfo is not None:
            raise UsageError(f"'{instant}' has a time zone: expected UTC without one")
        return (instant + self.site.clock - timedelta(hours=12)).date()

    def midnight(self, night: date) -> datetime:
        """Local midnight in the middle of a night; naive, UTC."""
        return datetime.combine(night, time(12)) + timedelta(hours=12) - self.site.clock

    def window(self, class_name: str, night: date) -> tuple[datetime, datetime]:
        """From when raw frames are collected for a calibration of a night; ``[start, end)``, naive, UTC."""
        return self._around(night, self.rule(class_name).window)

    def validity(self, class_name: str, night: date) -> tuple[datetime, datetime]:
        """When a calibration of a night is valid unless somebody decides otherwise; ``[start, end)``."""
        return self._around(night, self.rule(class_name).validity)

    def rule(self, class_name: str) -> ClassRule:
        """The rule of a class, or the instrument's default."""
        return self.classes.get(class_name, self.defaults)

    def makes(self, class_name: str) -> bool:
        """False for what rests on a kind of flat that this instrument never takes."""
        return _FLAT_NEEDED.get(class_name, "") in ("", *self.flats)

    def chip(self, name: str) -> ChipFacts:
        """The chip of that name or alias, without regard to case.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        return _named(self.chips, name, f"chip of {self.name}")

    def filter(self, name: str) -> FilterFacts:
        """The filter of that name or alias, without regard to case.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        return _named(self.filters, name, f"filter of {self.name}")

    def _around(self, night: date, period: Period) -> tuple[datetime, datetime]:
        half = timedelta(days=1 if period.days is None else period.days) / 2
        return self.midnight(night) - half, self.midnight(night) + half


def _named(things: tuple[_Named, ...], name: str, what: str) -> _Named:
    by_name: dict[str, _Named] = {}
    for thing in things:
        names = (thing.name, *thing.aliases)
        by_name |= {each.casefold(): thing for each in names}
    if name.casefold() not in by_name:
        known = [thing.name for thing in things]
        raise NotFoundError(f"'{name}' is no {what}: expected {', '.join(known)}{nearest(name, known)}")
    return by_name[name.casefold()]


def require_name(name: str, what: str) -> None:
    """Refuse a name that would not do in a file's name.

    Raises
    ------
    UsageError
        When it is long, empty, or has other characters than letters, digits and ``_ . + #``.
    """
    require(bool(_NAME.fullmatch(name)), what, name, "1 to 32 letters, digits or any of _ . + #")
