"""What is kept of a region of the sky, such as an image's footprint, so that SQL can find and test it?

Two tables: the HEALPix cells that cover it, for the index, and its edges, for the exact tests of
`datamodel.region_tests`. A polygon has a row for each edge; a circle is kept as itself, in one row.
"""

import math
from typing import Any

import numpy as np
import sqlalchemy as sa

from datamodel.errors import UsageError
from datamodel.healpix import cells
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Shape
from datamodel.sphere import EDGE_RAD, Floats, unit_vectors

DEEPEST_CELL = 18
"""Order of the smallest cell that a region is covered with, 0.8 arcsec."""

_FINENESS = 6
VECTORS = ("a", "b", "n", "after", "before", "enters", "leaves")
_NUMBERS = (
    "ra",
    "dec",
    "radius",
    "chord_2",
    "sine",
    "side",
    *(f"{vector}_{axis}" for vector in VECTORS for axis in "xyz"),
)


def region_tables(name: str, metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """The tables ``<name>_cover`` and ``<name>_edge`` that index the regions of a table.

    The cover has ``lo``, ``hi``, the first and last order-29 number of a whole HEALPix cell, and ``row``, the key
    of the region. An edge has the ``row`` and

    ``ra``, ``dec``
        where it begins, or the centre of a circle, in degrees;
    ``a``, ``b``, ``n``, ``enters``, ``leaves``, ``side``
        as in `datamodel.polygons.Outline`;
    ``after``, ``before``
        normals of the planes through the edge's ends at right angles to it: what is on the positive side of both
        is beside the edge;
    ``radius``
        of a circle in degrees; NULL for an edge of a polygon.

    A circle has in ``a`` its centre, and a point ``p`` is inside when ``side * (chord_2 - |p - b|**2) >= 0``: up
    to a radius of 90 degrees, ``b`` is the centre and ``side`` 1, beyond, ``b`` is the antipode and ``side`` -1.
    A great circle with the normal ``n`` meets it when ``|n a| <= sine``.
    """
    cover = sa.Table(
        f"{name}_cover",
        metadata,
        sa.Column("lo", sa.BigInteger, nullable=False),
        sa.Column("hi", sa.BigInteger, nullable=False),
        sa.Column("row", sa.String(100), nullable=False, index=True),
    )
    sa.Index(f"ix_{name}_cover_lo_hi_row", cover.c.lo, cover.c.hi, cover.c.row)
    edges = sa.Table(
        f"{name}_edge",
        metadata,
        sa.Column("row", sa.String(100), nullable=False, index=True),
        *(sa.Column(number, sa.Double(53)) for number in _NUMBERS),
    )
    cover.info["edges"] = edges
    return cover, edges


def region_rows(shape: Shape, row: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the cover table and of the edge table for the region with the key `row`.

    Raises
    ------
    UsageError
        When the shape is a range: the sides of a footprint are great circles.
    """
    if isinstance(shape, Polygon):
        edges = _polygon_edges(shape)
    elif isinstance(shape, Circle | Point):
        edges = [_circle_edge(shape)]
    else:
        raise UsageError(f"region {shape!r}: expected a circle, polygon or point to keep")
    spans = zip(*(numbers.tolist() for numbers in cells(shape, _FINENESS, DEEPEST_CELL)), strict=True)
    return [{"lo": lo, "hi": hi, "row": row} for lo, hi in spans], [{"row": row, **edge} for edge in edges]


def _polygon_edges(polygon: Polygon) -> list[dict[str, float | None]]:
    edges = outline(polygon.vertices)
    columns: dict[str, Floats] = {"ra": edges.ra_deg, "dec": edges.dec_deg, "side": edges.side}
    for vector in VECTORS:
        for axis, values in zip("xyz", getattr(edges, vector).T, strict=True):
            columns[f"{vector}_{axis}"] = values
    rows = np.stack(list(columns.values()), axis=-1).tolist()
    circle = dict.fromkeys(("radius", "chord_2", "sine"))
    return [{**circle, **dict(zip(columns, values, strict=True))} for values in rows]


def _circle_edge(circle: Circle | Point) -> dict[str, float | None]:
    radius = circle.radius if isinstance(circle, Circle) else 0.0
    centre = unit_vectors(circle.ra, circle.dec)
    side = 1.0 if radius <= 90.0 else -1.0
    smaller = min(radius, 180.0 - radius)
    known = {"ra": circle.ra, "dec": circle.dec, "radius": radius, "side": side}
    known["chord_2"] = 4.0 * math.sin(max(0.0, math.radians(smaller) / 2.0 + side * EDGE_RAD)) ** 2
    known["sine"] = math.sin(math.radians(radius)) + EDGE_RAD if radius < 90.0 else 2.0
    for vector, values in (("a", centre), ("b", side * centre)):
        known |= {f"{vector}_{axis}": value for axis, value in zip("xyz", values.tolist(), strict=True)}
    return {number: known.get(number) for number in _NUMBERS}
