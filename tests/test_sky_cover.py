"""The ranges of pixels that stand for a shape hold all of it, are few, sorted and apart."""

from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from cdshealpix.nested import healpix_to_lonlat, vertices
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.errors import UsageError
from datamodel.healpix import FARTHEST_DEG, NO_PIXEL, SKY, _reach_rad, cells, centres, cover, hpx29
from datamodel.shapes import Circle, Point, Polygon, Range
from datamodel.sky import contains

RNG = np.random.default_rng(7)


def covered(ranges, pixels):
    lo, hi = np.array(ranges).T
    place = np.searchsorted(lo, pixels, side="right") - 1
    return (place >= 0) & (pixels <= hi[place])


def positions_inside(shape, centre, size_deg):
    """Random positions inside a shape no larger than a circle, many of them hard by that circle's edge."""
    reach = np.concatenate([RNG.uniform(0, 1, 1500) ** 0.5, np.ones(200)]) * size_deg
    bearings = RNG.uniform(0, 360, len(reach))
    near = SkyCoord(*centre, unit="deg").directional_offset_by(bearings * u.deg, reach * u.deg)
    inside = contains(shape, near.ra.deg, near.dec.deg)
    return near.ra.deg[inside], near.dec.deg[inside]


def assert_covers(shape, centre, size_deg, max_ranges=32):
    ranges = cover(shape, max_ranges)
    assert 1 <= len(ranges) <= max_ranges
    assert SKY[0] <= ranges[0][0]
    assert ranges[-1][1] <= SKY[1]
    assert all(lo <= hi for lo, hi in ranges)
    assert all(hi + 1 < lo for (_, hi), (lo, _) in pairwise(ranges))
    assert covered(ranges, hpx29(*positions_inside(shape, centre, size_deg))).all()


CENTRE = st.tuples(st.floats(0, 360, exclude_max=True), st.floats(-90, 90)) | st.sampled_from(
    [(0.0, 90.0), (12.0, -90.0), (0.0, 0.0), (359.9999999, 41.8103), (45.0, -41.8103), (90.0, 89.9999)]
)
SIZE = st.sampled_from([0.0, 1e-7, 1e-4, 0.01, 1.0, 10.0, 59.99, 60.0, 89.0, 91.0, 179.9999, 180.0])


@given(centre=CENTRE, radius=SIZE | st.floats(0, 180), max_ranges=st.sampled_from([1, 3, 8, 32, 100]))
@settings(max_examples=150, deadline=None)
def test_a_circle_is_covered_wherever_and_however_large_it_is(centre, radius, max_ranges):
    assert_covers(Circle(*centre, radius), centre, radius, max_ranges)


@given(
    centre=CENTRE,
    size=st.sampled_from([1e-4, 1e-3, 0.1, 3.0, 40.0, 80.0]),
    corners=st.integers(3, 9),
    seed=st.integers(0, 9),
)
@settings(max_examples=100, deadline=None)
def test_a_polygon_is_covered_wherever_and_however_large_it_is(centre, size, corners, seed):
    rng = np.random.default_rng(seed)
    bearings = np.arange(corners) * 360 / corners + rng.uniform(0, 30, corners)
    found = SkyCoord(*centre, unit="deg").directional_offset_by(
        bearings * u.deg, rng.uniform(0.3, 1, corners) * size * u.deg
    )
    polygon = Polygon(tuple(zip(found.ra.deg.tolist(), found.dec.deg.tolist(), strict=True)))
    assert_covers(polygon, centre, size)


@given(
    ra=st.floats(0, 360),
    width=st.sampled_from([0.0, 1e-5, 0.5, 30.0, 89.0, 91.0, 180.0, 300.0, 360.0]),
    dec=st.floats(-90, 90),
    height=st.sampled_from([0.0, 1e-5, 0.5, 30.0, 120.0, 180.0]),
)
@settings(max_examples=150, deadline=None)
def test_a_range_is_covered_wherever_and_however_large_it_is(ra, width, dec, height):
    box = Range(ra, ra + width, dec, min(90.0, dec + height))
    inner = RNG.uniform(0, 1, (2, 1000)).round(2)
    ra = box.ra_lo + inner[0] * (box.ra_hi - box.ra_lo)
    dec = box.dec_lo + inner[1] * (box.dec_hi - box.dec_lo)
    inside = contains(box, ra, dec)
    assert covered(cover(box), hpx29(ra[inside], dec[inside])).all()


def test_a_cover_is_not_much_larger_than_its_shape():
    for shape, area in [
        (Circle(10, 20, 1), np.pi),
        (Circle(10, 90, 1), np.pi),
        (Polygon(((0, 0), (1, 0), (1, 1), (0, 1))), 1.0),
        (Range(0, 360, 80, 90), 360 * 57.29577951308232 * (1 - np.sin(np.radians(80)))),
    ]:
        pixels = sum(hi - lo + 1 for lo, hi in cover(shape))
        assert pixels / (SKY[1] + 1) * 41252.96 < 2.2 * area


def test_the_whole_sky_is_one_range():
    assert cover(Circle(10, 20, 180)) == cover(Range(0, 360, -90, 90)) == [SKY]


def test_no_point_of_a_cell_is_farther_from_its_centre_than_the_reach():
    for order in range(7):
        number = np.arange(12 * 4**order)
        centre = SkyCoord(*healpix_to_lonlat(number, order))
        corners = SkyCoord(*vertices(number, order, step=4))
        assert corners.separation(centre[:, None]).rad.max() < _reach_rad(order)


@pytest.mark.parametrize("order", [0, 1, 2, 5, 13, 24])
def test_centres_of_cells_agree_with_cdshealpix(order):
    number = np.unique(np.concatenate([np.arange(12), RNG.integers(0, 12 * 4**order, 500)]))
    expected = SkyCoord(*healpix_to_lonlat(number, order)).cartesian.xyz.value.T
    assert np.abs(centres(number, order) - expected).max() < 1e-15


@pytest.mark.thorough
def test_cells_whose_corner_alone_is_touched_are_covered():
    for order in (0, 1, 2, 3, 4, 5, 8, 13, 20):
        number = RNG.integers(0, 12 * 4**order, 10)
        middle = SkyCoord(*healpix_to_lonlat(number, order))
        corner = SkyCoord(*vertices(number, order))[:, 0]
        for size in np.array([0.02, 0.5, 1, 4]) * min(50 / 2**order, 40):
            away = corner.position_angle(middle) + RNG.uniform(120, 240, 10) * u.deg
            centre = corner.directional_offset_by(away, size * u.deg)
            for ra, dec, corner_ra, corner_dec in zip(
                centre.ra.deg, centre.dec.deg, corner.ra.deg, corner.dec.deg, strict=True
            ):
                around = SkyCoord(corner_ra, corner_dec, unit="deg").directional_offset_by(
                    np.arange(0, 360, 30) * u.deg, size * 1e-6 * u.deg
                )
                ranges = cover(Circle(ra, dec, size * (1 + 1e-5)))
                assert covered(ranges, hpx29(around.ra.deg, around.dec.deg)).all()


def test_cells_are_disjoint_and_whole_cells():
    for shape in (Circle(5, 89, 0.3), Polygon(((0, 0), (3, 0), (0, 3))), Point(1, 2)):
        lo, hi = cells(shape, fineness=8, deepest=18)
        order = np.argsort(lo)
        assert (lo[order][1:] > hi[order][:-1]).all()
        size = hi - lo + 1
        assert set(size.tolist()) <= {4**k for k in range(11, 30)}
        assert (lo % size == 0).all()


def test_pixel_numbers_keep_the_shape_of_the_positions_and_wrap():
    assert hpx29(10.0, 20.0).shape == ()
    assert hpx29([[10.0, 370.0, -350.0]], 20.0).shape == (1, 3)
    assert len(set(hpx29([10.0, 370.0, -350.0], 20.0).tolist())) == 1
    with pytest.raises(UsageError, match=r"90\.25"):
        hpx29([0.0, 0.0], [0.0, 90.25])


def test_turns_are_taken_off_while_doubles_are_finer_than_cells():
    """Multiples of 2^-30 deg, a hundredth of a cell, are exact in doubles up to the end."""
    ra, dec = RNG.integers(0, 359 << 30, 2000) / 2.0**30, RNG.uniform(-90, 90, 2000)
    most = int(FARTHEST_DEG // 360) - 1
    turns = RNG.integers(-most, most, 2000)
    assert np.array_equal(hpx29(ra + 360.0 * turns, dec), hpx29(ra, dec))
    beyond = [np.nextafter(FARTHEST_DEG, np.inf), -1e7, 1e300, -np.inf, np.nan]
    assert hpx29(beyond, 0.0).tolist() == [NO_PIXEL] * 5
    assert (hpx29([FARTHEST_DEG, -FARTHEST_DEG], 0.0) != NO_PIXEL).all()


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        (280.0690280994026, 24.74029350568423, 5.6740415351045685),
        (121.2607131758813, 23.65789559330838, 6.964051877618903),
        (32.15217672631946, 23.73853052906509, 6.643438466665359),
        (45.00952490645619, 89.98751039580914, 0.021946291198162708),
    ],
)
@pytest.mark.parametrize("max_ranges", [8, 16, 32, 100])
def test_no_cell_that_an_edge_touches_is_overlooked(ra, dec, radius, max_ranges):
    """Circles of which a search for cells by cdshealpix overlooks some."""
    bearings = np.arange(0, 360, 0.25) * u.deg
    edge = SkyCoord(ra, dec, unit="deg").directional_offset_by(bearings, radius * (1 - 1e-9) * u.deg)
    assert covered(cover(Circle(ra, dec, radius), max_ranges), hpx29(edge.ra.deg, edge.dec.deg)).all()
