"""`SourceList`: the sources of one reduced frame; their rows are in ``archive.sources``."""

from typing import Any

import numpy as np
import numpy.lib.recfunctions as recfunctions

from datamodel.dataobject import DataObject
from datamodel.frames import RawScienceFrame
from datamodel.healpix import hpx29
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.persistent import persistent
from datamodel.sources import insert_sources, next_number
from processing.algorithms.sky_positions import sky_positions
from processing.algorithms.sources import Extraction, extract_sources
from processing.comparing import change, exceeds, falls_below
from processing.declarations import QCFlag, limit, parameter, role
from processing.quality import SOURCES
from processing.reduced_science_frame import ReducedScienceFrame
from processing.target import ProcessTarget
from processing.weight_frame import WeightFrame
from processing.work import Product


class SourceList(ProcessTarget, DataObject):
    """All sources extracted from one reduced frame."""

    inspected_as = SOURCES

    of_exposure = True
    recallable = False  # its sources are rows of its own

    raw = role("The exposure", RawScienceFrame)
    frame = role("The reduced frame they were found on", ReducedScienceFrame)
    weight = role("The weight of the frame", WeightFrame)
    instrument = persistent("The instrument", Instrument)
    chip = persistent("The chip", Chip)
    filter = persistent("The filter", Filter)
    SLID = persistent("Number of the list", int, ucd="meta.id;meta.dataset", indexed=True)
    number_of_sources = persistent("How many sources it has", int, ucd="meta.number;src")

    DETECT_THRESH = parameter("Detection threshold over the noise of the background", float, 1.5)
    DETECT_MINAREA = parameter("Connected pixels that make a source", int, 5, unit="pixel")
    APERTURE_RADIUS = parameter("Radius of the circular aperture", float, 7.0, unit="pixel")
    BACK_SIZE = parameter("Side of a box of the background mesh", int, 64, unit="pixel")
    MINIMUM_SOURCES = limit("Sources below which the list is suspect", int, 0)
    MAXIMUM_NUMBER_DIFFERENCE = limit(
        "Change of the number of sources against the version before", int, 10_000_000
    )

    TOO_FEW_SOURCES = QCFlag(0, "fewer sources than the limit were found")
    NUMBER_DIFFERENCE_TOO_HIGH = QCFlag(1, "the number of sources differs too much from the version before")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Extract with the weight; positions through the world coordinates of the frame."""
        options = Extraction(
            threshold_sigma=parameters.DETECT_THRESH,
            minimum_area_px=parameters.DETECT_MINAREA,
            aperture_radius_px=parameters.APERTURE_RADIUS,
            background_box_px=parameters.BACK_SIZE,
        )
        saturated = inputs.raw.image < inputs.chip.saturation
        image = inputs.frame.image
        if saturated.shape != image.shape:
            saturated = np.ones(image.shape, bool)
        exptime = inputs.raw.EXPTIME or 1.0
        found = extract_sources(image, inputs.weight.image, saturated, inputs.chip.gain, exptime, options)
        ra, dec = sky_positions(found["x"], found["y"], inputs.frame.header)
        table = recfunctions.append_fields(
            found,
            ["sid", "ra", "dec", "hpx29"],
            [np.arange(1, len(found) + 1, dtype="i4"), ra, dec, hpx29(ra, dec)],
            usemask=False,
        )
        return Product(table=np.asarray(table), values={"number_of_sources": len(table)})

    @staticmethod
    def verify(values: dict[str, Any], parameters: Any) -> set[str]:
        """Against the smallest number of sources."""
        few = falls_below(values.get("number_of_sources"), parameters.MINIMUM_SOURCES)
        return {"TOO_FEW_SOURCES"} if few else set()

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """The number of sources against the version before."""
        raised = exceeds(change(values, previous, "number_of_sources"), parameters.MAXIMUM_NUMBER_DIFFERENCE)
        return {"NUMBER_DIFFERENCE_TOO_HIGH"} if raised else set()

    @staticmethod
    def keep(product: Any, table: Any, connection: Any) -> None:
        """Number the list and add its sources."""
        product.SLID = next_number(connection, "slid")
        insert_sources(connection, product.SLID, product.object_id, table)
