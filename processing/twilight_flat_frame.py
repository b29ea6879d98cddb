"""`TwilightFlatFrame`: the flat field of a chip and filter, from the bright sky."""

from typing import Any

from datamodel.frames import BaseFlatFrame, RawTwilightFlatFrame
from datamodel.persistent import persistent
from processing.bias_frame import BiasFrame
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import another_flat, too_wide
from processing.declarations import IF_INPUTS_EXIST, QCFlag, limit, parameter, role
from processing.dome_flat_frame import combined
from processing.hot_pixel_map import HotPixelMap
from processing.masks import together
from processing.target import CalibrationTarget
from processing.work import Product


class TwilightFlatFrame(CalibrationTarget, BaseFlatFrame):
    """Twilight flat of a chip and filter (543), normalised to a median of 1."""

    needs_filter = True

    raw_twilight_flat_frames = role("The raw twilight flats that were combined", [RawTwilightFlatFrame])
    bias = role("The master bias that was subtracted", BiasFrame, shares=("OVERSCAN_CORRECTION",))
    hot_pixels = role("Map of hot pixels that were left out", HotPixelMap)
    cold_pixels = role("Map of cold pixels that were left out", ColdPixelMap, planned=IF_INPUTS_EXIST)
    level = persistent("Median level before normalisation", float, unit="adu", ucd="phot.count;stat.median")

    SIGMA_CLIP = parameter("Clipping of outliers, in standard deviations", float, 3.0)
    OVERSCAN_CORRECTION = parameter("Overscan correction: 0 none, 6 per row", int, 0)
    MAXIMUM_STDEV = limit("Spread of the normalised pixels", float, 10.0)
    MAXIMUM_MEDIAN_RATIO = limit("Median over that of the version before, or the inverse", float, 2.0)
    MAXIMUM_STDEV_DIFFERENCE = limit("Change of the spread against the version before", float, 10.0)

    STDEV_TOO_HIGH = QCFlag(0, "the normalised pixels spread more than their limit")
    MEDIAN_RATIO_TOO_HIGH = QCFlag(1, "the median differs too much from the version before")
    STDEV_DIFFERENCE_TOO_HIGH = QCFlag(2, "the spread differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Each frame without bias, scaled to one level; their clipped mean."""
        mask = together(inputs.hot_pixels, inputs.cold_pixels)
        return combined(inputs.raw_twilight_flat_frames, inputs, mask, parameters)

    verify = staticmethod(too_wide)

    compare = staticmethod(another_flat)
