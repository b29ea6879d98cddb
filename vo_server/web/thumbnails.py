"""What does a FITS image look like? Pixels to a small PNG; pure: arrays in, bytes out."""

import io
from typing import Any

import numpy as np
from astropy.visualization import AsinhStretch
from numpy.typing import NDArray
from PIL import Image

from processing.algorithms.pictures import binned, limits

SIZES = {"thumbnail": 160, "preview": 640}
"""Longest side in pixels, by the name of the picture."""


def png(pixels: NDArray[Any], longest: int) -> bytes:
    """A grey picture of an image, the first row at the bottom as on the sky, faint things visible.

    Parameters
    ----------
    pixels
        Shape ``(ny, nx)``; what is not finite is black.
    longest
        Pixels of the longer side of the picture, at the most; a smaller image is not enlarged.
    """
    reduced = binned(pixels, longest)
    low, high = limits(reduced)
    scaled = np.clip(
        (np.nan_to_num(reduced, nan=low, posinf=high, neginf=low) - low) / (high - low), 0.0, 1.0
    )
    grey = (AsinhStretch(0.2)(scaled) * 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(grey[::-1]))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
