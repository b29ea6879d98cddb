"""Frames: images of one chip, and the raw ones that came from the telescope.

Raw frames are sacred: they have no make, and nothing but the judgement of a person may change on them.
"""

from datamodel.dataobject import DataObject
from datamodel.observatory import Astrom, Chip, Filter, Imstat, Instrument
from datamodel.persistent import persistent


class BaseFrame(DataObject):
    """Anything with the pixels of one chip."""

    instrument = persistent("The instrument", Instrument)
    chip = persistent("The chip", Chip)
    filter = persistent("The filter, where it matters", Filter)
    imstat = persistent("Statistics of the pixels", Imstat)


class RawFrame(BaseFrame):
    """One chip of one exposure, as it came from the telescope."""

    DATE_OBS = persistent(
        "Start of the exposure (UTC)", "TIMESTAMP", ucd="time.start;obs.exposure", indexed=True
    )
    MJD_OBS = persistent("Start of the exposure (UTC)", float, unit="d", ucd="time.start;obs.exposure")
    EXPTIME = persistent("Exposure time", float, unit="s", ucd="time.duration;obs.exposure")
    OBJECT = persistent(
        "What the telescope pointed at, as the observer called it", "UNICODE", ucd="meta.id;src"
    )
    OBSERVER = persistent("Who observed", "UNICODE", ucd="obs.observer")
    AIRMASS = persistent("Airmass", float, ucd="obs.airMass")
    obs_id = persistent("Name of the exposure, the same for all its chips", str, ucd="meta.id", indexed=True)
    source_name = persistent("Name of the file it was ingested from", "UNICODE", ucd="meta.id;meta.file")
    source_sha256 = persistent("SHA-256 of the file it was ingested from", str, indexed=True)
    extension = persistent("Number of the HDU it was in, 0 is the first", "INTEGER")
    compatibility = persistent("What frames used together have in common, as a JSON object", str, "")


class RawBiasFrame(RawFrame):
    """An exposure of no duration."""


class RawDarkFrame(RawFrame):
    """An exposure with the shutter closed."""


class RawDomeFlatFrame(RawFrame):
    """An exposure of an evenly lit screen or lamp."""


class RawTwilightFlatFrame(RawFrame):
    """An exposure of the empty sky, bright enough to measure the flat field."""


class RawScienceFrame(RawFrame):
    """An exposure of the sky."""

    astrom = persistent("Nominal world coordinates from the header", Astrom)
    wcs = persistent("All cards of the world coordinates, mended, as a JSON object", str, "")
    ra = persistent(
        "Right ascension of the centre of the chip, ICRS", float, unit="deg", ucd="pos.eq.ra;meta.main"
    )
    dec = persistent(
        "Declination of the centre of the chip, ICRS", float, unit="deg", ucd="pos.eq.dec;meta.main"
    )
    hpx29 = persistent(
        "HEALPix number of the centre, order 29, NESTED, ICRS", int, ucd="pos.healpix", indexed=True
    )


class BaseFlatFrame(BaseFrame):
    """A flat field: the relative response of the pixels."""
