"""`BiasFrame`: the master bias of a chip."""

from typing import Any

import numpy as np

from datamodel.frames import BaseFrame, RawBiasFrame
from processing.algorithms.combine import clipped_mean
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

    STDEV_TOO_HIGH = QCFlag(0, "the pixels spread more than their limit")

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
        """Against the limit of the spread."""
        return {"STDEV_TOO_HIGH"} if values["stdev"] > parameters.MAXIMUM_STDEV else set()
