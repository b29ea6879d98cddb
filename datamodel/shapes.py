"""What a point, circle, polygon and coordinate range on the sky are, and how they are written as text.

All angles are degrees, ICRS. A shape contains its boundary.
"""

import math
from dataclasses import dataclass

from datamodel.errors import UsageError
from datamodel.polygons import outline

MAX_VERTICES = 400
"""More vertices than this would make an SQL expression deeper than SQLite allows."""


@dataclass(frozen=True)
class Point:
    """A position; as a region, a circle of radius 0."""

    ra: float
    dec: float

    def __post_init__(self) -> None:
        _check_position("point", self.ra, self.dec)


@dataclass(frozen=True)
class Circle:
    """All within `radius`, 0 to 180 degrees, of a position.

    Raises
    ------
    UsageError
        When a number is not finite, the declination is not in -90..90 or the radius not in 0..180.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        _check_position("circle", self.ra, self.dec)
        if not 0.0 <= self.radius <= 180.0:
            raise UsageError(f"circle: radius {self.radius!r} is not in 0..180 degrees")


@dataclass(frozen=True)
class Polygon:
    """The smaller side of a closed line of great-circle arcs that does not cross itself.

    Attributes
    ----------
    vertices
        (RA, Dec) in either sense of rotation; a vertex that repeats the one before is dropped, and so is a
        last one that repeats the first.

    Raises
    ------
    UsageError
        When fewer than 3 different or more than `MAX_VERTICES` vertices are left, a position is
        impossible, neighbours are antipodes or edges cross.
    """

    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        for ra, dec in self.vertices:
            _check_position("polygon", ra, dec)
        distinct = _without_repeats(self.vertices)
        if not 3 <= len(distinct) <= MAX_VERTICES:
            raise UsageError(
                f"polygon: expected 3 to {MAX_VERTICES} different vertices, found {len(distinct)}"
                f" in {str(self.vertices)[:200]}"
            )
        object.__setattr__(self, "vertices", distinct)
        outline(distinct)


@dataclass(frozen=True)
class Range:
    """A rectangle in coordinates, between two meridians and two parallels: SIA 2.0 ``RANGE``.

    Attributes
    ----------
    ra_lo, ra_hi
        ``ra_lo`` may be the greater: the range then goes through RA 0. ``-inf`` is 0, ``inf`` 360.
        360 degrees or more is all the way round.
    dec_lo, dec_hi
        In -90..90, or infinite for no bound.

    Raises
    ------
    UsageError
        When a bound is NaN, a declination is not in -90..90 or ``dec_lo > dec_hi``.
    """

    ra_lo: float
    ra_hi: float
    dec_lo: float
    dec_hi: float

    def __post_init__(self) -> None:
        if any(math.isnan(bound) for bound in (self.ra_lo, self.ra_hi, self.dec_lo, self.dec_hi)):
            raise UsageError(f"range: {self!r} has a bound that is not a number")
        bounds = {"dec_lo": _bound(self.dec_lo, -90.0, 90.0), "dec_hi": _bound(self.dec_hi, -90.0, 90.0)}
        for name, dec in bounds.items():
            _check_position("range", 0.0, dec)
            object.__setattr__(self, name, dec)
        if self.dec_lo > self.dec_hi:
            raise UsageError(f"range: lower declination {self.dec_lo!r} is above the upper, {self.dec_hi!r}")
        lo, hi = _bound(self.ra_lo, 0.0, 360.0), _bound(self.ra_hi, 0.0, 360.0)
        start = 0.0 if hi - lo >= 360.0 else lo % 360.0
        shift = start - lo
        width_end = hi + (360.0 if hi < lo else 0.0)
        object.__setattr__(self, "ra_lo", start)
        object.__setattr__(self, "ra_hi", 360.0 if hi - lo >= 360.0 else width_end + shift)

    @property
    def all_round(self) -> bool:
        """Whether every right ascension is inside."""
        return self.ra_hi - self.ra_lo >= 360.0


Shape = Point | Circle | Polygon | Range


def _bound(value: float, lowest: float, highest: float) -> float:
    return value if math.isfinite(value) else {math.inf: highest, -math.inf: lowest}[value]


def _without_repeats(vertices: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    kept = vertices[:1] + tuple(
        v for v, before in zip(vertices[1:], vertices, strict=False) if not _same(v, before)
    )
    return kept[:-1] if len(kept) > 1 and _same(kept[-1], kept[0]) else kept


def _same(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[1] == b[1] and ((a[0] - b[0]) % 360.0 == 0.0 or abs(a[1]) == 90.0)


def _check_position(what: str, ra: float, dec: float) -> None:
    if not math.isfinite(ra):
        raise UsageError(f"{what}: right ascension {ra!r} is not a finite number of degrees")
    if not -90.0 <= dec <= 90.0:
        raise UsageError(f"{what}: declination {dec!r} is not in -90..90 degrees")
