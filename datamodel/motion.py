"""Where was a star, and how did it move, at another epoch? (UDF catalogue 1.2, astrometry).

The rigorous treatment of uniform motion along a straight line: The Hipparcos and Tycho Catalogues, ESA SP-1200,
volume 1, section 1.5.5.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from datamodel.functions import DOUBLE, Function
from datamodel.rotations import within_turn

AU_PER_YEAR_KMS = 149597870.7 / (365.25 * 86400.0)
MAS_RAD = math.radians(1.0 / 3_600_000.0)


@dataclass(frozen=True)
class Star:
    """Six parameters at one epoch.

    Attributes
    ----------
    lon, lat
        In degrees.
    parallax
        In mas; None for a star that is infinitely far.
    motion_lon, motion_lat
        Proper motion in mas/yr, that in longitude with the cosine of the latitude in it; None if not known.
    velocity
        Radial, in km/s; None if not known.
    """

    lon: float
    lat: float
    parallax: float | None
    motion_lon: float | None
    motion_lat: float | None
    velocity: float | None


def moved(star: Star, years: float) -> Star:
    """The parameters after some Julian years; what is not known counts as 0 and stays unknown.

    A proper motion of which one component is not known is not known. Where the parallax is not known, or 0, the
    radial velocity stays as it is.

    Raises
    ------
    ValueError
        There is no such latitude, or the star reaches the Sun.
    """
    if not abs(star.lat) <= 90.0:
        raise ValueError(star.lat)
    east, north = (star.motion_lon or 0.0) * MAS_RAD, (star.motion_lat or 0.0) * MAS_RAD
    receding = (star.velocity or 0.0) * (star.parallax or 0.0) / AU_PER_YEAR_KMS * MAS_RAD
    across = east * east + north * north
    grown = 1.0 + receding * years
    square = grown * grown + across * years * years
    if not square > 0.0:
        raise ValueError(years)
    f = 1.0 / math.sqrt(square)
    x, y, z = _tilted(grown * f, east * years * f, north * years * f, star.lat)
    level, turn = math.sqrt(x * x + y * y), math.atan2(y, x)
    cube = f * f * f
    speed_x, speed_y, speed_z = _tilted(
        -across * years * cube, east * grown * cube, north * grown * cube, star.lat
    )
    known = star.motion_lon is not None and star.motion_lat is not None
    velocity = star.velocity
    if velocity is not None and star.parallax:
        away = (receding + (across + receding * receding) * years) * f
        velocity = away / star.parallax / MAS_RAD * AU_PER_YEAR_KMS
    ahead = speed_x * math.cos(turn) + speed_y * math.sin(turn)
    return Star(
        within_turn(star.lon + math.degrees(turn)),
        math.degrees(math.atan2(z, level)),
        None if star.parallax is None else star.parallax * f,
        (speed_y * math.cos(turn) - speed_x * math.sin(turn)) / MAS_RAD if known else None,
        (speed_z * level - ahead * z) / MAS_RAD if known else None,
        velocity,
    )


def _tilted(out: float, east: float, north: float, lat: float) -> tuple[float, float, float]:
    """A vector at a latitude, in degrees, of the meridian 0: along (0, 0), (90, 0) and the pole."""
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    return out * cosine - north * sine, east, out * sine + north * cosine


@lru_cache(maxsize=1000)
def _moved(*given: float | None) -> Star:
    lon, lat, *rest, start, end = given
    if lon is None or lat is None or start is None or end is None:
        raise ValueError("no position without these")
    return moved(Star(float(lon), float(lat), *rest), end - start)


def _part_of_place(part: int, *given: float | None) -> float:
    star = _moved(*given)
    return star.lon if part == 1 else star.lat


def _as_text(*given: float | None) -> str:
    star = _moved(*given)
    parts = (star.lon, star.lat, star.parallax, star.motion_lon, star.motion_lat, star.velocity)
    return " ".join("NaN" if part is None else repr(part) for part in parts)


_NAMES = "lon lat parallax motion_lon motion_lat velocity start_year end_year"
_GIVEN = ", ".join(f"{name} {DOUBLE}" for name in _NAMES.split())

_MOTION = f"""
IF abs(lat) > 90 OR (lon + lat + start_year + end_year) IS NULL THEN RETURN NULL; END IF;
years := end_year - start_year;
east := coalesce(motion_lon, 0) * {MAS_RAD!r}::float8;
north := coalesce(motion_lat, 0) * {MAS_RAD!r}::float8;
receding := coalesce(velocity, 0) * coalesce(parallax, 0) / {AU_PER_YEAR_KMS!r}::float8 * {MAS_RAD!r}::float8;
across := east * east + north * north;
grown := 1 + receding * years;
f := grown * grown + across * years * years;
IF NOT f > 0 THEN RETURN NULL; END IF;
f := 1 / sqrt(f);
cube := f * f * f;
sine := sin(radians(lat));
cosine := cos(radians(lat));
x := grown * f * cosine - north * years * f * sine;
y := east * years * f;
z := grown * f * sine + north * years * f * cosine;
level := sqrt(x * x + y * y);
turn := atan2(y, x);
speed_x := -across * years * cube * cosine - north * grown * cube * sine;
speed_y := east * grown * cube;
speed_z := -across * years * cube * sine + north * grown * cube * cosine;
ahead := speed_x * cos(turn) + speed_y * sin(turn);
IF velocity IS NOT NULL AND parallax <> 0 THEN
  velocity := (receding + (across + receding * receding) * years) * f / parallax
    / {MAS_RAD!r}::float8 * {AU_PER_YEAR_KMS!r}::float8;
END IF;
lon := lon + degrees(turn);
lon := lon - 360 * floor(lon / 360);
RETURN ARRAY[
  CASE WHEN lon < 360 THEN lon ELSE 0 END,
  degrees(atan2(z, level)),
  parallax * f,
  CASE WHEN (motion_lon + motion_lat) IS NOT NULL
    THEN (speed_y * cos(turn) - speed_x * sin(turn)) / {MAS_RAD!r}::float8 END,
  CASE WHEN (motion_lon + motion_lat) IS NOT NULL
    THEN (speed_z * level - ahead * z) / {MAS_RAD!r}::float8 END,
  velocity];
"""

_VARIABLES = (
    "years east north receding across grown f cube sine cosine x y z level turn speed_x speed_y speed_z ahead"
)
_CALL = f"vo_motion({_NAMES.replace(' ', ', ')})"

FUNCTIONS = (
    Function(
        "vo_motion",
        _GIVEN,
        f"{DOUBLE}[]",
        _MOTION,
        " ".join(f"{name} {DOUBLE};" for name in _VARIABLES.split()),
        strict=False,
        bounded=True,
    ),
    Function(
        "vo_moved",
        f"part integer, {_GIVEN}",
        DOUBLE,
        f"SELECT ({_CALL})[part]",
        python=_part_of_place,
        language="sql",
        strict=False,
        bounded=True,
    ),
    Function(
        "vo_moved_star",
        _GIVEN,
        "text",
        f"SELECT array_to_string({_CALL}, ' ', 'NaN')",
        python=_as_text,
        language="sql",
        strict=False,
        bounded=True,
    ),
)
"""Longitude (part 1) and latitude (part 2) at another epoch; all six parameters as text, NaN for unknown ones."""
