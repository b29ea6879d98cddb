"""How are the bits of two numbers interleaved, as in NESTED HEALPix numbers, and taken apart again?

The same steps serve a Python integer, a numpy array of them, and PL/pgSQL.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Whole = TypeVar("Whole", int, npt.NDArray[np.int64])

SPREADING = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
"""Shifts to the left, and masks, that put a 0 before each bit of a number."""

GATHERING = (
    (0, 0x5555555555555555),
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)
"""Shifts to the right, and masks, that move every second bit of a number together and drop the others."""


def spread(number: Whole) -> Whole:
    """A number of at most 32 bits with a 0 before each bit."""
    for shift, mask in SPREADING:
        number = (number | number << shift) & mask
    return number


def gathered(number: Whole) -> Whole:
    """Bits 0, 2, 4 ... of a number, moved together."""
    for shift, mask in GATHERING:
        number = (number | number >> shift) & mask
    return number


def written(name: str, steps: tuple[tuple[int, int], ...]) -> str:
    """`SPREADING` or `GATHERING` of a bigint variable in PL/pgSQL."""
    sign = "<<" if steps is SPREADING else ">>"
    return "".join(f"{name} := ({name} | ({name} {sign} {shift})) & {mask};\n" for shift, mask in steps)
