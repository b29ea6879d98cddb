"""What does a FITS image look like? Pixels to a small PNG; pure: arrays in, bytes out."""

import io
from typing import Any

import numpy as np
from astropy.visualization import AsinhStretch, ZScaleInterval
from numpy.typing import NDArray
from PIL import Image

SIZES = {"thumbnail": 160, "preview": 640}
"""Longest side in pixels, by the name of the picture."""

_SAMPLES = 1 << 16


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


def binned(pixels: NDArray[Any], longest: int) -> NDArray[np.float32]:
    """Means of square blocks, so that no side is longer than `longest`; incomplete blocks are cut off."""
    step = max(1, -(-max(pixels.shape) // longest))
    ny, nx = (max(1, side // step) for side in pixels.shape)
    whole = pixels[: ny * step, : nx * step]
    height, width = min(step, whole.shape[0]), min(step, whole.shape[1])
    blocks = whole.reshape(ny, height, nx, width)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def limits(pixels: NDArray[Any]) -> tuple[float, float]:
    """The values that become black and white: as IRAF's zscale gives them, the upper a little brighter."""
    finite = pixels[np.isfinite(pixels)]
    if finite.size == 0:
        return 0.0, 1.0
    sample = finite[:: max(1, finite.size // _SAMPLES)]
    low, high = (float(limit) for limit in ZScaleInterval().get_limits(sample))
    high = max(high, float(np.percentile(sample, 99.7)))
    return (low, high) if high > low else (low, low + 1.0)
