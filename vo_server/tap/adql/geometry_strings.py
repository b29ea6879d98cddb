"""Which geometry does a string name: STC-S in REGION, or numbers as DALI writes them? (ADQL 2.1 section 4.2.15)."""

import math

from datamodel.shapes import MAX_VERTICES
from vo_server.tap.adql import geometry_frames
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.shapes import Circle, Point, Polygon, Shape
from vo_server.tap.adql.types import literal

_FORMS = {
    "POSITION": "lon lat",
    "POINT": "lon lat",
    "CIRCLE": "lon lat radius",
    "BOX": "lon lat width height",
    "POLYGON": "lon lat lon lat lon lat ...",
}
_SETS = {"UNION": "OR", "INTERSECTION": "AND", "DIFFERENCE": "AND NOT", "NOT": "NOT"}
_PLACES = ("BARYCENTER", "GEOCENTER", "HELIOCENTER", "LSR", "TOPOCENTER", "UNKNOWNREFPOS", "SPHERICAL2")
_MOST = 2 * MAX_VERTICES + 2
_BY_COUNT = {2: "POINT", 3: "CIRCLE"}


def region(at: Position, text: str) -> Shape:
    """The geometry of ``REGION('CIRCLE ICRS 10 20 1')``, in ICRS; without a word, as DALI has it.

    Raises
    ------
    AdqlError
        The string is no geometry, or one of several, whose parts can be asked of one by one.
    """
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    kind = words[0].upper() if words else ""
    if kind in _SETS:
        raise AdqlError(
            at,
            f"a {kind} of regions is not one geometry; ask of each, with {_SETS[kind]} between the conditions",
        )
    if kind not in _FORMS:
        return dali(at, _BY_COUNT.get(len(words), "POLYGON"), text, "a region such as 'CIRCLE ICRS 10 20 1'")
    frame, words = "ICRS", words[1:]
    if words and words[0].upper() in geometry_frames.KNOWN:
        frame, words = geometry_frames.of_name(at, words[0]), words[1:]
    while words and words[0].upper() in _PLACES:
        words = words[1:]
    shape = _shape(at, kind, words, f"expected {kind} ICRS {_FORMS[kind]}, found '{text[:60]}'")
    return shape if frame == "ICRS" else geometry_frames.turned(at, shape, frame)


def dali(at: Position, kind: str, text: str, expected: str = "") -> Shape:
    """The POINT, CIRCLE or POLYGON whose numbers a text has.

    Raises
    ------
    AdqlError
        It has others.
    """
    expected = expected or f"the numbers of a {kind.lower()}, '{_FORMS[kind]}'"
    return _shape(at, kind, text.split(), f"expected {expected}, found '{text[:60]}'")


def _shape(at: Position, kind: str, words: list[str], refusal: str) -> Shape:
    count = len(words)
    right = (
        6 <= count <= _MOST and count % 2 == 0 if kind == "POLYGON" else count == len(_FORMS[kind].split())
    )
    if not right:
        raise AdqlError(at, refusal)
    try:
        found = [float(word) for word in words]
    except ValueError:
        raise AdqlError(at, refusal) from None
    if not all(map(math.isfinite, found)):
        raise AdqlError(at, refusal)
    return _of_numbers(at, kind, found)


def _of_numbers(at: Position, kind: str, found: list[float]) -> Shape:
    if kind == "BOX":
        lon, lat, width, height = found
        corners = ((0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5))
        found = [n for i, j in corners for n in (lon + i * width, lat + j * height)]
    points = [Point(literal(at, a), literal(at, b)) for a, b in zip(found[::2], found[1::2], strict=False)]
    if kind == "CIRCLE":
        return Circle(points[0], literal(at, found[2]))
    return points[0] if len(points) == 1 else Polygon(tuple(points))
