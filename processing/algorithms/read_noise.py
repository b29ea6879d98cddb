"""How noisy is the read-out of a detector?"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.images import AnyMask, as_image, same_shape
from processing.algorithms.statistics import good_values, sigma_clipped


@dataclass(frozen=True)
class ReadNoiseEstimate:
    """What a pair of bias frames tells.

    Attributes
    ----------
    read_noise_adu
        Standard deviation of one read [ADU]; exactly 0.0 when the frames differ by a constant.
    error_adu
        One standard deviation of the estimate itself [ADU].
    bias_level_adu
        Clipped mean of both frames [ADU].
    count
        How many pixels survived the clipping of the difference.
    """

    read_noise_adu: float
    error_adu: float
    bias_level_adu: float
    count: int


def estimate_read_noise(
    first: NDArray[Any],
    second: NDArray[Any],
    mask: AnyMask | None = None,
    sigma: float = 5.0,
    iterations: int = 10,
) -> ReadNoiseEstimate:
    """The read noise from the difference of two bias frames, divided by the square root of 2.

    The fixed pattern cancels in the difference. The spread is a clipped standard deviation: a median absolute
    deviation of integer counts is quantised and comes out several per cent wrong.

    Parameters
    ----------
    first, second
        Raw bias frames [ADU], shape ``(ny, nx)``.
    mask
        good = 1, bad = 0.
    sigma, iterations
        Of the clipping, see `processing.algorithms.statistics.sigma_clipped`.

    Raises
    ------
    ShapeError
        The frames differ in shape.
    NoGoodPixelsError
        No pixel is good in both.
    """
    first, second = as_image(first), as_image(second)
    same_shape(first, second=second)
    difference = sigma_clipped(good_values(first - second, mask), sigma, iterations)
    level = sigma_clipped(good_values((first + second) / np.float32(2), mask), sigma, iterations).mean()
    noise = float(difference.std()) / math.sqrt(2)
    return ReadNoiseEstimate(noise, noise / math.sqrt(2 * difference.size), float(level), difference.size)
