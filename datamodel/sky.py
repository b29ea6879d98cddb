"""What can one ask of the sky? The one door to shapes, their index and the tests in SQL and numpy."""

from datamodel.healpix import NO_PIXEL, cover, hpx29
from datamodel.membership import contains
from datamodel.regions import region_rows, region_tables
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sky_conditions import distance_sql, inside, overlaps, region_contains_point, region_within
from datamodel.sphere import separation
from datamodel.stcs import from_stcs, to_stcs

__all__ = [
    "NO_PIXEL",
    "Circle",
    "Point",
    "Polygon",
    "Range",
    "Shape",
    "contains",
    "cover",
    "distance_sql",
    "from_stcs",
    "hpx29",
    "inside",
    "overlaps",
    "region_contains_point",
    "region_rows",
    "region_tables",
    "region_within",
    "separation",
    "to_stcs",
]
