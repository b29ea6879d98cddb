"""`CosmicMap`: the pixels of one exposure that were hit by cosmic rays."""

from typing import Any

import numpy as np

from datamodel.frames import BaseFrame, RawScienceFrame
from datamodel.persistent import persistent
from processing.algorithms.background import measure_background
from processing.algorithms.cosmics import find_cosmics
from processing.algorithms.reduce import reduce_science
from processing.bias_frame import BiasFrame
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import another_count, too_many
from processing.declarations import IF_INPUTS_EXIST, QCFlag, limit, parameter, role
from processing.hot_pixel_map import HotPixelMap
from processing.masks import together
from processing.master_flat_frame import MasterFlatFrame
from processing.quality import PIXEL_MAP
from processing.raw_pixels import raw_pixels
from processing.read_noise import ReadNoise
from processing.target import ProcessTarget
from processing.work import Product


class CosmicMap(ProcessTarget, BaseFrame):
    """Map of cosmic rays of an exposure: 1 good, 0 hit (L.A.Cosmic, van Dokkum 2001)."""

    inspected_as = PIXEL_MAP

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    bias = role("The master bias", BiasFrame, shares=("OVERSCAN_CORRECTION",))
    flat = role("The master flat", MasterFlatFrame)
    hot_pixels = role("Map of hot pixels", HotPixelMap)
    cold_pixels = role("Map of cold pixels", ColdPixelMap, planned=IF_INPUTS_EXIST)
    read_noise = role("The read noise of the chip", ReadNoise)
    count = persistent("Number of pixels hit", int, unit="pixel", ucd="meta.number")

    SIGMA = parameter("Laplacian detection threshold, in standard deviations", float, 4.5)
    CONTRAST = parameter("Contrast to the fine structure of stars", float, 5.0)
    OVERSCAN_CORRECTION = parameter("Overscan correction: 0 none, 6 per row", int, 0)
    MAXIMUM_COUNT = limit("Pixels hit above which the map is suspect", int, 10_000_000, unit="pixel")
    MAXIMUM_COUNT_DIFFERENCE = limit(
        "Change of the count against the version before", int, 10_000_000, unit="pixel"
    )

    COUNT_TOO_HIGH = QCFlag(0, "more pixels were hit than the limit")
    COUNT_DIFFERENCE_TOO_HIGH = QCFlag(1, "the count differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Look for sharp edges on the image with its sky subtracted."""
        pixels = raw_pixels(inputs.raw, inputs.chip, parameters.OVERSCAN_CORRECTION)
        mask = together(inputs.hot_pixels, inputs.cold_pixels)
        reduced = reduce_science(pixels, inputs.bias.image, inputs.flat.image, mask)
        sky = float(np.median(measure_background(reduced.image, reduced.mask).image))
        found = find_cosmics(
            reduced.image - np.float32(sky),
            inputs.chip.gain,
            inputs.read_noise.read_noise,
            inputs.chip.saturation,
            mask,
            sky_adu=sky,
            sigma=parameters.SIGMA,
            contrast=parameters.CONTRAST,
        )
        return Product(image=found.mask, values={"count": int(found.count)})

    verify = staticmethod(too_many)

    compare = staticmethod(another_count)
