"""By which rotation does one celestial reference frame become another?

All are plain rotations, as the UDF catalogue 1.2 wants for ``ivo_geom_transform``: E-terms of FK4 and the slow spin
between FK4 and FK5 are left out, which come to a third of an arcsecond.
"""

import math
from functools import cache

import erfa
import numpy as np

from datamodel.functions import DOUBLE, Function
from datamodel.sphere import Floats

J2000 = 2451545.0

UCDS = {
    "ICRS": "pos.eq",
    "FK5": "pos.eq",
    "FK4": "pos.eq",
    "GALACTIC": "pos.galactic",
    "SUPER_GALACTIC": "pos.supergalactic",
    "ECLIPTIC": "pos.ecliptic",
}
"""The frames by their names in the IVOA vocabulary refframe, with the UCDs of their positions."""

Angles = tuple[float, float, float]
"""Longitude and latitude of a new frame's pole in an old one, and longitude of the old pole in the new one; degrees."""


def rotated(lon: float, lat: float, angles: Angles) -> tuple[float, float]:
    """A position, in degrees, in the new frame; longitude from 0 to 360."""
    pole_lon, pole_lat, zero = angles
    if abs(lat) > 90.0:
        raise ValueError(lat)
    turn, height, tilt = math.radians(lon - pole_lon), math.radians(lat), math.radians(pole_lat)
    level = math.cos(height) * math.cos(turn)
    x = math.sin(height) * math.cos(tilt) - level * math.sin(tilt)
    y = math.cos(height) * math.sin(turn)
    z = math.sin(height) * math.sin(tilt) + level * math.cos(tilt)
    longitude = within_turn(zero - math.degrees(math.atan2(y, x)))
    return longitude, math.degrees(math.atan2(z, math.sqrt(x * x + y * y)))


def within_turn(lon: float) -> float:
    """A longitude in degrees from 0 to less than 360."""
    found = lon - 360.0 * math.floor(lon / 360.0)
    return found if found < 360.0 else 0.0


@cache
def angles(source: str, target: str) -> Angles:
    """The rotation from one frame of `UCDS` to another.

    The pole of a frame that is turned by next to nothing says little of how it is turned: a point a quarter of a
    turn ahead of the pole, on the equators of both frames, says more.
    """
    r = _matrix(source, target)
    pole_lon, pole_lat = _position(r[2])
    ahead, _ = _position(r @ _unit(math.radians(pole_lon + 90.0), 0.0))
    return pole_lon, pole_lat, ahead + 90.0


def _position(vector: Floats) -> tuple[float, float]:
    lat = math.atan2(vector[2], math.hypot(vector[0], vector[1]))
    return math.degrees(math.atan2(vector[1], vector[0])), math.degrees(lat)


def _matrix(source: str, target: str) -> Floats:
    known = {("FK4", "GALACTIC"): _fk4_to_galactic(), ("GALACTIC", "FK4"): _fk4_to_galactic().T}
    direct = known.get((source, target))
    return _from_icrs()[target] @ _from_icrs()[source].T if direct is None else direct


@cache
def _from_icrs() -> dict[str, Floats]:
    galactic = np.stack([_unit(*erfa.icrs2g(lon, lat)) for lon, lat in _AXES], axis=1)
    fk5 = np.asarray(erfa.fk5hip()[0]).T
    return {
        "ICRS": np.eye(3),
        "FK5": fk5,
        "FK4": _FK4_TO_FK5.T @ fk5,
        "GALACTIC": galactic,
        "SUPER_GALACTIC": _to_pole(47.37, 6.32, 90.0) @ galactic,
        "ECLIPTIC": np.asarray(erfa.ecm06(J2000, 0.0)),
    }


def _unit(lon: float, lat: float) -> Floats:
    return np.array(erfa.s2c(lon, lat))


_AXES = ((0.0, 0.0), (math.pi / 2, 0.0), (0.0, math.pi / 2))


def _turned(axis: int, degrees: float) -> Floats:
    turn = (erfa.rx, erfa.ry, erfa.rz)[axis]
    return np.asarray(turn(math.radians(degrees), np.eye(3)))


def _to_pole(lon: float, lat: float, turn: float) -> Floats:
    """The rotation to a frame whose pole is at (lon, lat), then about that pole; degrees."""
    return _turned(2, turn) @ _turned(1, 90.0 - lat) @ _turned(2, lon)


def _fk4_to_galactic() -> Floats:
    """The definition: the pole at 12h49m, +27.4 deg (B1950), whose own pole has longitude 123 deg (IAU 1958)."""
    return _to_pole(192.25, 27.4, 180.0 - 123.0)


_FK4_TO_FK5 = np.array(
    [
        [0.9999256794956877, -0.0111814832204662, -0.0048590038153592],
        [0.0111814832391717, 0.9999374848933135, -0.0000271625947142],
        [0.0048590037723143, -0.0000271702937440, 0.9999881946023742],
    ]
)
"""Positions of B1950 to those of J2000: Murray 1989, A&A 218, 325, equation 28."""


def _part_of_rotated(part: int, lon: float, lat: float, *given: float) -> float:
    pole_lon, pole_lat, zero = given
    return rotated(lon, lat, (pole_lon, pole_lat, zero))[part - 1]


_ROTATED = """
IF abs(lat) > 90 THEN RETURN NULL; END IF;
lon := radians(lon - pole_lon);
lat := radians(lat);
pole_lat := radians(pole_lat);
level := cos(lat) * cos(lon);
x := sin(lat) * cos(pole_lat) - level * sin(pole_lat);
y := cos(lat) * sin(lon);
IF part = 2 THEN
  RETURN degrees(atan2(sin(lat) * sin(pole_lat) + level * cos(pole_lat), sqrt(x * x + y * y)));
END IF;
lon := zero - degrees(atan2(y, x));
lon := lon - 360 * floor(lon / 360);
RETURN CASE WHEN lon < 360 THEN lon ELSE 0 END;
"""

FUNCTIONS = (
    Function(
        "vo_rotated",
        f"part integer, lon {DOUBLE}, lat {DOUBLE}, pole_lon {DOUBLE}, pole_lat {DOUBLE}, zero {DOUBLE}",
        DOUBLE,
        _ROTATED,
        f"level {DOUBLE}; x {DOUBLE}; y {DOUBLE};",
        _part_of_rotated,
        bounded=True,
    ),
)
"""Longitude (part 1) and latitude (part 2) of a position in the frame that three `Angles` say."""
