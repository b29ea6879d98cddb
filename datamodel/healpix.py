"""Which order-29 NESTED HEALPix numbers do positions and shapes have?"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import astropy.units as u
import cdshealpix.nested as nested
import numpy as np
from astropy.coordinates import Latitude, Longitude
from numpy.typing import ArrayLike, NDArray

from datamodel.errors import UsageError
from datamodel.interleaving import gathered
from datamodel.membership import depth as depth_inside
from datamodel.near_cells import block
from datamodel.pixels import pixel
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import Floats, positions, separation

Ints = NDArray[np.int64]

ORDER = 29
NO_PIXEL = -1
"""The number of a position that is not known; it is in no range."""

FARTHEST_DEG = 1e6
"""Where a right ascension is no place in the sky any more, either way.

A double there is known to 1e-10 deg, a thousandth of a cell, and the sine of it is that of a place no farther away
than the margin of covers, so that index and exact test agree. Beyond, they would drift apart: at 5e8 deg one double and
the next are a cell apart, at 1e18 a turn.
"""

SKY = (0, 12 * 4**ORDER - 1)
"""The range of all numbers, both ends inclusive."""

_DEEPEST = 24
"""Cells of 13 milli-arcsec: deeper ones would be near to what rounding moves a position by."""

_MARGIN_DEG = 1e-9
_WIDE_DEG = 58.6 * 0.57
"""Less than the width of the narrowest cell of order 0, and of another order times two to its power."""

_CELL_DEG = 58.6
"""Square root of the area of a cell of order 0."""


def hpx29(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Ints:
    """NESTED HEALPix numbers of order 29 of ICRS positions, in the shape of the positions.

    A position with a NaN or infinity is not known, nor is one with a right ascension beyond `FARTHEST_DEG`: its number
    is `NO_PIXEL`, which is in no range, so that it is inside of nothing, like NULL.

    Raises
    ------
    UsageError
        When a declination is outside -90..90.
    """
    ra, dec = np.broadcast_arrays(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
    known = (np.abs(ra) <= FARTHEST_DEG) & np.isfinite(dec)
    wrong = known & (np.abs(dec) > 90.0)
    if wrong.any():
        raise UsageError(f"declination {float(dec[wrong].flat[0])!r} is not in -90..90 degrees")
    found = np.full(ra.shape, NO_PIXEL, np.int64)
    if known.any():
        found[known] = nested.lonlat_to_healpix(
            Longitude(ra[known] % 360.0, u.deg), Latitude(dec[known], u.deg), ORDER
        ).astype(np.int64)
    return found


def cover(shape: Shape, max_ranges: int = 32) -> list[tuple[int, int]]:
    """Ranges of order-29 numbers that hold every point of a shape, and some around it.

    Returns
    -------
    list of (lo, hi)
        Both ends inclusive; sorted, apart from one another, at most `max_ranges`.
    """
    lo, hi = cells(shape, max_ranges)
    order = np.argsort(lo)
    lo, hi = lo[order], hi[order]
    gaps = lo[1:] - hi[:-1] - 1
    least = 0 if np.count_nonzero(gaps) < max_ranges else np.sort(gaps)[-max_ranges]
    cuts = np.flatnonzero(gaps > least) + 1
    return list(zip(lo[[0, *cuts]].tolist(), hi[[*(cuts - 1), -1]].tolist(), strict=True))


def cells(shape: Shape, fineness: int = 32, deepest: int = _DEEPEST) -> tuple[Ints, Ints]:
    """First and last order-29 numbers of disjoint HEALPix cells that hold every point of a shape; unsorted.

    Parameters
    ----------
    fineness
        About how many ranges the cells should come to.
    deepest
        The highest order of a cell.
    """
    centre, radius = _BOUNDS[type(shape)](shape)
    found = _near(centre, radius, _order_of_size(min(radius, 60.0) / 2.0, deepest))
    spans: list[tuple[Ints, Ints]] = []
    while True:
        inside = depth_inside(shape, found.centres())
        reach = _reach_rad(found.order)
        spans.append(found.where(inside >= reach).spans())
        edge = found.where((inside >= -reach) & (inside < reach))
        count = len(edge.numbers)
        if count >= 2 * fineness or edge.order == deepest or not count:
            spans.append(edge.spans())
            return np.concatenate([s[0] for s in spans]), np.concatenate([s[1] for s in spans])
        found = edge.parts(1)


def _order_of_size(size_deg: float, deepest: int) -> int:
    """The least order whose cells are not larger."""
    return max(0, min(deepest, math.ceil(math.log2(_CELL_DEG / max(size_deg, _MARGIN_DEG)))))


@dataclass(frozen=True)
class _Cells:
    """Some NESTED cells of an order: their numbers, base cells, and places within these."""

    order: int
    numbers: Ints
    base: Ints
    x: Ints
    y: Ints

    @classmethod
    def of(cls, numbers: Ints, order: int) -> "_Cells":
        within = numbers & ((1 << 2 * order) - 1)
        return cls(order, numbers, numbers >> 2 * order, gathered(within), gathered(within >> 1))

    def parts(self, levels: int) -> "_Cells":
        """Their quarters, or the quarters of these and so on."""
        number, x, y = _parts(levels)
        return _Cells(
            self.order + levels,
            ((self.numbers << 2 * levels)[:, None] + number).ravel(),
            self.base.repeat(len(number)),
            ((self.x << levels)[:, None] + x).ravel(),
            ((self.y << levels)[:, None] + y).ravel(),
        )

    def where(self, kept: NDArray[np.bool_]) -> "_Cells":
        return _Cells(self.order, self.numbers[kept], self.base[kept], self.x[kept], self.y[kept])

    def spans(self) -> tuple[Ints, Ints]:
        """Their first and last numbers of order 29."""
        shift = 2 * (ORDER - self.order)
        return self.numbers << shift, ((self.numbers + 1) << shift) - 1

    def centres(self) -> Floats:
        """Unit vectors, ``(cells, 3)``, of their centres.

        Gorski et al. 2005, section 5.3: a cell's place in its base cell gives its ring and its place on the ring.
        """
        side = 1 << self.order
        ring = (_BASE_RING[self.base] << self.order) - self.x - self.y - 1
        on_ring = np.minimum(np.minimum(ring, 4 * side - ring), side)
        belt = 1.0 - np.abs(2.0 - ring / side) * 2.0 / 3.0
        below = np.where(on_ring < side, (on_ring / side) ** 2 / 3.0, belt)
        ra = (_BASE_COLUMN[self.base] * on_ring + self.x - self.y) * (np.pi / 4.0) / on_ring
        width = np.sqrt(below * (2.0 - below))
        vectors = np.empty((len(ring), 3))
        np.multiply(width, np.cos(ra), out=vectors[:, 0])
        np.multiply(width, np.sin(ra), out=vectors[:, 1])
        vectors[:, 2] = np.where(ring < 2 * side, 1.0 - below, below - 1.0)
        return vectors


def centres(numbers: Ints, order: int) -> Floats:
    """Unit vectors, ``(cells, 3)``, of the centres of NESTED cells of an order."""
    return _Cells.of(numbers, order).centres()


@cache
def _parts(levels: int) -> tuple[Ints, Ints, Ints]:
    """The numbers and places of the parts of a cell."""
    number = np.arange(4**levels)
    return number, gathered(number), gathered(number >> 1)


def _near(centre: tuple[float, float], radius: float, order: int) -> _Cells:
    """Cells of an order that hold all of a circle in degrees, and more.

    They are the parts of the cell that its centre is in and of the neighbours of that, which are wider than its
    radius; where it is too large for that, of all there are.
    """
    large = min(math.floor(math.log2(_WIDE_DEG / max(radius, _MARGIN_DEG))), order)
    if large < 0:
        return _Cells.of(np.arange(12), 0).parts(order)
    return _Cells.of(np.array(block(pixel(*centre), large)), large).parts(order - large)


_BASE_RING = np.repeat([2, 3, 4], 4)
_BASE_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])


@cache
def _reach_rad(order: int) -> float:
    """More than the angle from the centre of any cell of an order to any of its points.

    The widest cells touch the parallels where the polar caps begin, z = 2/3 (Gorski et al. 2005, section
    5.3).
    """
    side = 2**order
    corner_z = 1.0 - (1.0 - 1.0 / side) ** 2 / 3.0
    corner_dec = math.degrees(math.asin(corner_z))
    widest = separation(45.0 / side, math.degrees(math.asin(2.0 / 3.0)), 0.0, corner_dec)
    return math.radians(float(widest)) * 1.01 + math.radians(_MARGIN_DEG)


def _polygon_bounds(polygon: Polygon) -> tuple[tuple[float, float], float]:
    edges = outline(polygon.vertices)
    ra, dec = positions(edges.centre)
    return (float(ra), float(dec)), math.degrees(edges.radius_rad)


def _range_bounds(box: Range) -> tuple[tuple[float, float], float]:
    """A circle about the middle; the farthest point of a range narrower than 180 degrees is a corner."""
    width = box.ra_hi - box.ra_lo
    centre = (box.ra_lo + box.ra_hi) / 2.0, (box.dec_lo + box.dec_hi) / 2.0
    if width > 90.0:
        return centre, 180.0
    on_equator = min(max(box.dec_lo, 0.0), box.dec_hi)
    corners = [separation(*centre, box.ra_lo, dec) for dec in (box.dec_lo, on_equator, box.dec_hi)]
    return centre, float(max(corners))


_BOUNDS: dict[type, Callable[..., tuple[tuple[float, float], float]]] = {
    Point: lambda s: ((s.ra, s.dec), 0.0),
    Circle: lambda s: ((s.ra, s.dec), s.radius),
    Polygon: _polygon_bounds,
    Range: _range_bounds,
}
