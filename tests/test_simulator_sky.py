"""Does the simulated telescope put real stars where the sky has them?"""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.modeling.functional_models import Moffat2D
from astropy.time import Time
from astropy.utils import iers
from astropy.wcs import WCS

from datamodel.errors import UsageError
from processing.simulator import SurveyPlan, exposures, stars
from processing.simulator.camera import (
    CHIPS,
    SATURATION_ADU,
    Pointing,
    linear_wcs,
    nominal_pointing,
    pixel_to_sky,
    sky_to_pixel,
)
from processing.simulator.frames import (
    conditions,
    expected_electrons,
    star_electrons,
    star_positions,
    true_pointing,
)
from processing.simulator.plan import LATITUDE_DEG, LONGITUDE_DEG, airmass, local_sidereal_deg
from processing.simulator.projection import to_plane, to_sky
from processing.simulator.psf import render

PLAN = SurveyPlan.tiny()
SCIENCE = tuple(e for e in exposures(PLAN) if e.obstype == "SCIENCE")


@pytest.mark.parametrize(("ra0", "dec0"), [(35.4, 57.2), (0.01, -30.0), (123.0, 90.0), (200.0, -89.9)])
def test_projecting_to_the_plane_and_back_returns_the_direction(ra0: float, dec0: float) -> None:
    rng = np.random.default_rng(1)
    east, north = rng.uniform(-2, 2, (2, 100))
    ra, dec = to_sky(east, north, ra0, dec0)
    assert np.allclose(to_plane(ra, dec, ra0, dec0), (east, north), atol=1e-10)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=str)
def test_the_header_alone_gives_the_sky_of_an_undistorted_camera(
    chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processing.simulator.camera.DISTORTION_PER_DEG2", 0.0)
    pointing = Pointing(359.9, 57.0)
    x, y = np.random.default_rng(2).uniform(0, 127, (2, 50))
    expected = WCS(linear_wcs(PLAN, chip, pointing)).all_pix2world(x, y, 0)
    assert np.allclose(pixel_to_sky(PLAN, chip, pointing, x, y), expected, atol=1e-9)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=str)
def test_distorted_positions_return_to_their_pixel(chip) -> None:
    pointing = Pointing(35.0, 57.0, rotation_deg=0.3)
    x, y = np.random.default_rng(3).uniform(0, 511, (2, 50))
    plan = SurveyPlan()
    sky = pixel_to_sky(plan, chip, pointing, x, y)
    assert np.allclose(sky_to_pixel(plan, chip, pointing, *sky), (x, y), atol=1e-6)


def test_distortion_is_worth_a_cubic_but_no_more_than_a_few_arcseconds() -> None:
    chip, pointing, plan = CHIPS["ccd54"], Pointing(35.0, 57.0), SurveyPlan()
    x, y = (a.ravel().astype(float) for a in np.mgrid[0:511:20j, 0:511:20j])
    true = SkyCoord(*pixel_to_sky(plan, chip, pointing, x, y), unit="deg")
    header = SkyCoord(*WCS(linear_wcs(plan, chip, pointing)).all_pix2world(x, y, 0), unit="deg")
    assert 2 < true.separation(header).arcsec.max() < 6
    east, _ = to_plane(true.ra.deg, true.dec.deg, 35.0, 57.0)
    linear = np.stack([np.ones_like(x), x, y], axis=1)
    left = east - linear @ np.linalg.lstsq(linear, east, rcond=None)[0]
    assert 0.1 < np.std(left) * 3600 < 1.0


def test_headers_miss_the_sky_by_the_pointing_error() -> None:
    for e in SCIENCE:
        sent, true = nominal_pointing(e), true_pointing(PLAN, e)
        c = conditions(PLAN, e)
        here = SkyCoord(sent.ra_deg, sent.dec_deg, unit="deg")
        east, north = here.spherical_offsets_to(SkyCoord(true.ra_deg, true.dec_deg, unit="deg"))
        assert (east.arcsec, north.arcsec) == pytest.approx((c.east_arcsec, c.north_arcsec), abs=0.01)
        assert 1 < np.hypot(c.east_arcsec, c.north_arcsec) < 250


def test_the_catalogue_holds_a_known_star_with_its_colour_in_the_last_columns() -> None:
    rows = stars.read_gaia()
    assert len(rows) == 482_176
    barnard = rows[rows["source_id"] == 4472832130942575872]
    assert (barnard["bp"][0], barnard["rp"][0]) == pytest.approx((9.79, 6.96), abs=0.01)


def test_real_stars_are_those_astropy_finds_near_the_centre() -> None:
    rows = stars.read_gaia()
    rows = rows[np.abs(rows["dec"] - PLAN.centre_dec_deg) < 3]
    centre = SkyCoord(PLAN.centre_ra_deg, PLAN.centre_dec_deg, unit="deg")
    near = SkyCoord(rows["ra"], rows["dec"], unit="deg").separation(centre).deg < PLAN.field_radius_deg
    field = stars.star_field(PLAN)
    assert set(field.source_id[field.real]) == set(rows["source_id"][near])


def test_synthetic_stars_are_fainter_than_real_ones_and_as_many_as_asked() -> None:
    field = stars.star_field(PLAN)
    assert (~field.real).sum() == PLAN.synthetic_stars
    assert field.g[~field.real].min() > 10 > field.g[field.real].max()


@pytest.mark.parametrize("plan", [SurveyPlan(), SurveyPlan(seed=8)], ids=["default", "other seed"])
def test_each_chip_has_twenty_unsaturated_real_stars_in_each_science_exposure(plan: SurveyPlan) -> None:
    real = stars.star_field(plan).real
    ny, nx = plan.chip_shape
    for e in (e for e in exposures(plan) if e.obstype == "SCIENCE"):
        peak_e = star_electrons(plan, e) * 2 / np.pi / (conditions(plan, e).fwhm_px / 1.0196) ** 2
        for chip in CHIPS.values():
            x, y = star_positions(plan, e, chip.name)
            inside = (x > 4) & (x < nx - 5) & (y > 4) & (y < ny - 5)
            whole = peak_e / chip.gain_e_per_adu + 1000 < SATURATION_ADU
            assert (real & inside & whole).sum() >= 20, (e.obsid, chip.name)


def test_rendered_stars_are_astropys_moffat() -> None:
    model = Moffat2D(amplitude=1, x_0=30.3, y_0=25.8, gamma=2.5, alpha=3)
    y, x = np.mgrid[0:50, 0:60]
    expected = model(x, y) * 1e6 * 2 / (np.pi * 2.5**2)
    got = render((50, 60), np.array([30.3]), np.array([25.8]), np.array([1e6]), float(model.fwhm))
    assert np.allclose(got, expected, rtol=1e-9, atol=0.03)


def test_rendering_keeps_the_light_of_faint_and_bright_stars() -> None:
    for flux in (1e2, 1e4, 1e6):
        image = render((200, 200), np.array([100.4]), np.array([99.7]), np.array([flux]), 2.7)
        assert image.sum() == pytest.approx(flux, rel=0.01)


def test_a_star_beyond_the_edge_gives_the_chip_its_wing_only() -> None:
    image = render((64, 64), np.array([-6.0, 300.0]), np.array([30.0, 30.0]), np.array([1e6, 1e9]), 2.7)
    assert 0 < image.sum() < 1e4
    assert image.argmax() % 64 == 0


def test_expected_star_light_is_the_zeropoint_formula() -> None:
    e = SCIENCE[0]
    with_stars = expected_electrons(PLAN, e, "A5382")
    empty = replace(e, obstype="DOMEFLAT", airmass=None)
    assert with_stars.sum() > 0
    with pytest.raises(ValueError, match="only a SCIENCE exposure"):
        star_electrons(PLAN, empty)
    field = stars.star_field(PLAN)
    rate = star_electrons(PLAN, e) / e.exptime_s
    again = 18.93 - 2.5 * np.log10(rate) - 0.12 * e.airmass
    assert np.allclose(again, field.g + 0.2 * field.bp_rp)


def test_airmass_and_sidereal_time_agree_with_astropy() -> None:
    instant = datetime(2003, 2, 14, 21, 30, tzinfo=UTC)
    with iers.conf.set_temp("auto_download", False):
        lst = Time(instant).sidereal_time("mean", longitude=LONGITUDE_DEG * u.deg).deg
    assert local_sidereal_deg(instant) == pytest.approx(lst, abs=0.01)
    zenith = SkyCoord(lst, LATITUDE_DEG, unit="deg")
    distance = zenith.separation(SkyCoord(35.38, 57.167, unit="deg")).rad
    assert airmass(instant, 35.38, 57.167) == pytest.approx(1 / np.cos(distance), rel=1e-3)


def test_nights_and_exposures_are_as_planned() -> None:
    taken = exposures(SurveyPlan())
    kinds = [(str(e.night), e.obstype) for e in taken]
    first, second = "2003-02-14", "2003-02-15"
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    assert counts == {
        (first, "BIAS"): 10,
        (first, "DARK"): 3,
        (first, "DOMEFLAT"): 15,
        (first, "TWIFLAT"): 15,
        (first, "SCIENCE"): 15,
        (second, "BIAS"): 4,
        (second, "SCIENCE"): 6,
    }
    assert [e.start for e in taken] == sorted(e.start for e in taken)
    assert len({e.obsid for e in taken}) == len(taken)
    assert taken[0].mjd == pytest.approx(Time(taken[0].start).mjd, abs=1e-9)
    span = [e.airmass for e in taken if e.airmass is not None]
    assert min(span) < 1.3
    assert max(span) > 1.6


@pytest.mark.parametrize(
    "changes",
    [{"chip_shape": (32, 512)}, {"chip_shape": (8192, 512)}, {"pixel_scale_arcsec": 100.0}],
    ids=str,
)
def test_a_camera_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"asked for|expected"):
        SurveyPlan(**changes)


def test_the_full_size_camera_sees_no_more_sky_than_projection_allows() -> None:
    plan = SurveyPlan.full_size()
    assert plan.chip_shape == (4096, 2048)
    assert 1 < plan.field_radius_deg < 2
