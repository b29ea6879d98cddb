"""Pixel maps taken together: good where all of them are good."""

import numpy as np
from numpy.typing import NDArray

from processing.work import Given


def together(*maps: Given | None) -> NDArray[np.uint8] | None:
    """One map, 1 good and 0 bad, shape ``(ny, nx)``; None where there is no map at all."""
    images = [each.image for each in maps if each is not None]
    if not images:
        return None
    good = np.logical_and.reduce([image > 0 for image in images])
    return np.asarray(good, dtype=np.uint8)
