"""`ColdPixelMap`: the pixels of a chip that hardly respond to light."""

from typing import Any

from datamodel.frames import BaseFrame
from datamodel.persistent import persistent
from processing.algorithms.cold_pixels import find_cold_pixels
from processing.comparing import another_count, too_many
from processing.declarations import QCFlag, limit, parameter, role
from processing.dome_flat_frame import DomeFlatFrame
from processing.quality import PIXEL_MAP
from processing.target import CalibrationTarget
from processing.work import Product


class ColdPixelMap(CalibrationTarget, BaseFrame):
    """Map of cold pixels of a chip and filter (535): 1 good, 0 cold."""

    inspected_as = PIXEL_MAP

    needs_filter = True

    flat = role("The dome flat it was found on", DomeFlatFrame)
    count = persistent("Number of cold pixels", int, unit="pixel", ucd="meta.number")

    LOW = parameter("Response relative to the surroundings below which a pixel is cold", float, 0.9)
    HIGH = parameter("Response relative to the surroundings above which a pixel is bad", float, 1.1)
    MAXIMUM_COUNT = limit("Cold pixels above which the map is suspect", int, 100_000, unit="pixel")
    MAXIMUM_COUNT_DIFFERENCE = limit(
        "Change of the count against the version before", int, 100_000, unit="pixel"
    )

    COUNT_TOO_HIGH = QCFlag(0, "there are more cold pixels than the limit")
    COUNT_DIFFERENCE_TOO_HIGH = QCFlag(1, "the count differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Pixels of the flat that differ from their surroundings."""
        found = find_cold_pixels(inputs.flat.image, low=parameters.LOW, high=parameters.HIGH)
        return Product(image=found.mask, values={"count": int(found.count)})

    verify = staticmethod(too_many)

    compare = staticmethod(another_count)
