"""How a shape is written as STC-S or DALI text, as in the ``s_region`` of ObsCore, and read from it."""

from collections.abc import Callable

from datamodel.errors import UsageError
from datamodel.shapes import Circle, Point, Polygon, Range, Shape

_SKIPPED = {"ICRS", "UNKNOWNREFPOS", "BARYCENTER", "GEOCENTER", "HELIOCENTER", "TOPOCENTER", "SPHERICAL2"}
_READERS: dict[str, tuple[str, Callable[[list[float]], Shape]]] = {
    "POSITION": ("ra dec", lambda v: Point(*v)),
    "POINT": ("ra dec", lambda v: Point(*v)),
    "CIRCLE": ("ra dec radius", lambda v: Circle(*v)),
    "POLYGON": ("ra dec ra dec ra dec ...", lambda v: Polygon(tuple(zip(v[::2], v[1::2], strict=True)))),
    "POSITIONINTERVAL": ("ra_lo dec_lo ra_hi dec_hi", lambda v: Range(v[0], v[2], v[1], v[3])),
    "RANGE": ("ra_lo ra_hi dec_lo dec_hi", lambda v: Range(*v)),
}


def from_stcs(text: str) -> Shape:
    """The shape that a text such as ``POLYGON ICRS 10 -5 12 -5 12 -3`` names.

    The frame may be left out (DALI 1.1 section 3.3) and be followed by a reference position, which is
    ignored.

    Raises
    ------
    UsageError
        When the kind of shape or the frame is another, the count of numbers is wrong, or the shape is
        impossible.
    """
    words = text.split()
    kind = words[0].upper() if words else ""
    if kind not in _READERS:
        raise UsageError(f"region {text[:200]!r}: expected one of {', '.join(_READERS)}")
    expected, make = _READERS[kind]
    numbers = words[1:]
    while numbers and numbers[0].upper() in _SKIPPED:
        numbers = numbers[1:]
    count = len(expected.split())
    right = len(numbers) >= 6 and len(numbers) % 2 == 0 if kind == "POLYGON" else len(numbers) == count
    if not right:
        raise UsageError(f"region {text[:200]!r}: expected {kind} ICRS {expected}")
    return make([_number(word, text) for word in numbers])


def _number(word: str, text: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"region {text[:200]!r}: {word[:40]!r} is not a number of degrees ICRS") from None


def to_stcs(shape: Shape) -> str:
    """STC-S text of a shape; reading it gives an equal shape."""
    kind, numbers = _WRITERS[type(shape)](shape)
    return " ".join([kind, "ICRS", *(repr(float(n)) for n in numbers)])


_WRITERS: dict[type, Callable[..., tuple[str, tuple[float, ...]]]] = {
    Point: lambda s: ("POSITION", (s.ra, s.dec)),
    Circle: lambda s: ("CIRCLE", (s.ra, s.dec, s.radius)),
    Polygon: lambda s: ("POLYGON", tuple(number for vertex in s.vertices for number in vertex)),
    Range: lambda s: ("PositionInterval", (s.ra_lo, s.dec_lo, s.ra_hi, s.dec_hi)),
}
