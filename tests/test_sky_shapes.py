"""Shapes refuse what is impossible, and are written and read as STC-S text."""

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.errors import UsageError
from datamodel.shapes import Circle, Point, Polygon, Range
from datamodel.sky import contains, from_stcs, separation, to_stcs

IMPOSSIBLE = {
    "declination above the pole": (lambda: Circle(10, 90.5, 1), "90.5"),
    "right ascension not a number": (lambda: Point(math.nan, 0), "nan"),
    "infinite right ascension": (lambda: Circle(math.inf, 0, 1), "inf"),
    "negative radius": (lambda: Circle(10, 20, -1.5), "-1.5"),
    "radius above 180": (lambda: Circle(10, 20, 181), "181"),
    "radius not a number": (lambda: Circle(10, 20, math.nan), "nan"),
    "two vertices": (lambda: Polygon(((1, 2), (3, 4))), "found 2"),
    "no vertices": (lambda: Polygon(()), "found 0"),
    "two different vertices": (lambda: Polygon(((1, 2), (3, 4), (361, 2))), "found 2"),
    "antipodal neighbours": (lambda: Polygon(((0, 0), (180, 0), (90, 45))), "antipode"),
    "crossing edges": (lambda: Polygon(((0, 0), (10, 10), (10, 0), (0, 10))), "cross"),
    "half of the sky": (lambda: Polygon(((0, 0), (120, 0), (240, 0))), "neither side"),
    "vertex beyond the pole": (lambda: Polygon(((0, 0), (1, 0), (1, 91))), "91"),
    "range upside down": (lambda: Range(0, 10, 5, -5), "5"),
    "range with NaN": (lambda: Range(0, math.nan, -5, 5), "nan"),
    "range beyond the pole": (lambda: Range(0, 10, -91, 5), "-91"),
}


@pytest.mark.parametrize(("make", "quoted"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_shape_is_refused_with_its_value_quoted(make, quoted):
    with pytest.raises(UsageError, match=quoted):
        make()


def test_a_closing_vertex_that_repeats_the_first_is_dropped():
    assert Polygon(((0, 0), (10, 0), (10, 10), (0, 0))) == Polygon(((0, 0), (10, 0), (10, 10)))


def test_a_range_may_go_through_zero_or_be_unbounded():
    assert Range(350, 10, -5, 5) == Range(350, 370, -5, 5) == Range(-10, 10, -5, 5)
    assert Range(-math.inf, math.inf, -math.inf, 3) == Range(0, 360, -90, 3)
    assert Range(300, math.inf, 3, math.inf) == Range(300, 360, 3, 90)
    assert contains(Range(350, 10, -5, 5), [355, 0, 360, 10, 11, 349], 0).tolist() == [True] * 4 + [False] * 2


ANGLE = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


@given(shape=st.builds(Circle, ANGLE, DEC, st.floats(0, 180)) | st.builds(Point, ANGLE, DEC))
@settings(max_examples=50, deadline=None)
def test_a_shape_survives_being_written_and_read(shape):
    assert from_stcs(to_stcs(shape)) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("POLYGON ICRS 10 -5 12 -5 12 -3", Polygon(((10, -5), (12, -5), (12, -3)))),
        ("Polygon ICRS GEOCENTER 10 -5 12 -5 12 -3 ", Polygon(((10, -5), (12, -5), (12, -3)))),
        ("circle icrs 1e1 -5 .5", Circle(10, -5, 0.5)),
        ("CIRCLE 10 -5 .5", Circle(10, -5, 0.5)),
        ("POSITION ICRS 10 -5", Point(10, -5)),
        ("PositionInterval ICRS 10 -5 20 5", Range(10, 20, -5, 5)),
    ],
)
def test_region_text_of_archives_is_read(text, shape):
    assert from_stcs(text) == shape
    assert from_stcs(to_stcs(shape)) == shape


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ELLIPSE ICRS 1 2 3 4 5",
        "CIRCLE FK4 1 2 3",
        "CIRCLE ICRS 1 2",
        "POLYGON ICRS 1 2 3 4 5 6 7",
        "POINT a b",
    ],
)
def test_other_region_text_is_refused_and_quoted(text):
    with pytest.raises(UsageError, match=r"expected|not a number"):
        from_stcs(text)


def test_separations_agree_with_astropy_from_zero_to_half_a_turn():
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    here = SkyCoord(ra * u.deg, dec * u.deg)
    for distance in (0.0, 1e-9, 1 / 3600, 1.0, 90.0, 179.0, 180 - 1e-7):
        there = here.directional_offset_by(rng.uniform(0, 360, 500) * u.deg, distance * u.deg)
        found = separation(ra, dec, there.ra.deg, there.dec.deg)
        assert np.abs(found - here.separation(there).deg).max() < 1e-12
    assert (separation(ra, dec, ra, dec) == 0).all()


def winding(vertices, ra, dec):
    """How far the bearing to a point that walks round the polygon turns, in turns: an independent test of inside."""
    vertices = SkyCoord([*vertices, vertices[0]], unit="deg")
    bearing = SkyCoord(ra[:, None], dec[:, None], unit="deg").position_angle(vertices[None, :]).rad
    turn = np.diff(bearing, axis=1)
    return np.rint((np.remainder(turn + np.pi, 2 * np.pi) - np.pi).sum(axis=1) / (2 * np.pi))


@pytest.mark.parametrize("pole", [(40.0, 10.0), (0.0, 0.0), (10.0, 90.0), (200.0, -89.0), (359.9, -45.0)])
@pytest.mark.parametrize("size_deg", [1e-3, 1.0, 60.0])
@pytest.mark.parametrize("corners", [3, 4, 11])
def test_a_polygon_contains_what_it_winds_around(pole, size_deg, corners):
    rng = np.random.default_rng(corners)
    centre = SkyCoord(*pole, unit="deg")
    bearings = np.sort(rng.uniform(0, 30, corners)) + np.arange(corners) * 360 / corners
    star = centre.directional_offset_by(bearings * u.deg, rng.uniform(0.2, 1, corners) * size_deg * u.deg)
    around = centre.directional_offset_by(
        rng.uniform(0, 360, 400) * u.deg, rng.uniform(0, 1.2, 400) * size_deg * u.deg
    )
    vertices = list(zip(star.ra.deg, star.dec.deg, strict=True))
    inside = winding(vertices, around.ra.deg, around.dec.deg) != 0
    for turned in (vertices, vertices[::-1], vertices[2:] + vertices[:2]):
        found = contains(Polygon(tuple(turned)), around.ra.deg, around.dec.deg)
        assert (found == inside).all()
    assert 0 < inside.sum() < 400
    assert not contains(Polygon(tuple(vertices)), (pole[0] + 180) % 360, -pole[1])


def test_a_polygon_that_winds_round_the_sky_has_the_smaller_side_inside():
    """A zigzag about the equator: the part that is smaller is the northern one."""
    ra = np.arange(0, 360, 15.0)
    polygon = Polygon(tuple(zip(ra, np.where(ra % 30 == 0, 30.0, -10.0), strict=True)))
    assert contains(polygon, [15, 15, 0, 0], [-9, -11, 31, 29]).tolist() == [True, False, True, False]
    assert contains(polygon, [0, 77, 123], [90, 60, 45]).all()
    assert not contains(polygon, [0, 77, 123], [-90, -60, -45]).any()
