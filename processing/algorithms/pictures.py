"""How is an image made small and its faint things visible? For whatever shows pixels to people."""

from typing import Any

import numpy as np
from astropy.visualization import ZScaleInterval
from numpy.typing import NDArray

_SAMPLES = 1 << 16


def binned(pixels: NDArray[Any], longest: int) -> NDArray[np.float32]:
    """Means of square blocks, so that no side is longer than `longest`; incomplete blocks are cut off."""
    step = max(1, -(-max(pixels.shape) // longest))
    ny, nx = (max(1, side // step) for side in pixels.shape)
    whole = pixels[: ny * step, : nx * step]
    height, width = min(step, whole.shape[0]), min(step, whole.shape[1])
    blocks = whole.reshape(ny, height, nx, width)
    with np.errstate(over="ignore", invalid="ignore"):  # such a block is not finite
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
