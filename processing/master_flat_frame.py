"""`MasterFlatFrame`: the flat field that science frames are divided by."""

from typing import Any

import numpy as np

from datamodel.frames import BaseFlatFrame
from processing.algorithms.flats import master_flat
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import another_flat, too_wide
from processing.declarations import IF_INPUTS_EXIST, QCFlag, limit, parameter, role
from processing.dome_flat_frame import DomeFlatFrame
from processing.masks import together
from processing.target import CalibrationTarget
from processing.twilight_flat_frame import TwilightFlatFrame
from processing.work import Product


class MasterFlatFrame(CalibrationTarget, BaseFlatFrame):
    """Master flat of a chip and filter (546): small scales of the dome, large scales of the twilight."""

    needs_filter = True

    dome = role("The dome flat", DomeFlatFrame, planned=IF_INPUTS_EXIST)
    twilight = role("The twilight flat", TwilightFlatFrame, planned=IF_INPUTS_EXIST)
    cold_pixels = role("Map of cold pixels that were left out", ColdPixelMap, planned=IF_INPUTS_EXIST)

    SMOOTHING_BOX = parameter("Scale that divides small from large", int, 64, unit="pixel")
    MAXIMUM_STDEV = limit("Spread of the pixels", float, 10.0)
    MAXIMUM_MEDIAN_RATIO = limit("Median over that of the version before, or the inverse", float, 2.0)
    MAXIMUM_STDEV_DIFFERENCE = limit("Change of the spread against the version before", float, 10.0)

    STDEV_TOO_HIGH = QCFlag(0, "the pixels spread more than their limit")
    MEDIAN_RATIO_TOO_HIGH = QCFlag(1, "the median differs too much from the version before")
    STDEV_DIFFERENCE_TOO_HIGH = QCFlag(2, "the spread differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Both flats together, or the one there is; normalised to a median of 1."""
        dome, twilight = (f.image if f is not None else None for f in (inputs.dome, inputs.twilight))
        flat = master_flat(dome, twilight, mask=together(inputs.cold_pixels), box=parameters.SMOOTHING_BOX)
        return Product(image=flat.image)

    @staticmethod
    def nominal(chip: Any, shape: tuple[int, int]) -> Product:
        """All pixels respond alike."""
        return Product(image=np.ones(shape, np.float32))

    verify = staticmethod(too_wide)

    compare = staticmethod(another_flat)

    @staticmethod
    def check_preconditions(inputs: dict[str, Any]) -> str:
        """At least one of the flats must exist."""
        return "" if inputs["dome"] or inputs["twilight"] else "dome or twilight: neither has raw frames"
