"""How is the electronic level that the overscan shows taken off a raw frame?"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import ParameterError, SectionError
from processing.algorithms.images import Image, as_image

Section = tuple[slice, slice]
"""Rows and columns of a part of the detector, from 0, the end exclusive: ``image[section]``."""

NONE = 0
PER_ROW = 6


def correct_overscan(
    raw: NDArray[Any], method: int = PER_ROW, overscan: Section | None = None, data: Section | None = None
) -> Image:
    """The data section with the overscan level subtracted.

    Parameters
    ----------
    raw
        The frame as read [ADU], shape ``(ny, nx)``.
    method
        0 subtracts nothing; 6 subtracts from every row the median of its overscan pixels.
    overscan
        Where no light falls; needed for method 6, and must reach over every row of `data`.
    data
        What is kept; None keeps the whole frame.

    Returns
    -------
    Image
        A new float32 array of the data section's shape [ADU].

    Raises
    ------
    ParameterError
        The method is unknown.
    SectionError
        A section is missing, empty or outside the frame, or the overscan does not cover the data's rows.
    """
    if method not in _LEVELS:
        raise ParameterError(f"overscan correction {method!r} was given; known are {sorted(_LEVELS)}")
    image = as_image(raw)
    return image[_inside(image, data, "data")] - _LEVELS[method](image, overscan, data)


def _nothing(image: Image, overscan: Section | None, data: Section | None) -> Image:
    return np.zeros((1, 1), dtype=np.float32)


def _row_medians(image: Image, overscan: Section | None, data: Section | None) -> Image:
    """Level of each row of the data section, shape ``(ny, 1)``."""
    if overscan is None:
        raise SectionError(f"overscan correction {PER_ROW} needs an overscan section; none was given")
    columns = _inside(image, overscan, "overscan")[1]
    rows = _inside(image, data, "data")[0]
    covered = range(*overscan[0].indices(image.shape[0]))
    wanted = range(*rows.indices(image.shape[0]))
    if wanted[0] < covered[0] or wanted[-1] > covered[-1]:
        raise SectionError(
            f"the overscan covers rows {covered[0]} to {covered[-1]};"
            f" the data need {wanted[0]} to {wanted[-1]}"
        )
    medians: Image = np.median(image[rows, columns], axis=1, keepdims=True)
    return medians


def _inside(image: Image, section: Section | None, role: str) -> Section:
    """The section, checked; all of the image for None."""
    if section is None:
        return (slice(None), slice(None))
    for part, size in zip(section, image.shape, strict=True):
        start, stop = part.start or 0, size if part.stop is None else part.stop
        if not 0 <= start < stop <= size or part.step not in (None, 1):
            raise SectionError(f"the {role} section {section} does not lie inside an image of {image.shape}")
    return section


_LEVELS: dict[int, Callable[[Image, Section | None, Section | None], Image]] = {
    NONE: _nothing,
    PER_ROW: _row_medians,
}
