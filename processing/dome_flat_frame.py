"""`DomeFlatFrame`: the flat field of a chip and filter, from an evenly lit screen."""

from typing import Any

from datamodel.frames import BaseFlatFrame, RawDomeFlatFrame
from datamodel.persistent import persistent
from processing.algorithms.flats import combine_flats
from processing.bias_frame import BiasFrame
from processing.comparing import another_flat, too_wide
from processing.declarations import QCFlag, limit, parameter, role
from processing.hot_pixel_map import HotPixelMap
from processing.raw_pixels import raw_pixels
from processing.target import CalibrationTarget
from processing.work import Product


class DomeFlatFrame(CalibrationTarget, BaseFlatFrame):
    """Dome flat of a chip and filter (542), normalised to a median of 1."""

    needs_filter = True

    raw_dome_flat_frames = role("The raw dome flats that were combined", [RawDomeFlatFrame])
    bias = role("The master bias that was subtracted", BiasFrame, shares=("OVERSCAN_CORRECTION",))
    hot_pixels = role("Map of hot pixels that were left out", HotPixelMap)
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
        return combined(inputs.raw_dome_flat_frames, inputs, inputs.hot_pixels.image, parameters)

    verify = staticmethod(too_wide)

    compare = staticmethod(another_flat)


def combined(raws: list[Any], inputs: Any, mask: Any, parameters: Any) -> Product:
    """A flat from raw frames; also what a twilight flat is."""
    method = parameters.OVERSCAN_CORRECTION
    frames = [raw_pixels(raw, inputs.chip, method) for raw in raws]
    flat = combine_flats(frames, inputs.bias.image, mask, sigma=parameters.SIGMA_CLIP)
    return Product(image=flat.image, values={"level": float(flat.level)})
