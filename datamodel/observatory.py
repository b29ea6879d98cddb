"""The observing structure that frames refer to: instruments, chips, filters, statistics, nominal WCS."""

from datamodel.objects import DBObject
from datamodel.persistent import persistent


class Instrument(DBObject):
    """A camera at a telescope."""

    natural_key = "name"

    name = persistent("Name of the instrument", "UNICODE", ucd="meta.id;instr", indexed=True)
    telescope = persistent("Name of the telescope", "UNICODE", ucd="meta.id;instr.tel")
    longitude = persistent("Geographic longitude, east positive", float, unit="deg", ucd="pos.earth.lon")


class Chip(DBObject):
    """One detector of an instrument."""

    natural_key = "name"

    name = persistent("Name of the chip", str, ucd="meta.id;instr.det", indexed=True)
    instrument = persistent("The instrument it is part of", Instrument)
    pixel_scale = persistent("Nominal pixel scale", float, unit="arcsec/pixel", ucd="instr.scale;instr.pixel")
    naxis1 = persistent("Columns", "INTEGER", unit="pixel", ucd="meta.number")
    naxis2 = persistent("Rows", "INTEGER", unit="pixel", ucd="meta.number")
    gain = persistent("Nominal gain: electrons for one count", float, unit="adu**-1", ucd="instr.param")
    read_noise = persistent("Nominal read noise", float, unit="adu", ucd="instr.det.noise")
    saturation = persistent("Level at which pixels saturate", float, unit="adu", ucd="instr.saturation")
    trim_section = persistent("Pixels that see light, as [x1:x2,y1:y2]; empty for all", str, "")
    overscan_section = persistent("Pixels read after the chip, as [x1:x2,y1:y2]; empty for none", str, "")


class Filter(DBObject):
    """A filter of an instrument."""

    natural_key = "name"

    name = persistent("Name of the filter", "UNICODE", ucd="meta.id;instr.filter", indexed=True)
    mag_id = persistent("Photometric band it stands for", str, ucd="instr.bandpass")
    instrument = persistent("The instrument it is used in", Instrument)
    em_min = persistent("Short end of the pass-band", float, unit="m", ucd="em.wl;stat.min")
    em_max = persistent("Long end of the pass-band", float, unit="m", ucd="em.wl;stat.max")


class Imstat(DBObject):
    """Statistics of the pixels of a frame."""

    mean = persistent("Mean of the pixels", float, unit="adu", ucd="phot.count;stat.mean")
    median = persistent("Median of the pixels", float, unit="adu", ucd="phot.count;stat.median")
    stdev = persistent("Standard deviation of the pixels", float, unit="adu", ucd="stat.stdev;phot.count")
    min = persistent("Smallest pixel", float, unit="adu", ucd="phot.count;stat.min")
    max = persistent("Largest pixel", float, unit="adu", ucd="phot.count;stat.max")
    flatness = persistent(
        "Range of the medians of 8 x 8 sub-windows, where it matters", float, unit="adu", ucd="phot.count"
    )
    subwin_stdev = persistent(
        "Largest standard deviation of a sub-window, where it matters",
        float,
        unit="adu",
        ucd="stat.stdev;phot.count",
    )


class Astrom(DBObject):
    """The nominal world coordinates of an exposure, as its header gives them (FITS WCS, ICRS)."""

    CTYPE1 = persistent("Type of the first axis", str)
    CTYPE2 = persistent("Type of the second axis", str)
    CRVAL1 = persistent("Right ascension of the reference point", float, unit="deg", ucd="pos.eq.ra")
    CRVAL2 = persistent("Declination of the reference point", float, unit="deg", ucd="pos.eq.dec")
    CRPIX1 = persistent("Column of the reference point, 1 is the first", float, unit="pixel")
    CRPIX2 = persistent("Row of the reference point, 1 is the first", float, unit="pixel")
    CD1_1 = persistent("Linear term of axis 1 in column", float, unit="deg/pixel")
    CD1_2 = persistent("Linear term of axis 1 in row", float, unit="deg/pixel")
    CD2_1 = persistent("Linear term of axis 2 in column", float, unit="deg/pixel")
    CD2_2 = persistent("Linear term of axis 2 in row", float, unit="deg/pixel")
    NAXIS1 = persistent("Columns of the image", "INTEGER", unit="pixel", ucd="meta.number")
    NAXIS2 = persistent("Rows of the image", "INTEGER", unit="pixel", ucd="meta.number")
