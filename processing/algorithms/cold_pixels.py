"""Which pixels see too little light, or too much?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import ParameterError
from processing.algorithms.images import AnyMask, PixelMap, good_pixels, pixel_map
from processing.algorithms.surroundings import local_median


def find_cold_pixels(
    flat: NDArray[Any],
    hot: AnyMask | None = None,
    low: float = 0.9,
    high: float = 1.1,
    size: int = 7,
) -> PixelMap:
    """The pixels whose response differs from their surroundings by more than the limits.

    Parameters
    ----------
    flat
        Flat field, any scale, shape ``(ny, nx)``.
    hot
        good = 1, hot = 0; hot pixels are left out of the surroundings and are good in the result,
        so that each defect is counted in one map only.
    low, high
        Limits of the ratio of a pixel to its local median; outside is cold.
    size
        Side of the window for the local median [pixel], odd.

    Returns
    -------
    PixelMap
        good = 1, cold = 0; what is not finite, or where the surroundings are not positive, is cold.

    Raises
    ------
    ParameterError
        The limits do not enclose 1.
    NoGoodPixelsError
        No pixel is good.
    """
    if not low < 1 < high:
        raise ParameterError(f"low={low!r} and high={high!r} were given; low < 1 < high is expected")
    around = local_median(flat, size, hot)
    image = np.where(good_pixels(flat), flat, np.float32(np.nan))
    good = (image >= low * around) & (image <= high * around) & (around > 0)
    return pixel_map(good if hot is None else good | (hot == 0))
