"""What is an image, and what is a mask?

An image is a two-dimensional, C-contiguous float32 array in the machine's byte order, shape ``(ny, nx)``.
A mask has the image's shape, dtype uint8, and the convention good = 1, bad = 0; bool is understood as well.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing.algorithms.errors import ParameterError, ShapeError

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Selection = NDArray[np.bool_]
AnyMask = NDArray[np.uint8] | NDArray[np.bool_]


@dataclass(frozen=True)
class PixelMap:
    """Which pixels are good.

    Attributes
    ----------
    mask
        uint8, shape ``(ny, nx)``; good = 1, bad = 0.
    count
        The number of bad pixels.
    """

    mask: Mask
    count: int


def as_image(array: ArrayLike) -> Image:
    """Any two-dimensional array of numbers as an image; not copied when it already is one.

    Raises
    ------
    ShapeError
        The array is not two-dimensional, or empty.
    """
    image = np.ascontiguousarray(array, dtype=np.float32)
    if image.ndim != 2 or image.size == 0:
        raise ShapeError(f"shape {np.shape(array)} was given; an image has two axes, (ny, nx), neither empty")
    return image


def same_shape(image: NDArray[Any], **others: NDArray[Any] | None) -> None:
    """Refuse arrays that do not lie pixel on pixel; None is passed over.

    Raises
    ------
    ShapeError
        Names the first array whose shape differs from the image's.
    """
    for role, other in others.items():
        if other is not None and other.shape != image.shape:
            raise ShapeError(f"the {role} has shape {other.shape}; the image has {image.shape}")


def good_pixels(image: NDArray[Any], *masks: AnyMask | None) -> Selection:
    """The pixels that are finite in the image and good in every mask, as bool, True = good.

    Raises
    ------
    ShapeError
        A mask has another shape than the image.
    """
    good: Selection = np.isfinite(image)
    for number, mask in enumerate(masks):
        same_shape(image, **{f"mask {number}": mask})
        if mask is not None:
            good &= mask != 0
    return good


def pixel_map(good: Selection) -> PixelMap:
    """A map from a selection, True = good."""
    return PixelMap(good.astype(np.uint8), int(good.size - np.count_nonzero(good)))


def positive(**values: float) -> None:
    """Refuse parameters that are not finite and above zero.

    Raises
    ------
    ParameterError
        Quotes the name and the value.
    """
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ParameterError(f"{name}={value!r} was given; it must be finite and greater than zero")
