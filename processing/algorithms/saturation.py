"""Which pixels are full?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.images import PixelMap, as_image, pixel_map, positive
from processing.algorithms.surroundings import grown


def find_saturated(raw: NDArray[Any], saturation_adu: float, grow: int = 0) -> PixelMap:
    """The pixels at or above the saturation level of the detector.

    Parameters
    ----------
    raw
        The frame as read, before bias and flat [ADU], shape ``(ny, nx)``.
    saturation_adu
        The level at which counts can no longer be trusted [ADU].
    grow
        Mark so many pixels around each as well.

    Returns
    -------
    PixelMap
        good = 1, saturated = 0; what is not a number is saturated.

    Raises
    ------
    ParameterError
        The level is not above zero.
    """
    positive(saturation_adu=saturation_adu)
    image = as_image(raw)
    return pixel_map(~grown(~(image < np.float32(saturation_adu)), grow))
