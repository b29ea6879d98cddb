"""Which groups of pixels rise above the noise?"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

from processing.algorithms.errors import TooCrowdedError
from processing.algorithms.images import Image, Selection

SMALLEST_PIXEL_BUFFER = 300_000
SUB_OBJECTS = 4096

_ONE_AT_A_TIME = threading.Lock()


def detect(
    light: Image,
    noise: Image,
    bad: Selection,
    threshold_sigma: float,
    minimum_area_px: int,
    deblend_levels: int,
    deblend_contrast: float,
) -> NDArray[np.void]:
    """The objects that `sep.extract` finds, in its columns.

    The image is convolved, and compared with the noise of single pixels, as SExtractor does. (Comparing with the
    noise of the convolved image, sep's own way, makes thousands of sources out of an empty sky at 1.5 sigma.)

    Parameters
    ----------
    light
        Without background, shape ``(ny, nx)``.
    noise
        Standard deviation of each pixel, same shape and unit.
    bad
        True = bad.
    threshold_sigma, minimum_area_px, deblend_levels, deblend_contrast
        See `processing.algorithms.sources.Extraction`.

    Raises
    ------
    TooCrowdedError
        The pixels of overlapping sources, or the sources in one blend, are more than sep has room for.
    """
    with _room_for(light.size // 8):
        try:
            found: NDArray[np.void] = sep.extract(
                light,
                threshold_sigma,
                err=noise,
                mask=bad,
                filter_type="conv",
                minarea=minimum_area_px,
                deblend_nthresh=deblend_levels,
                deblend_cont=deblend_contrast,
            )
        except Exception as error:  # sep raises no narrower type for a full buffer
            raise TooCrowdedError(
                f"sources cannot be told apart at {threshold_sigma} sigma: {error}"
            ) from error
    return found


def touching(pixels: Selection, found: NDArray[np.void]) -> Selection:
    """Which objects have one of the given pixels in their bounding box, shape ``(n,)``.

    The box and not the isophote, since a saturated core is often masked out of it.
    """
    sums = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1), dtype=np.int64)
    sums[1:, 1:] = pixels.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    x0, x1, y0, y1 = found["xmin"], found["xmax"] + 1, found["ymin"], found["ymax"] + 1
    hit: Selection = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] > 0
    return hit


@contextmanager
def _room_for(pixels: int) -> Iterator[Any]:
    """Sep's limits, which belong to the whole process, raised for one call and put back."""
    with _ONE_AT_A_TIME:
        before = sep.get_extract_pixstack(), sep.get_sub_object_limit()
        sep.set_extract_pixstack(max(before[0], SMALLEST_PIXEL_BUFFER, pixels))
        sep.set_sub_object_limit(max(before[1], SUB_OBJECTS))
        try:
            yield
        finally:
            sep.set_extract_pixstack(before[0])
            sep.set_sub_object_limit(before[1])
