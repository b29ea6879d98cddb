"""`ReducedScienceFrame`: one exposure of one chip, free of its instrument."""

import json
from typing import Any

from datamodel.frames import BaseFrame, RawScienceFrame
from datamodel.observatory import Astrom
from datamodel.persistent import persistent
from processing.algorithms.reduce import reduce_science
from processing.bias_frame import BiasFrame
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import change, exceeds, too_wide
from processing.declarations import IF_INPUTS_EXIST, QCFlag, limit, parameter, role
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.raw_pixels import raw_pixels, section
from processing.target import ProcessTarget
from processing.work import Product


class ReducedScienceFrame(ProcessTarget, BaseFrame):
    """Science frame without bias and flat field, bad pixels filled in; its sky is still in it."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    bias = role("The master bias that was subtracted", BiasFrame, shares=("OVERSCAN_CORRECTION",))
    hot_pixels = role("Map of hot pixels that were filled in", HotPixelMap)
    cold_pixels = role("Map of cold pixels that were filled in", ColdPixelMap, planned=IF_INPUTS_EXIST)
    flat = role("The master flat it was divided by", MasterFlatFrame)
    astrom = persistent("Nominal world coordinates", Astrom)
    ra = persistent(
        "Right ascension of the centre of the chip, ICRS", float, unit="deg", ucd="pos.eq.ra;meta.main"
    )
    dec = persistent(
        "Declination of the centre of the chip, ICRS", float, unit="deg", ucd="pos.eq.dec;meta.main"
    )
    hpx29 = persistent(
        "HEALPix number of the centre, order 29, NESTED, ICRS", int, ucd="pos.healpix", indexed=True
    )

    OVERSCAN_CORRECTION = parameter("Overscan correction: 0 none, 6 per row", int, 0)
    MAXIMUM_STDEV = limit("Spread of the pixels", float, 100_000.0, unit="adu")
    MAXIMUM_BACKGROUND_DIFFERENCE = limit(
        "Change of the level of the sky against the version before", float, 100_000.0, unit="adu"
    )

    STDEV_TOO_HIGH = QCFlag(0, "the pixels spread more than their limit")
    BACKGROUND_DIFFERENCE_TOO_HIGH = QCFlag(1, "the sky differs too much from that of the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """``(raw - bias) / flat``, with the world coordinates of the header."""
        pixels = raw_pixels(inputs.raw, inputs.chip, parameters.OVERSCAN_CORRECTION)
        hot, cold = (m.image if m is not None else None for m in (inputs.hot_pixels, inputs.cold_pixels))
        reduced = reduce_science(pixels, inputs.bias.image, inputs.flat.image, hot, cold)
        raw = inputs.raw
        observed = {
            "BUNIT": "adu",
            "EXPTIME": raw.EXPTIME,
            "DATE-OBS": raw.DATE_OBS.isoformat(),
            "OBJECT": raw.OBJECT,
        }
        return Product(
            image=reduced.image,
            values={"ra": raw.ra, "dec": raw.dec, "hpx29": raw.hpx29},
            cards=observed | _wcs(raw.wcs, inputs.chip),
            statistics=reduced.statistics,
        )

    verify = staticmethod(too_wide)

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """The level of the sky, which is the median, against the version before."""
        raised = exceeds(change(values, previous, "median"), parameters.MAXIMUM_BACKGROUND_DIFFERENCE)
        return {"BACKGROUND_DIFFERENCE_TOO_HIGH"} if raised else set()

    @staticmethod
    def keep(product: Any, table: Any, connection: Any) -> None:
        """Give it the world coordinates of its exposure: the same object, or one of its own if trimmed."""
        nominal, trim = product.raw.astrom, section(product.chip.trim_section)
        if nominal is None or trim is None:
            product.astrom = nominal
            return
        product.astrom = _trimmed(nominal, *trim)
        product.astrom._privileges = product._privileges
        if product._project is not None:
            product.astrom._project = product._project


def _trimmed(nominal: Any, rows: slice, columns: slice) -> Astrom:
    """The world coordinates of a part of an image."""
    whole = {name: getattr(nominal, name) for name in Astrom.__own__}
    part = {
        "CRPIX1": nominal.CRPIX1 - columns.start,
        "CRPIX2": nominal.CRPIX2 - rows.start,
        "NAXIS1": columns.stop - columns.start,
        "NAXIS2": rows.stop - rows.start,
    }
    return Astrom(**whole | part)


def _wcs(text: str, chip: Any) -> dict[str, Any]:
    """The cards of the world coordinates, for an image that is trimmed as the chip says."""
    cards: dict[str, Any] = json.loads(text) if text else {}
    if cards and (trim := section(chip.trim_section)) is not None:
        cards["CRPIX1"] -= trim[1].start
        cards["CRPIX2"] -= trim[0].start
    return cards
