"""Which HEALPix pixel is a position in? (UDF catalogue 1.2: ivo_healpix_index)."""

import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.geometry import shape_of
from vo_server.tap.adql.shapes import Point, indexed
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.types import is_integer, literal
from vo_server.tap.adql.values import Value, derived

NAME = "IVO_HEALPIX_INDEX"
FORM = "ivo_healpix_index(hpxOrder INTEGER, long REAL, lat REAL) -> BIGINT"
DESCRIPTION = (
    "The NESTED HEALPix pixel, at an order from 0 to 29, of a table's own position columns "
    "or of constant coordinates, in degrees."
)


def called(call: Call, arguments: list[Value], speech: Speech) -> Value:
    """The value of ``ivo_healpix_index``; of position columns it comes from their index.

    Raises
    ------
    AdqlError
        The order is no number from 0 to 29, or the position neither constant nor indexed.
    """
    order = arguments[0]
    number = order.number
    if number is None or not is_integer(order) or not 0 <= number <= 29:
        raise AdqlError(order.at, f"{NAME} takes an order from 0 to 29 as a number")
    point = shape_of(arguments[1]) if len(arguments) == 2 else Point(arguments[1], arguments[2])
    if not isinstance(point, Point):
        raise AdqlError(arguments[1].at, f"{NAME} takes a point")
    column = Column("", "BIGINT", ucd="pos.healpix")
    ra, dec, columns = point.ra.number, point.dec.number, indexed(point)
    if ra is not None and dec is not None and abs(dec) <= 90:
        lon, lat = Longitude(ra, units.deg), Latitude(dec, units.deg)
        return literal(call.at, int(np.ravel(lonlat_to_healpix(lon, lat, int(number)))[0]))
    if columns is None:
        raise AdqlError(call.at, f"{NAME} takes a table's own position columns or constants")
    width = sql.cast(sql.number(4 ** (29 - int(number))), "BIGINT")
    return derived(call.at, columns[2] / width, column, NAME, arguments)
