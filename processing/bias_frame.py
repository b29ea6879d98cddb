"""`BiasFrame`: the master bias of a chip."""

from typing import Any

import numpy as np

from datamodel.frames import BaseFrame, RawBiasFrame
from processing.algorithms.combine import clipped_mean
from processing.comparing import change, exceeds
from processing.declarations import QCFlag, limit, parameter, role
from processing.raw_pixels import raw_pixels
from processing.read_noise import ReadNoise
from processing.target import CalibrationTarget
from processing.work import Product


class BiasFrame(CalibrationTarget, BaseFrame):
    """Master bias of a chip (541)."""

    raw_bias_frames = role("The raw bias frames that were combined", [RawBiasFrame])
    read_noise = role("The read noise of the chip", ReadNoise)

    SIGMA_CLIP = parameter("Clipping of outliers, in standard deviations", float, 3.0)
    OVERSCAN_CORRECTION = parameter("Overscan correction: 0 none, 6 per row", int, 0)
    MAXIMUM_STDEV = limit("Spread of the pixels", float, 1000.0, unit="adu")
    MAXIMUM_SUBWIN_FLATNESS = limit("Range of the medians of 8 x 8 sub-windows", float, 1e5, unit="adu")
    MAXIMUM_SUBWIN_STDEV = limit("Spread of the pixels of each of 8 x 8 sub-windows", float, 1e5, unit="adu")
    MAXIMUM_LEVEL_DIFFERENCE = limit(
        "Change of the median against the version before", float, 10_000.0, unit="adu"
    )
    MAXIMUM_STDEV_DIFFERENCE = limit(
        "Change of the spread against the version before", float, 1000.0, unit="adu"
    )

    STDEV_TOO_HIGH = QCFlag(0, "the pixels spread more than their limit")
    SUBWIN_FLATNESS_TOO_HIGH = QCFlag(1, "the level varies more over the chip than its limit")
    SUBWIN_STDEV_TOO_HIGH = QCFlag(2, "the pixels of a part of the chip spread more than their limit")
    LEVEL_DIFFERENCE_TOO_HIGH = QCFlag(3, "the level differs too much from the version before")
    STDEV_DIFFERENCE_TOO_HIGH = QCFlag(4, "the spread differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """The clipped mean of the raw frames."""
        method = parameters.OVERSCAN_CORRECTION
        frames = [raw_pixels(raw, inputs.chip, method) for raw in inputs.raw_bias_frames]
        return Product(image=clipped_mean(frames, sigma=parameters.SIGMA_CLIP).mean)

    @staticmethod
    def nominal(chip: Any, shape: tuple[int, int]) -> Product:
        """No bias."""
        return Product(image=np.zeros(shape, np.float32))

    @staticmethod
    def verify(values: dict[str, Any], parameters: Any) -> set[str]:
        """Against the limits of the spread, over all pixels and within sub-windows, and of the flatness."""
        seen = {
            "STDEV_TOO_HIGH": exceeds(values.get("stdev"), parameters.MAXIMUM_STDEV),
            "SUBWIN_FLATNESS_TOO_HIGH": exceeds(values.get("flatness"), parameters.MAXIMUM_SUBWIN_FLATNESS),
            "SUBWIN_STDEV_TOO_HIGH": exceeds(values.get("subwin_stdev"), parameters.MAXIMUM_SUBWIN_STDEV),
        }
        return {name for name, raised in seen.items() if raised}

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """Level and spread against the version before."""
        level, spread = change(values, previous, "median"), change(values, previous, "stdev")
        seen = {
            "LEVEL_DIFFERENCE_TOO_HIGH": exceeds(level, parameters.MAXIMUM_LEVEL_DIFFERENCE),
            "STDEV_DIFFERENCE_TOO_HIGH": exceeds(spread, parameters.MAXIMUM_STDEV_DIFFERENCE),
        }
        return {name for name, raised in seen.items() if raised}
