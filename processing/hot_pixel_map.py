"""`HotPixelMap`: the pixels of a chip that are bright without light."""

from typing import Any

import numpy as np

from datamodel.frames import BaseFrame
from datamodel.persistent import persistent
from processing.algorithms.hot_pixels import find_hot_pixels
from processing.bias_frame import BiasFrame
from processing.comparing import another_count, too_many
from processing.declarations import QCFlag, limit, parameter, role
from processing.quality import PIXEL_MAP
from processing.target import CalibrationTarget
from processing.work import Product


class HotPixelMap(CalibrationTarget, BaseFrame):
    """Map of hot pixels of a chip (522): 1 good, 0 hot."""

    inspected_as = PIXEL_MAP

    bias = role("The master bias it was found on", BiasFrame)
    count = persistent("Number of hot pixels", int, unit="pixel", ucd="meta.number")

    THRESHOLD = parameter("Excess over the surroundings, in standard deviations", float, 6.0)
    MAXIMUM_COUNT = limit("Hot pixels above which the map is suspect", int, 100_000, unit="pixel")
    MAXIMUM_COUNT_DIFFERENCE = limit(
        "Change of the count against the version before", int, 100_000, unit="pixel"
    )

    COUNT_TOO_HIGH = QCFlag(0, "there are more hot pixels than the limit")
    COUNT_DIFFERENCE_TOO_HIGH = QCFlag(1, "the count differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Pixels of the bias that stand out of their surroundings."""
        found = find_hot_pixels(inputs.bias.image, sigma=parameters.THRESHOLD)
        return Product(image=found.mask, values={"count": int(found.count)})

    @staticmethod
    def nominal(chip: Any, shape: tuple[int, int]) -> Product:
        """Every pixel is good."""
        return Product(image=np.ones(shape, np.uint8), values={"count": 0})

    verify = staticmethod(too_many)

    compare = staticmethod(another_count)
