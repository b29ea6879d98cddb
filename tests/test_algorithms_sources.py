"""Are sources found where they were put, as bright and as wide, and are their sky positions astropy's?"""

import numpy as np
import pytest
import sep
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from processing.algorithms.errors import NoGoodPixelsError, NoWcsError, ParameterError, ShapeError
from processing.algorithms.sky_positions import celestial_wcs, footprint, pixel_positions, sky_positions
from processing.algorithms.sources import DTYPE, SATURATED, Extraction, extract_sources

SHAPE = (240, 300)
SKY, NOISE, GAIN, FWHM = 200.0, 5.0, 2.0, 3.2
Y, X = np.mgrid[1 : SHAPE[0] + 1, 1 : SHAPE[1] + 1].astype(float)


def gaussian(x: float, y: float, flux: float, fwhm: float = FWHM) -> np.ndarray:
    """A star centred on FITS pixel coordinates."""
    sigma = fwhm / 2.3548
    return flux / (2 * np.pi * sigma**2) * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * sigma**2))


def grid_of_stars() -> np.ndarray:
    """x, y, flux of stars that do not overlap, brightness growing by 2.5 magnitudes."""
    rng = np.random.default_rng(11)
    y, x = (a.ravel() for a in np.mgrid[25:225:40, 25:285:40])
    return np.column_stack(
        [
            x + rng.uniform(-0.5, 0.5, x.size),
            y + rng.uniform(-0.5, 0.5, x.size),
            np.geomspace(5e3, 5e4, x.size),
        ]
    )


def frame(stars: np.ndarray, seed: int = 12, fwhm: float = FWHM) -> np.ndarray:
    light = sum((gaussian(*star, fwhm) for star in stars), np.zeros(SHAPE))
    rng = np.random.default_rng(seed)
    return (SKY + rng.poisson(light * GAIN) / GAIN + rng.normal(0, NOISE, SHAPE)).astype(np.float32)


def matched(table: np.ndarray, stars: np.ndarray, within: float = 1.0) -> np.ndarray:
    distance = np.hypot(table["x"][:, None] - stars[:, 0], table["y"][:, None] - stars[:, 1])
    nearest = distance.argmin(axis=0)
    assert (distance.min(axis=0) < within).all()
    return table[nearest]


def test_stars_are_found_where_they_were_put_in_fits_pixels():
    stars = grid_of_stars()
    found = matched(extract_sources(frame(stars), gain=GAIN), stars)
    assert abs(np.mean(found["x"] - stars[:, 0])) < 0.01
    assert abs(np.mean(found["y"] - stars[:, 1])) < 0.01
    assert np.std(found["x"] - stars[:, 0]) < 0.04


def test_fluxes_magnitudes_and_their_errors_are_those_of_the_truth():
    stars = grid_of_stars()
    found = matched(extract_sources(frame(stars), gain=GAIN, exptime_s=30.0), stars)
    pull = (found["flux_aper"] - stars[:, 2]) / found["fluxerr_aper"]
    assert 0.6 < pull.std() < 1.4
    assert abs(pull.mean()) < 0.7
    expected = np.sqrt(stars[:, 2] / GAIN + np.pi * 7**2 * NOISE**2)
    assert np.allclose(found["fluxerr_aper"], expected, rtol=0.05)
    assert np.allclose(found["mag_aper"], -2.5 * np.log10(found["flux_aper"] / 30))
    assert np.allclose(found["magerr_aper"], 1.0857362 * found["fluxerr_aper"] / found["flux_aper"])
    assert np.median(found["flux_auto"] / stars[:, 2]) == pytest.approx(0.98, abs=0.03)


@pytest.mark.parametrize("fwhm", [2.5, 4.0, 5.5])
def test_the_width_of_a_gaussian_star_is_its_fwhm(fwhm: float):
    stars = grid_of_stars()
    found = matched(extract_sources(frame(stars, fwhm=fwhm)), stars)
    assert np.median(found["fwhm"]) == pytest.approx(fwhm, rel=0.06)
    assert np.median(found["ellipticity"]) < 0.08


def test_background_threshold_and_peak_are_those_of_the_frame():
    stars = grid_of_stars()[-4:]
    found = matched(extract_sources(frame(stars)), stars)
    assert np.allclose(found["background"], SKY, atol=2)
    assert np.allclose(found["threshold"], 1.5 * NOISE, rtol=0.1)
    assert np.allclose(found["peak"], stars[:, 2] / (2 * np.pi * (FWHM / 2.3548) ** 2), rtol=0.25)


def test_an_elongated_source_has_its_axes_and_angle():
    angle = np.radians(30)
    u = (X - 150) * np.cos(angle) + (Y - 120) * np.sin(angle)
    v = -(X - 150) * np.sin(angle) + (Y - 120) * np.cos(angle)
    image = frame(np.empty((0, 3))) + 3000 * np.exp(-(u**2) / (2 * 5**2) - v**2 / (2 * 2.5**2))
    (found,) = extract_sources(image, parameters=Extraction(threshold_sigma=3))
    assert found["theta_image"] == pytest.approx(30, abs=1)
    assert found["a_image"] == pytest.approx(5, rel=0.1)
    assert found["ellipticity"] == pytest.approx(0.5, abs=0.03)


def test_an_empty_sky_gives_no_rows_and_is_no_error():
    empty = extract_sources(np.full(SHAPE, 100.0), parameters=Extraction(threshold_sigma=5))
    assert empty.dtype == DTYPE
    assert empty.shape == (0,)
    assert extract_sources(frame(np.empty((0, 3)))).size == 0


def test_rows_are_ordered_by_y_and_equal_frames_give_equal_bits():
    image = frame(grid_of_stars())
    once, again = extract_sources(image, gain=GAIN), extract_sources(image.copy(), gain=GAIN)
    assert once.tobytes() == again.tobytes()
    assert (np.diff(once["y"]) >= 0).all()


@pytest.mark.parametrize("form", [">f4", ">i2", "u2", "f8"])
def test_byte_order_and_contiguity_do_not_matter(form: str):
    image = np.rint(frame(grid_of_stars()))
    wide = np.zeros((SHAPE[0], 2 * SHAPE[1]), form)
    wide[:, ::2] = image
    assert extract_sources(wide[:, ::2]).tobytes() == extract_sources(image).tobytes()


def test_pixels_without_weight_are_not_seen_and_are_flagged_in_the_aperture():
    stars = grid_of_stars()[-3:]
    image, weight = frame(stars), np.full(SHAPE, 0.04, np.float32)
    image[100, 100] = 60000
    weight[100, 100] = 0
    x, y = stars[1, :2].round().astype(int)
    image[y + 2, x + 3], weight[y + 2, x + 3] = np.nan, 0
    table = extract_sources(image, weight, gain=GAIN)
    assert not (np.hypot(table["x"] - 101, table["y"] - 101) < 5).any()
    found = matched(table, stars)
    assert (found["flags"] & 32 != 0).tolist() == [False, True, False]
    assert np.allclose(found["flux_aper"], stars[:, 2], rtol=0.04)


def test_a_weight_counts_in_shape_and_not_in_scale():
    image = frame(grid_of_stars())
    weight = np.linspace(0.02, 0.06, SHAPE[1], dtype=np.float32) * np.ones(SHAPE, np.float32)
    small, large = (extract_sources(image, weight * k) for k in (1, 1e6))
    assert np.allclose(small["fluxerr_aper"], large["fluxerr_aper"], rtol=1e-5)
    assert np.allclose(small["x"], large["x"], atol=1e-6)


def test_a_star_whose_masked_core_is_saturated_is_flagged():
    stars = grid_of_stars()[-6:]
    image, saturated = frame(stars), np.ones(SHAPE, np.uint8)
    x, y = stars[2, :2].round().astype(int) - 1
    saturated[y, x] = 0
    found = matched(extract_sources(image, saturated.astype(np.float32), saturated), stars)
    assert (found["flags"] & SATURATED != 0).tolist() == [False, False, True, False, False, False]


def test_a_source_on_the_edge_is_flagged():
    stars = np.array([[2.0, 120.0, 5e4], [150.0, 120.0, 5e4]])
    found = matched(extract_sources(frame(stars)), stars, within=2)
    assert (found["flags"] & (2 | 16) != 0).tolist() == [True, False]


def test_a_crowded_frame_is_taken_apart():
    rng = np.random.default_rng(13)
    stars = np.column_stack(
        [rng.uniform(8, 292, 300), rng.uniform(8, 232, 300), 10 ** rng.uniform(3.5, 4.5, 300)]
    )
    table = extract_sources(frame(stars))
    assert 220 < table.size <= 300
    assert np.isfinite(table["x"]).all()
    assert (table["flags"] & 1 != 0).any()


def test_the_limits_of_sep_are_as_they_were_before():
    before = sep.get_extract_pixstack(), sep.get_sub_object_limit()
    extract_sources(frame(grid_of_stars()))
    assert (sep.get_extract_pixstack(), sep.get_sub_object_limit()) == before


def test_what_cannot_be_extracted_is_refused():
    with pytest.raises(NoGoodPixelsError):
        extract_sources(np.full((8, 8), np.nan))
    with pytest.raises(ShapeError, match="weight has shape"):
        extract_sources(np.zeros((8, 8)), np.ones((8, 9)))
    with pytest.raises(ParameterError, match="exptime_s=0"):
        extract_sources(np.zeros((8, 8)), exptime_s=0)
    with pytest.raises(ParameterError, match="threshold_sigma=-1"):
        extract_sources(np.zeros((8, 8)), parameters=Extraction(threshold_sigma=-1))


TAN = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 35.28,
    "CRVAL2": 57.17,
    "CRPIX1": 256.5,
    "CRPIX2": 250.0,
    "CD1_1": -1.2e-3,
    "CD1_2": 3e-5,
    "CD2_1": 2e-5,
    "CD2_2": 1.25e-3,
    "RADESYS": "ICRS",
}
SIP = {
    "A_ORDER": 2,
    "B_ORDER": 2,
    "A_2_0": 2e-6,
    "A_1_1": -1e-6,
    "A_0_2": 5e-7,
    "B_2_0": -4e-7,
    "B_0_2": 1.5e-6,
}
HEADERS = {
    "tan": TAN,
    "sip": TAN | SIP | {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"},
    "pole": TAN | {"CRVAL2": 89.9},
    "across zero": TAN | {"CRVAL1": 0.0},
    "zea": TAN | {"CTYPE1": "RA---ZEA", "CTYPE2": "DEC--ZEA"},
}
PLACES = np.random.default_rng(14).uniform(-5, 520, (2, 50))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_sky_positions_are_astropys_and_go_back_to_the_pixels(header: dict):
    ra, dec = sky_positions(*PLACES, header)
    expected = WCS(fits.Header(header)).all_pix2world(*PLACES, 1)
    there = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*expected, unit="deg"))
    assert there.to_value("mas").max() < 1e-3
    assert ((ra >= 0) & (ra < 360)).all()
    assert np.allclose(pixel_positions(ra, dec, header), PLACES, atol=1e-3)


def test_distortion_counts_even_where_the_axis_type_does_not_say_so():
    plain = sky_positions(*PLACES, TAN | SIP)
    assert np.allclose(plain, sky_positions(*PLACES, HEADERS["sip"]), atol=1e-12)
    assert not np.allclose(plain, sky_positions(*PLACES, TAN), atol=1e-5)


def test_other_cards_and_a_third_axis_do_no_harm():
    noise = {
        "NAXIS": 3,
        "WCSAXES": 3,
        "DATE-OBS": "18/03/02",
        "MJD-OBS": "x",
        "CTYPE3": "WAVE",
        "A_NOTE": "x",
    }
    assert np.array_equal(sky_positions(*PLACES, TAN | noise), sky_positions(*PLACES, TAN))


@pytest.mark.parametrize("frame_name", ["FK4", "FK5", "GALACTIC"])
def test_positions_in_other_frames_become_icrs(frame_name: str):
    header = dict(TAN) | {"RADESYS": frame_name}
    if frame_name == "GALACTIC":
        header |= {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}
        header.pop("RADESYS")
    ra, dec = sky_positions(256.5, 250.0, header)
    frames = {"FK4": "fk4", "FK5": "fk5", "GALACTIC": "galactic"}
    expected = SkyCoord(35.28, 57.17, unit="deg", frame=frames[frame_name]).icrs
    assert SkyCoord(ra, dec, unit="deg").separation(expected).arcsec < 1e-3
    assert np.allclose(pixel_positions(ra, dec, header), (256.5, 250.0), atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_footprint_has_the_outer_corners_counter_clockwise_on_the_sky(mirrored: bool):
    header = TAN | ({"CD1_1": 1.2e-3} if mirrored else {})
    corners = footprint(header, (500, 512))
    expected = WCS(fits.Header(header)).calc_footprint(axes=(512, 500), center=False)
    assert sorted(map(tuple, corners.round(9))) == sorted(map(tuple, expected.round(9)))
    east, north = (corners[:, 0] - 35.28) * np.cos(np.radians(57.17)), corners[:, 1] - 57.17
    seen_x, seen_y = -east, north
    area = np.sum(seen_x * np.roll(seen_y, -1) - seen_y * np.roll(seen_x, -1)) / 2
    assert area == pytest.approx(500 * 512 * 1.2e-3 * 1.25e-3, rel=0.01)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"},
        TAN | {"CTYPE2": "WAVE"},
        TAN | {"CTYPE1": "RA---XXX"},
        TAN | {"CD1_1": 0.0, "CD1_2": 0.0},
        TAN | {"CRVAL1": "east"},
    ],
)
def test_a_header_without_a_usable_celestial_system_is_refused(header: dict):
    with pytest.raises(NoWcsError):
        sky_positions(1, 1, header)


def test_the_given_cards_are_left_as_they_were():
    header = TAN | SIP
    celestial_wcs(header)
    assert header == TAN | SIP
