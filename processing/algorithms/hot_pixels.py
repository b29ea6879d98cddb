"""Which pixels are bright without light?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.images import (
    Image,
    PixelMap,
    Selection,
    good_pixels,
    pixel_map,
    positive,
    same_shape,
)
from processing.algorithms.statistics import good_values, sigma_clipped
from processing.algorithms.surroundings import local_median


def find_hot_pixels(
    bias: NDArray[Any], dark: NDArray[Any] | None = None, sigma: float = 6.0, size: int = 7
) -> PixelMap:
    """The pixels that stand out of their surroundings in the master bias, or in the master dark.

    Standing out is more than `sigma` times the clipped standard deviation of the image minus its local
    median. A pixel that is not finite is hot. In a noiseless image every brighter pixel stands out.

    Parameters
    ----------
    bias
        Master bias [ADU], shape ``(ny, nx)``.
    dark
        Master dark, any unit, of the same shape.
    sigma
        Of the threshold.
    size
        Side of the window for the local median [pixel], odd.

    Returns
    -------
    PixelMap
        good = 1, hot = 0.

    Raises
    ------
    ShapeError
        The dark has another shape than the bias.
    NoGoodPixelsError
        One of them has no finite pixel.
    """
    positive(sigma=sigma)
    same_shape(bias, dark=dark)
    good = ~_standing_out(bias, sigma, size)
    if dark is not None:
        good &= ~_standing_out(dark, sigma, size)
    return pixel_map(good)


def _standing_out(image: NDArray[Any], sigma: float, size: int) -> Selection:
    finite = good_pixels(image)
    excess: Image = np.asarray(image, dtype=np.float32) - local_median(image, size)
    noise = sigma_clipped(good_values(excess), 3.0, 20).std()
    standing_out: Selection = ~finite | (excess > sigma * noise)
    return standing_out
