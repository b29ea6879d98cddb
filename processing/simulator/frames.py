"""What does one chip record in one exposure?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processing.simulator.camera import CHIPS, SATURATION_ADU, Chip, Pointing, sky_to_pixel
from processing.simulator.detector import bias_map, dark_map, dome_illumination, log_uniform, response_map
from processing.simulator.plan import FILTERS, Exposure, SurveyPlan
from processing.simulator.projection import Floats, to_sky
from processing.simulator.psf import render
from processing.simulator.stars import star_field

ZEROPOINT_E: dict[str, float] = {"V": 18.93, "B": 18.80, "R": 18.70}
"""Band to the magnitude above the atmosphere of a star giving one electron a second on the axis of the
mean chip; with some two electrons an ADU the zeropoint for ADU is near 18.1 in V."""

EXTINCTION: dict[str, float] = {"V": 0.12, "B": 0.22, "R": 0.08}
"""Band to magnitudes lost per airmass."""

SKY_E_PER_S: dict[str, float] = {"V": 5.0, "B": 3.5, "R": 7.0}
"""Band to the mean night sky in electrons per second and pixel on the axis of the mean chip."""

SKY_SPREAD, LAMP_SPREAD = 0.05, 0.01
DOME_E = 55_000.0
TWILIGHT_E = (30_000.0, 60_000.0)
POINTING_ERROR_PX, ROTATION_ERROR_DEG = 2.5, 0.02
FWHM_PX = (2.5, 2.9)
COSMICS_PER_PIXEL_S = 2e-6
TRACK_STEPS = 24
"""Longest track of a cosmic ray, in half pixels."""

TRACK_E = (400.0, 4000.0)
"""Range of the charge a cosmic ray leaves at each half pixel of its track, electrons."""


@dataclass(frozen=True)
class Conditions:
    """What happened in one exposure that no header tells.

    Attributes
    ----------
    east_arcsec, north_arcsec
        Where the optical axis was on the sky, as offsets from where it was sent.
    rotation_deg
        Angle by which the camera was turned.
    fwhm_px
        Full width at half maximum of the stars.
    light_e
        Electrons in a pixel on the axis of the mean chip from sky, lamp or twilight; 0 for bias and dark.
    """

    east_arcsec: float
    north_arcsec: float
    rotation_deg: float
    fwhm_px: float
    light_e: float


def conditions(plan: SurveyPlan, exposure: Exposure) -> Conditions:
    """The hidden circumstances of an exposure, the same for all chips."""
    rng = np.random.default_rng([plan.seed, exposure.number, 0])
    east, north = rng.normal(0, POINTING_ERROR_PX * plan.pixel_scale_arcsec, 2)
    rotation, fwhm = rng.normal(0, ROTATION_ERROR_DEG), rng.uniform(*FWHM_PX)
    return Conditions(float(east), float(north), float(rotation), float(fwhm), _light(exposure, rng))


def true_pointing(plan: SurveyPlan, exposure: Exposure) -> Pointing:
    """Where the telescope really looked."""
    c = conditions(plan, exposure)
    offset = np.asarray(c.east_arcsec / 3600), np.asarray(c.north_arcsec / 3600)
    ra, dec = to_sky(*offset, exposure.ra_deg, exposure.dec_deg)
    return Pointing(float(ra), float(dec), c.rotation_deg)


def pixels(plan: SurveyPlan, exposure: Exposure, chip_name: str) -> npt.NDArray[np.uint16]:
    """The raw image of one chip in ADU, shape ``(ny, nx)``; depends on nothing but the arguments."""
    chip = CHIPS[chip_name]
    rng = _rng(plan, exposure, chip)
    hits = _cosmic_charge(plan, exposure, rng)
    expected = expected_electrons(plan, exposure, chip_name)
    electrons = rng.standard_normal(plan.chip_shape, dtype=np.float32) * np.float32(chip.read_noise_e)
    if exposure.exptime_s:
        electrons += rng.poisson(expected) + hits
    adu = electrons / np.float32(chip.gain_e_per_adu) + bias_map(plan, chip_name)
    return np.asarray(np.rint(adu).clip(0, SATURATION_ADU), np.uint16)


def expected_electrons(plan: SurveyPlan, exposure: Exposure, chip_name: str) -> Floats:
    """Noise-free electrons collected by each pixel, cosmic rays apart, shape ``(ny, nx)``."""
    expected = dark_map(plan, chip_name).astype(float) * exposure.exptime_s
    if exposure.filter is not None:
        expected += _incident(plan, exposure, chip_name) * response_map(plan, chip_name, exposure.filter)
    return expected


def star_positions(plan: SurveyPlan, exposure: Exposure, chip_name: str) -> tuple[Floats, Floats]:
    """True 0-based pixel positions (x, y) of all stars of the field, most of them off the chip."""
    stars = star_field(plan)
    return sky_to_pixel(plan, CHIPS[chip_name], true_pointing(plan, exposure), stars.ra_deg, stars.dec_deg)


def star_electrons(plan: SurveyPlan, exposure: Exposure) -> Floats:
    """Electrons each star of the field would give an ideal pixel area of response 1.

    Raises
    ------
    ValueError
        When the exposure is not of the sky.
    """
    if exposure.filter is None or exposure.airmass is None:
        raise ValueError(f"{exposure.obsid} is a {exposure.obstype}; only a SCIENCE exposure shows stars")
    band = FILTERS[exposure.filter]
    dimmed = star_field(plan).magnitude(band) + EXTINCTION[band] * exposure.airmass
    return np.asarray(exposure.exptime_s * 10 ** (-0.4 * (dimmed - ZEROPOINT_E[band])))


def cosmic_ray_pixels(plan: SurveyPlan, exposure: Exposure, chip_name: str) -> npt.NDArray[np.intp]:
    """Flat indices ``y * nx + x`` of the pixels of one chip hit by cosmic rays."""
    charge = _cosmic_charge(plan, exposure, _rng(plan, exposure, CHIPS[chip_name]))
    return np.flatnonzero(charge)


def _incident(plan: SurveyPlan, exposure: Exposure, chip_name: str) -> Floats:
    """Electrons an ideal pixel of response 1 would collect from outside the camera, ``(ny, nx)``."""
    c = conditions(plan, exposure)
    light = np.full(plan.chip_shape, c.light_e)
    if exposure.obstype == "DOMEFLAT":
        light *= dome_illumination(plan, chip_name, exposure.filter or "")
    if exposure.obstype == "SCIENCE":
        x, y = star_positions(plan, exposure, chip_name)
        light += render(plan.chip_shape, x, y, star_electrons(plan, exposure), c.fwhm_px)
    return light


def _light(exposure: Exposure, rng: np.random.Generator) -> float:
    """Electrons from sky, lamp or twilight on the axis of the mean chip."""
    if exposure.obstype == "SCIENCE":
        sky = SKY_E_PER_S[FILTERS[exposure.filter or ""]] * exposure.exptime_s
        return float(sky * rng.uniform(1 - SKY_SPREAD, 1 + SKY_SPREAD))
    levels = {
        "DOMEFLAT": (DOME_E * (1 - LAMP_SPREAD), DOME_E * (1 + LAMP_SPREAD)),
        "TWIFLAT": TWILIGHT_E,
    }
    return float(rng.uniform(*levels.get(exposure.obstype, (0.0, 0.0))))


def _cosmic_charge(plan: SurveyPlan, exposure: Exposure, rng: np.random.Generator) -> Floats:
    """Electrons left by cosmic rays, ``(ny, nx)``; none in biases and flats."""
    charge = np.zeros(plan.chip_shape)
    ny, nx = plan.chip_shape
    rate = COSMICS_PER_PIXEL_S if exposure.obstype in ("SCIENCE", "DARK") else 0.0
    n = rng.poisson(rate * exposure.exptime_s * ny * nx)
    x0, y0, angle = rng.uniform(0, nx, n), rng.uniform(0, ny, n), rng.uniform(0, 2 * np.pi, n)
    length = np.minimum(1 + rng.exponential(5, n), TRACK_STEPS)
    per_step = log_uniform(rng, TRACK_E, n)
    step = np.arange(TRACK_STEPS)
    x = np.floor(x0[:, None] + np.cos(angle)[:, None] * step / 2).astype(int)
    y = np.floor(y0[:, None] + np.sin(angle)[:, None] * step / 2).astype(int)
    kept = (step < length[:, None]) & (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    np.add.at(charge, (y[kept], x[kept]), np.broadcast_to(per_step[:, None], kept.shape)[kept])
    return charge


def _rng(plan: SurveyPlan, exposure: Exposure, chip: Chip) -> np.random.Generator:
    """Random numbers of one chip in one exposure; cosmic rays are drawn before the noise."""
    return np.random.default_rng([plan.seed, exposure.number, chip.number])
