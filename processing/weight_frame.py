"""`WeightFrame`: how much each pixel of a reduced frame counts."""

from typing import Any

from datamodel.frames import BaseFrame, RawScienceFrame
from processing.algorithms.saturation import find_saturated
from processing.algorithms.weight import weight_map
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import exceeds, falls_below, ratio
from processing.cosmic_map import CosmicMap
from processing.declarations import IF_INPUTS_EXIST, QCFlag, limit, parameter, role
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.raw_pixels import raw_pixels
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.target import ProcessTarget
from processing.work import Product


class WeightFrame(ProcessTarget, BaseFrame):
    """Inverse variance of the sky in a reduced frame [adu-2]; 0 for bad pixels."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    reduced = role("The reduced frame it is the weight of", ReducedScienceFrame)
    flat = role("The master flat", MasterFlatFrame)
    hot_pixels = role("Map of hot pixels", HotPixelMap)
    cold_pixels = role("Map of cold pixels", ColdPixelMap, planned=IF_INPUTS_EXIST)
    cosmics = role("Map of cosmic rays", CosmicMap)
    read_noise = role("The read noise of the chip", ReadNoise)

    OVERSCAN_CORRECTION = parameter("Overscan correction: 0 none, 6 per row", int, 0)
    MINIMUM_MEAN = limit("Mean weight below which the frame is suspect", float, 0.0, unit="adu**-2")
    MAXIMUM_MEAN_RATIO = limit("Mean over that of the version before, or the inverse", float, 1e6)

    MEAN_TOO_LOW = QCFlag(0, "the mean weight is below its limit")
    MEAN_RATIO_TOO_HIGH = QCFlag(1, "the mean weight differs too much from the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """From the flat, the sky level and all maps of bad pixels."""
        maps = [m.image for m in (inputs.hot_pixels, inputs.cold_pixels, inputs.cosmics) if m is not None]
        raw = inputs.raw.image
        saturated = find_saturated(raw, inputs.chip.saturation)
        if saturated.mask.shape != inputs.flat.image.shape:
            pixels = raw_pixels(inputs.raw, inputs.chip, parameters.OVERSCAN_CORRECTION)
            saturated = find_saturated(pixels, inputs.chip.saturation)
        weight = weight_map(
            inputs.flat.image,
            *maps,
            saturated.mask,
            read_noise_adu=inputs.read_noise.read_noise,
            sky_adu=inputs.reduced.median,
            gain=inputs.chip.gain,
        )
        return Product(image=weight)

    @staticmethod
    def verify(values: dict[str, Any], parameters: Any) -> set[str]:
        """Against the smallest mean."""
        return {"MEAN_TOO_LOW"} if falls_below(values.get("mean"), parameters.MINIMUM_MEAN) else set()

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """The mean against that of the version before."""
        raised = exceeds(ratio(values, previous, "mean"), parameters.MAXIMUM_MEAN_RATIO)
        return {"MEAN_RATIO_TOO_HIGH"} if raised else set()
