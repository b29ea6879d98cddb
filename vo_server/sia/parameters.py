"""What does a request to SIA 2.0 ask for? Pure: every usage error of the protocol is raised here.

SIA 2.0 section 2.1: each parameter may be repeated; its values are alternatives, and an observation must
satisfy every parameter that is given. An empty value says nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.shapes import Circle, Polygon, Range, Shape
from vo_server.dali import Parameters
from vo_server.formats.negotiate import Format, choose

Interval = tuple[float, float]
"""Both ends inclusive; infinite where there is no bound."""


@dataclass(frozen=True)
class Axis:
    """An axis of an observation that is asked for by value or interval.

    Attributes
    ----------
    low, high
        The ObsCore columns that hold the two ends; one name twice for a column with a single value.
    unit
        Of the parameter's numbers and the columns'.
    ucd
        Of the parameter.
    """

    low: str
    high: str
    unit: str
    ucd: str


AXES: Mapping[str, Axis] = {
    "BAND": Axis("em_min", "em_max", "m", "em.wl;stat.interval"),
    "TIME": Axis("t_min", "t_max", "d", "time.interval;obs.exposure"),
    "FOV": Axis("s_fov", "s_fov", "deg", "phys.angSize;instr.fov"),
    "SPATRES": Axis("s_resolution", "s_resolution", "arcsec", "pos.angResolution"),
    "SPECRP": Axis("em_res_power", "em_res_power", "", "spect.resolution"),
    "EXPTIME": Axis("t_exptime", "t_exptime", "s", "time.duration;obs.exposure"),
    "TIMERES": Axis("t_resolution", "t_resolution", "s", "time.resolution"),
}
"""SIA 2.0 sections 2.1.2, 2.1.3 and 2.1.5 to 2.1.9."""

NAMES: Mapping[str, str] = {
    "COLLECTION": "obs_collection",
    "FACILITY": "facility_name",
    "INSTRUMENT": "instrument_name",
    "TARGET": "target_name",
}
"""Parameters that are compared with a column as they are."""

ANY_CASE: Mapping[str, str] = {"ID": "obs_publisher_did", "FORMAT": "access_format"}
"""Parameters that are compared with a column whatever the case."""

MAX_VALUES = 50
"""A parameter may be repeated so often; each value is one more condition on every observation."""

POLARISATIONS = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
PRODUCT_TYPES = ("image", "cube")
CALIBRATION_LEVELS = ("0", "1", "2", "3", "4")


@dataclass(frozen=True)
class SiaQuery:
    """What was asked for; an empty collection where nothing was.

    Attributes
    ----------
    regions
        Shapes in degrees ICRS.
    intervals
        By name of the parameter, as in `AXES`.
    words
        By name of the parameter, as in `NAMES` and `ANY_CASE`.
    polarisations, product_types, calibration_levels
        Values of POL, DPTYPE and CALIB.
    maxrec
        How many rows the answer may have; 0 asks for the columns alone.
    format
        What the answer is to be written in.
    """

    regions: tuple[Shape, ...] = ()
    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    polarisations: tuple[str, ...] = ()
    product_types: tuple[str, ...] = ()
    calibration_levels: tuple[int, ...] = ()
    maxrec: int = 0
    format: Format = field(default_factory=lambda: choose(None))


def read(parameters: Parameters, config: Config) -> SiaQuery:
    """The query that a request's parameters mean; parameters that SIA does not know are ignored.

    Parameters
    ----------
    parameters
        Of the request.
    config
        Says how many rows there are where MAXREC is not given, and at the most.

    Raises
    ------
    UsageError
        A value has no meaning; the message quotes it and says what was expected.
    """

    def values(name: str) -> list[str]:
        given = parameters.all(name)
        if len(given) > MAX_VALUES:
            raise UsageError(f"{name} is given {len(given)} times, expected {MAX_VALUES} times at the most")
        return [value.strip() for value in given]

    intervals = {name: tuple(interval(name, v) for v in values(name)) for name in AXES}
    words = {name: tuple(values(name)) for name in (*NAMES, *ANY_CASE)}
    levels = [_one_of("CALIB", v, CALIBRATION_LEVELS) for v in values("CALIB")]
    return SiaQuery(
        regions=tuple(region(v) for v in values("POS")),
        intervals={name: found for name, found in intervals.items() if found},
        words={name: found for name, found in words.items() if found},
        polarisations=tuple(_one_of("POL", v.upper(), POLARISATIONS) for v in values("POL")),
        product_types=tuple(_one_of("DPTYPE", v.lower(), PRODUCT_TYPES) for v in values("DPTYPE")),
        calibration_levels=tuple(int(level) for level in levels),
        maxrec=parameters.maxrec(config.maxrec, config.maxrec_limit),
        format=choose(parameters.one("RESPONSEFORMAT")),
    )


def region(text: str) -> Shape:
    """The shape that a value of POS names (SIA 2.0 section 2.1.1): degrees, ICRS.

    Raises
    ------
    UsageError
        It names none, or an impossible one.
    """
    word, *numbers = text.split()
    shape = _SHAPES.get(word.upper())
    if shape is None:
        raise UsageError(f"POS '{text[:200]}': expected CIRCLE, RANGE or POLYGON, found '{word[:40]}'")
    values = [_number("POS", text, each) for each in numbers]
    if not shape.fits(len(values)):
        raise UsageError(
            f"POS '{text[:200]}': expected {word.upper()} {shape.expected}, found {len(values)} numbers"
        )
    if shape.make is not _range and not all(map(math.isfinite, values)):
        raise UsageError(f"POS '{text[:200]}': only a RANGE may have infinite bounds")
    try:
        return shape.make(values)
    except UsageError as error:
        raise UsageError(f"POS '{text[:200]}': {error}") from None


@dataclass(frozen=True)
class _Shape:
    expected: str
    fits: Callable[[int], bool]
    make: Callable[[list[float]], Shape]


def _range(values: list[float]) -> Shape:
    return Range(*values)


_SHAPES = {
    "CIRCLE": _Shape("longitude latitude radius", lambda n: n == 3, lambda v: Circle(*v)),
    "RANGE": _Shape("longitude1 longitude2 latitude1 latitude2", lambda n: n == 4, _range),
    "POLYGON": _Shape(
        "longitude latitude ... of at least 3 vertices",
        lambda n: n >= 6 and n % 2 == 0,
        lambda v: Polygon(tuple(zip(v[::2], v[1::2], strict=True))),
    ),
}


def interval(name: str, text: str) -> Interval:
    """One number, or two with the smaller first; ``-Inf`` and ``+Inf`` leave an end open (DALI 1.1 section 3.3.4).

    Raises
    ------
    UsageError
        It is neither.
    """
    values = [_number(name, text, word) for word in text.split()]
    if len(values) not in (1, 2):
        raise UsageError(
            f"{name} '{text[:200]}': expected a number or an interval of two, found {len(values)}"
        )
    low, high = values[0], values[-1]
    if low > high or low == math.inf or high == -math.inf:
        raise UsageError(
            f"{name} '{text[:200]}': the interval ends before it begins, expected the smaller first"
        )
    return low, high


def _number(name: str, text: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if math.isnan(value) or "_" in word:
        raise UsageError(f"{name} '{text[:200]}': '{word[:40]}' is not a number")
    return value


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UsageError(f"{name} '{value[:40]}': expected one of {', '.join(known)}")
    return value
