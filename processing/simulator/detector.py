"""What is wrong with each chip for ever: bias structure, hot and cold pixels, flat field?"""

from functools import lru_cache
from math import log

import numpy as np
import numpy.typing as npt

from processing.simulator.camera import CHIPS, pixel_to_focal
from processing.simulator.plan import FILTERS, SurveyPlan
from processing.simulator.projection import Floats

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

STREAM = 900_002
"""Second word of the seeds of everything fixed; exposures have the numbers below it."""

HOT_FRACTION, COLD_FRACTION = 1.5e-3, 2e-4
HOT_BIAS_ADU = (80.0, 800.0)
"""Range of the level of hot pixels above their neighbours in a bias, from charge made during readout."""

HOT_DARK_E_PER_S = (20.0, 150.0)
COLD_RESPONSE = (0.02, 0.3)
COLUMN_PATTERN_ADU, ROW_RAMP_ADU = 0.6, 1.5
PIXEL_RESPONSE_RMS, FILTER_RESPONSE_RMS = 0.008, 0.003
VIGNETTING: dict[str, float] = {"V": 0.18, "B": 0.20, "R": 0.17}
"""Loss of light at the corners of the mosaic, growing with the square of the distance from the axis."""

DOME_TILT: dict[str, tuple[float, float]] = {"V": (0.012, -0.006), "B": (0.015, -0.004), "R": (0.010, -0.008)}
"""Change of the dome screen's light from the axis to the mosaic's east and north edges."""

DOME_BULGE = 0.02
"""Loss of the dome screen's light at the mosaic's corners."""


@lru_cache(maxsize=8)
def defects(plan: SurveyPlan, chip_name: str) -> tuple[Mask, Mask]:
    """Masks of the hot and of the cold pixels, True where bad, each ``(ny, nx)``; they share no pixel."""
    size = plan.chip_shape[0] * plan.chip_shape[1]
    n_hot, n_cold = round(HOT_FRACTION * size), max(3, round(COLD_FRACTION * size))
    chosen = _rng(plan, chip_name, 1).choice(size, n_hot + n_cold, replace=False)
    hot, cold = np.zeros(size, bool), np.zeros(size, bool)
    hot[chosen[:n_hot]] = True
    cold[chosen[n_hot:]] = True
    return hot.reshape(plan.chip_shape), cold.reshape(plan.chip_shape)


@lru_cache(maxsize=8)
def bias_map(plan: SurveyPlan, chip_name: str) -> Map:
    """Noise-free bias in ADU: level, column pattern, ramp along the rows, raised hot pixels."""
    rng = _rng(plan, chip_name, 2)
    ny, nx = plan.chip_shape
    hot, _ = defects(plan, chip_name)
    columns = rng.normal(0, COLUMN_PATTERN_ADU, nx)
    ramp = ROW_RAMP_ADU * (np.arange(ny)[:, None] / (ny - 1) - 0.5)
    bias = CHIPS[chip_name].bias_adu + columns - np.median(columns) + ramp
    bias[hot] += log_uniform(rng, HOT_BIAS_ADU, int(hot.sum()))
    return bias.astype(np.float32)


@lru_cache(maxsize=8)
def dark_map(plan: SurveyPlan, chip_name: str) -> Map:
    """Dark current in electrons per second."""
    rng = _rng(plan, chip_name, 3)
    hot, _ = defects(plan, chip_name)
    dark = np.full(plan.chip_shape, CHIPS[chip_name].dark_e_per_s, np.float32)
    dark[hot] += log_uniform(rng, HOT_DARK_E_PER_S, int(hot.sum()))
    return dark


@lru_cache(maxsize=16)
def response_map(plan: SurveyPlan, chip_name: str, filter_name: str) -> Map:
    """The true flat field: electrons per electron of an ideal pixel on the axis of the mean chip.

    The twilight sky and the night sky see exactly this; the dome screen sees it times
    `dome_illumination`.
    """
    number = 10 + list(FILTERS).index(filter_name)
    _, cold = defects(plan, chip_name)
    gray = _rng(plan, chip_name, 4).normal(1, PIXEL_RESPONSE_RMS, plan.chip_shape)
    colour = _rng(plan, chip_name, number).normal(1, FILTER_RESPONSE_RMS, plan.chip_shape)
    east, north = _mosaic_coordinates(plan, chip_name)
    vignetting = 1 - VIGNETTING[FILTERS[filter_name]] * (east**2 + north**2) / 2
    response = CHIPS[chip_name].efficiency * gray * colour * vignetting
    response[cold] *= _rng(plan, chip_name, 5).uniform(*COLD_RESPONSE, cold.sum())
    return response.astype(np.float32)


@lru_cache(maxsize=16)
def dome_illumination(plan: SurveyPlan, chip_name: str, filter_name: str) -> Map:
    """Light of the dome screen relative to an even one, smooth over the mosaic, 1 on the axis."""
    east, north = _mosaic_coordinates(plan, chip_name)
    tilt_east, tilt_north = DOME_TILT[FILTERS[filter_name]]
    light = 1 + tilt_east * east + tilt_north * north - DOME_BULGE * (east**2 + north**2) / 2
    return np.asarray(light, np.float32)


def log_uniform(rng: np.random.Generator, limits: tuple[float, float], n: int) -> Floats:
    """Draw ``n`` numbers whose logarithms are uniform between the limits."""
    return np.exp(rng.uniform(log(limits[0]), log(limits[1]), n))


def _mosaic_coordinates(plan: SurveyPlan, chip_name: str) -> tuple[Floats, Floats]:
    """Offsets from the axis in units of half the mosaic: east ``(1, nx)`` and north ``(ny, 1)``, in [-1, 1]."""
    ny, nx = plan.chip_shape
    x, y = np.arange(nx, dtype=float)[None, :], np.arange(ny, dtype=float)[:, None]
    east, north = pixel_to_focal(plan, CHIPS[chip_name], x, y)
    half_height, half_width = plan.half_size_deg
    return east / half_width, north / half_height


def _rng(plan: SurveyPlan, chip_name: str, what: int) -> np.random.Generator:
    """Random numbers of one fixed property of one chip."""
    return np.random.default_rng([plan.seed, STREAM, CHIPS[chip_name].number, what])
