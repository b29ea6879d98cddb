"""`ReadNoise`: the read noise of a chip, from a pair of bias frames."""

from typing import Any

from datamodel.frames import BaseFrame, RawBiasFrame
from datamodel.persistent import persistent
from processing.algorithms.read_noise import estimate_read_noise
from processing.comparing import change, exceeds
from processing.declarations import QCFlag, limit, parameter, role
from processing.quality import HISTORY
from processing.target import CalibrationTarget
from processing.work import Product

MEASURED, NOMINAL = "measured", "nominal"


class ReadNoise(CalibrationTarget, BaseFrame):
    """Read noise of a chip (521); new raw frames do not outdate it."""

    inspected_as = HISTORY
    history_of = "read_noise"

    raw_bias_frames = role(
        "The raw bias frames it was measured on, two at the most", [RawBiasFrame], forgives_new=True
    )
    read_noise = persistent("Read noise", float, unit="adu", ucd="instr.det.noise")
    read_noise_error = persistent(
        "Error of the read noise; null where nominal", float, unit="adu", ucd="stat.error"
    )
    bias_level = persistent("Mean level of the pair", float, unit="adu", ucd="instr.param")
    grade = persistent("measured, or nominal where no pair could tell", str, ucd="meta.code.qual")

    REJECTION_THRESHOLD = parameter("Clipping of the difference, in standard deviations", float, 5.0)
    MAXIMUM_READNOISE = limit("Read noise above which the chip is suspect", float, 1000.0, unit="adu")
    MAXIMUM_READNOISE_DIFFERENCE = limit("Change against the version before", float, 10.0, unit="adu")

    READNOISE_TOO_HIGH = QCFlag(0, "the read noise is above its limit")
    READNOISE_DIFFERENCE_TOO_HIGH = QCFlag(1, "the read noise differs too much from the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Measure on the difference of two frames; a single frame or a constant pair gives the nominal value."""
        frames = inputs.raw_bias_frames
        if len(frames) < 2:
            return _nominal(inputs.chip, float(frames[0].image.mean()))
        pair = (frames[0].image, frames[1].image)
        found = estimate_read_noise(*pair, sigma=parameters.REJECTION_THRESHOLD)
        if found.read_noise_adu == 0:
            return _nominal(inputs.chip, found.bias_level_adu)
        return Product(
            values={
                "read_noise": found.read_noise_adu,
                "read_noise_error": found.error_adu,
                "bias_level": found.bias_level_adu,
                "grade": MEASURED,
            }
        )

    @staticmethod
    def nominal(chip: Any, shape: tuple[int, int]) -> Product:
        """What the instrument file says of the chip."""
        return _nominal(chip, 0.0)

    @staticmethod
    def verify(values: dict[str, Any], parameters: Any) -> set[str]:
        """Against the limit."""
        raised = exceeds(values.get("read_noise"), parameters.MAXIMUM_READNOISE)
        return {"READNOISE_TOO_HIGH"} if raised else set()

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """Against the version before."""
        raised = exceeds(change(values, previous, "read_noise"), parameters.MAXIMUM_READNOISE_DIFFERENCE)
        return {"READNOISE_DIFFERENCE_TOO_HIGH"} if raised else set()


def _nominal(chip: Any, level: float) -> Product:
    values = {
        "read_noise": chip.read_noise,
        "read_noise_error": None,
        "bias_level": level,
        "grade": NOMINAL,
    }
    return Product(values=values)
