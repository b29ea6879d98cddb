"""Which exposures does the simulated survey take, and when?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from math import cos, hypot, radians, sin

from datamodel.errors import UsageError

LONGITUDE_DEG = -17.88
"""East-positive longitude of the observatory (La Palma): a UTC evening lies in the night of its own date."""

LATITUDE_DEG = 28.76

FILTERS: dict[str, str] = {"#841": "V", "#842": "B", "#843": "R"}
"""Filter name to the band (mag_id) it observes, in the order of exposure."""

DITHERS = ((0.0, 0.0), (1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))
"""Offsets of consecutive pointings in units of the dither step (east, north)."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
LARGEST_FIELD_RADIUS_DEG = 5.0


@dataclass(frozen=True)
class Night:
    """How many exposures of each kind one night has; the flats and the science are counted per filter.

    Attributes
    ----------
    date
        The evening's date: the night runs from local noon to local noon.
    """

    date: date
    biases: int = 0
    darks: int = 0
    domeflats: int = 0
    twilightflats: int = 0
    sciences: int = 0


@dataclass(frozen=True)
class SurveyPlan:
    """Everything that decides the bytes of a simulated survey.

    Attributes
    ----------
    chip_shape
        ``(ny, nx)`` of each of the four chips.
    synthetic_stars
        Number of seeded faint stars strewn over the field beside the real ones.
    science_s, dark_s, domeflat_s, twilightflat_s
        Exposure times in seconds.

    Raises
    ------
    UsageError
        When a chip is smaller than 64 or larger than 4096 pixels a side, or the field is wider than
        a gnomonic projection should be asked to hold.
    """

    seed: int = 20030214
    nights: tuple[Night, ...] = (
        Night(date(2003, 2, 14), biases=10, darks=3, domeflats=5, twilightflats=5, sciences=5),
        Night(date(2003, 2, 15), biases=4, sciences=2),
    )
    chip_shape: tuple[int, int] = (512, 512)
    pixel_scale_arcsec: float = 4.5
    centre_ra_deg: float = 35.38
    centre_dec_deg: float = 57.167
    synthetic_stars: int = 3000
    science_s: float = 20.0
    dark_s: float = 300.0
    domeflat_s: float = 5.0
    twilightflat_s: float = 3.0

    def __post_init__(self) -> None:
        if min(self.chip_shape) < SMALLEST_SIDE or max(self.chip_shape) > LARGEST_SIDE:
            raise UsageError(
                f"chip_shape is {self.chip_shape}; expected {SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side"
            )
        if self.field_radius_deg > LARGEST_FIELD_RADIUS_DEG:
            raise UsageError(
                f"a field of {self.field_radius_deg:.1f} deg radius was asked for, at most "
                f"{LARGEST_FIELD_RADIUS_DEG} deg is possible; give a smaller pixel_scale_arcsec"
            )

    @property
    def gap_px(self) -> int:
        """Width of the gaps between the chips, in pixels."""
        return max(2, round(0.024 * min(self.chip_shape)))

    @property
    def dither_deg(self) -> float:
        """Step between pointings on the sky, wider than half the gap, in degrees."""
        return 0.02 * min(self.chip_shape) * self.pixel_scale_arcsec / 3600

    @property
    def half_size_deg(self) -> tuple[float, float]:
        """Half the height and half the width of the mosaic, in degrees."""
        ny, nx = self.chip_shape
        scale = self.pixel_scale_arcsec / 3600
        return (ny + self.gap_px / 2) * scale, (nx + self.gap_px / 2) * scale

    @property
    def field_radius_deg(self) -> float:
        """Radius about the centre that holds every pixel of every pointing, in degrees."""
        return 1.05 * (hypot(*self.half_size_deg) + 1.5 * self.dither_deg)

    @classmethod
    def tiny(cls, **changes: object) -> "SurveyPlan":
        """The same sky on chips of 128 x 128 coarse pixels with a third of the exposures; for tests."""
        plan = cls(
            nights=(
                Night(date(2003, 2, 14), biases=3, darks=1, domeflats=2, twilightflats=2, sciences=2),
                Night(date(2003, 2, 15), biases=2, sciences=1),
            ),
            chip_shape=(128, 128),
            pixel_scale_arcsec=18.0,
            synthetic_stars=150,
        )
        return replace(plan, **changes)  # type: ignore[arg-type]

    @classmethod
    def full_size(cls, **changes: object) -> "SurveyPlan":
        """The default survey on chips of 2048 columns by 4096 rows, with pixels a quarter the size."""
        return replace(cls(chip_shape=(4096, 2048), pixel_scale_arcsec=1.125), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Exposure:
    """One opening of the shutter: what the observer asked for, so nothing here is hidden truth.

    Attributes
    ----------
    number
        Running number in the survey from 1; seeds everything random in the exposure.
    obsid
        Unique name, also the stem of the file name.
    obstype
        ``BIAS``, ``DARK``, ``DOMEFLAT``, ``TWIFLAT`` or ``SCIENCE``.
    filter
        None for biases and darks.
    start
        UTC, time-zone aware.
    ra_deg, dec_deg
        Where the telescope was sent (ICRS); the zenith for calibrations.
    airmass
        At mid-exposure, plane-parallel; None unless science.
    """

    number: int
    obsid: str
    night: date
    obstype: str
    filter: str | None
    exptime_s: float
    start: datetime
    object: str
    ra_deg: float
    dec_deg: float
    airmass: float | None

    @property
    def mjd(self) -> float:
        """Modified Julian date (UTC) of the start."""
        return modified_julian_date(self.start)


@dataclass(frozen=True)
class _Block:
    """A run of like exposures in one night."""

    obstype: str
    object: str
    begins: time
    every_s: float
    exptime_s: float
    filters: tuple[str | None, ...]


@cache
def exposures(plan: SurveyPlan) -> tuple[Exposure, ...]:
    """All exposures of the survey in order of time."""
    wanted = [
        (night, block, i) for night in plan.nights for block, n in _blocks(plan, night) for i in range(n)
    ]
    return tuple(_exposure(plan, number, *each) for number, each in enumerate(wanted, start=1))


def modified_julian_date(instant: datetime) -> float:
    """Days since 1858-11-17T00:00 of an aware instant, on the UTC scale."""
    return (instant - datetime(1858, 11, 17, tzinfo=UTC)) / timedelta(days=1)


def local_sidereal_deg(instant: datetime) -> float:
    """Mean sidereal time at the observatory in degrees, UT1 taken as UTC (Meeus 1998, eq. 12.4)."""
    days = modified_julian_date(instant) - 51544.5
    return (280.46061837 + 360.98564736629 * days + LONGITUDE_DEG) % 360


def airmass(instant: datetime, ra_deg: float, dec_deg: float) -> float:
    """Secant of the zenith distance at the observatory; precession is neglected."""
    hour_angle = radians(local_sidereal_deg(instant) - ra_deg)
    latitude, dec = radians(LATITUDE_DEG), radians(dec_deg)
    return 1 / (sin(latitude) * sin(dec) + cos(latitude) * cos(dec) * cos(hour_angle))


def _blocks(plan: SurveyPlan, night: Night) -> Iterator[tuple[_Block, int]]:
    """Yield the blocks of one night, each with its number of exposures."""
    bands = tuple(FILTERS)
    science_every_s = min(600.0, 3 * 3600 / max(1, night.sciences * len(bands)))
    yield _Block("BIAS", "BIAS", time(17, 0), 30, 0.0, (None,)), night.biases
    yield _Block("DARK", "DARK", time(17, 20), plan.dark_s + 30, plan.dark_s, (None,)), night.darks
    dome = _Block("DOMEFLAT", "DOME", time(18, 10), plan.domeflat_s + 30, plan.domeflat_s, bands)
    yield dome, night.domeflats * len(bands)
    dusk = _Block("TWIFLAT", "SKYFLAT", time(19, 20), plan.twilightflat_s + 30, plan.twilightflat_s, bands)
    yield dusk, night.twilightflats * len(bands)
    field = _Block("SCIENCE", "h Chi Per", time(20, 15), science_every_s, plan.science_s, bands)
    yield field, night.sciences * len(bands)


def _exposure(plan: SurveyPlan, number: int, night: Night, block: _Block, i: int) -> Exposure:
    """The ``i``-th exposure of a block; the filters take turns at each pointing."""
    start = datetime.combine(night.date, block.begins, UTC) + timedelta(seconds=i * block.every_s)
    science = block.obstype == "SCIENCE"
    ra, dec = _pointing(plan, i // len(FILTERS)) if science else (local_sidereal_deg(start), LATITUDE_DEG)
    middle = start + timedelta(seconds=block.exptime_s / 2)
    return Exposure(
        number=number,
        obsid=f"SIMCAM_{night.date:%Y%m%d}_{number:04d}",
        night=night.date,
        obstype=block.obstype,
        filter=block.filters[i % len(block.filters)],
        exptime_s=block.exptime_s,
        start=start,
        object=block.object,
        ra_deg=ra,
        dec_deg=dec,
        airmass=airmass(middle, ra, dec) if science else None,
    )


def _pointing(plan: SurveyPlan, dither: int) -> tuple[float, float]:
    """Where the telescope is sent for a dither, (ra, dec) in degrees."""
    east, north = DITHERS[dither % len(DITHERS)]
    dec = plan.centre_dec_deg + north * plan.dither_deg
    return plan.centre_ra_deg + east * plan.dither_deg / cos(radians(dec)), dec
