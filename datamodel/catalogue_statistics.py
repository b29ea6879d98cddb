"""What is in the columns of a catalogue, and which part of the sky does it cover?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mocpy import MOC
from numpy.typing import NDArray

from datamodel.healpix import NO_PIXEL, ORDER

COVERAGE_ORDER = 10
"""The finest cells of a coverage: 3.4 arcmin wide."""

COVERAGE_CHARACTERS = 100_000
"""A coverage that would be longer is told in larger cells."""

_LEAST_CHARACTERS = 2
"""What a range of cells takes at the least: a digit, and a space or slash."""

_TEXT_CHARACTERS = 200


@dataclass
class ColumnStatistics:
    """What one column holds.

    Attributes
    ----------
    nulls
        How many rows have no value.
    least, greatest
        Of the other rows, but for infinities; texts by code point, cut to 200 characters. None where there are none.
    """

    nulls: int = 0
    least: Any = None
    greatest: Any = None

    def add(self, array: pa.Array, ordered: bool = True) -> None:
        """Count some rows in; of what has no order, such as lists, nothing is the least."""
        self.nulls += array.null_count
        if not ordered:
            return
        if pa.types.is_floating(array.type):
            array = array.filter(pc.is_finite(array))
        if array.null_count == len(array):
            return
        found = pc.min_max(array)
        low, high = (_shown(found[which].as_py()) for which in ("min", "max"))
        self.least = low if self.least is None else min(self.least, low)
        self.greatest = high if self.greatest is None else max(self.greatest, high)


def _shown(value: Any) -> Any:
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else value


class Coverage:
    """The cells of the sky in which there is something."""

    def __init__(self) -> None:
        self._there = np.zeros(12 * 4**COVERAGE_ORDER, bool)

    def add(self, pixels: NDArray[np.int64]) -> None:
        """Count positions in, by their pixels of order 29; `NO_PIXEL` is nowhere."""
        self._there[pixels[pixels != NO_PIXEL] >> 2 * (ORDER - COVERAGE_ORDER)] = True

    def moc(self) -> str:
        """The coverage as ASCII MOC (MOC 2.0 section 4.3.2), empty where there is nothing.

        It has the finest cells that let it stay short.
        """
        there, order = self._there, COVERAGE_ORDER
        while np.count_nonzero(_starts(there)) * _LEAST_CHARACTERS > COVERAGE_CHARACTERS:
            there, order = np.logical_or.reduce(there.reshape(-1, 4), axis=1), order - 1
        ranges = _ranges(there)
        if not len(ranges):
            return ""
        moc = MOC.from_depth29_ranges(order, ranges << np.uint64(2 * (ORDER - order)))
        while len(text := _ascii(moc)) > COVERAGE_CHARACTERS:
            moc = moc.degrade_to_order(moc.max_order - 1)
        return text


def _starts(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells but the first are the first of a range of cells that are there."""
    starts: NDArray[np.bool_] = there[1:] > there[:-1]
    return starts


def _ranges(there: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """The first cell of each range of cells that are there, and the first after it, shape ``(n, 2)``."""
    closed = np.concatenate([[False], there, [False]])
    return np.flatnonzero(closed[1:] != closed[:-1]).astype(np.uint64).reshape(-1, 2)


def _ascii(moc: MOC) -> str:
    return " ".join(moc.to_string("ascii").split())
