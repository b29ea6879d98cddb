"""The pixels of a raw frame as recipes want them: overscan corrected and trimmed."""

import re

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.overscan import correct_overscan
from processing.work import Given


def raw_pixels(raw: Given, chip: Given, method: int = 0) -> NDArray[np.float32]:
    """Raw pixels [ADU], float32, shape ``(ny, nx)`` of the trimmed chip.

    Parameters
    ----------
    raw
        The frame.
    chip
        Says where the overscan and the light-sensitive pixels are.
    method
        Overscan correction: 0 none, 6 per row.
    """
    overscan, data = section(chip.overscan_section), section(chip.trim_section)
    return correct_overscan(raw.image, method, overscan, data)


def section(text: str | None) -> tuple[slice, slice] | None:
    """``[x1:x2,y1:y2]``, counted from 1 with both ends, as slices of an array; None for no text."""
    if not text:
        return None
    x1, x2, y1, y2 = map(int, re.findall(r"\d+", text))
    return slice(y1 - 1, y2), slice(x1 - 1, x2)
