"""Which functions does ADQL have, how are they called, and what do they give? For people who write a query."""

from typing import NamedTuple


class Function(NamedTuple):
    """One function.

    Attributes
    ----------
    name
        In capitals.
    signature
        With its arguments, as it is called.
    description
        What it gives, in a sentence.
    example
        A call that has a value in any row of ``tap_schema.schemas``.
    """

    name: str
    signature: str
    description: str
    example: str


def _f(signature: str, description: str, example: str) -> Function:
    return Function(signature.partition("(")[0], signature, description, example)


FUNCTIONS: tuple[Function, ...] = (
    _f("AVG(value)", "The mean of the values of a group.", "AVG(schema_index)"),
    _f("COUNT(*)", "How many rows a group has.", "COUNT(*)"),
    _f("MAX(value)", "The largest value of a group.", "MAX(schema_index)"),
    _f("MIN(value)", "The smallest value of a group.", "MIN(schema_index)"),
    _f("SUM(value)", "The sum of the values of a group.", "SUM(schema_index)"),
    _f("ABS(x)", "The value without its sign.", "ABS(-2.5)"),
    _f("CEILING(x)", "The smallest whole number that is not below x.", "CEILING(1.2)"),
    _f("DEGREES(x)", "An angle in radians as degrees.", "DEGREES(1.0)"),
    _f("EXP(x)", "e to the power of x.", "EXP(1.0)"),
    _f("FLOOR(x)", "The largest whole number that is not above x.", "FLOOR(1.8)"),
    _f("LOG(x)", "The natural logarithm.", "LOG(2.0)"),
    _f("LOG10(x)", "The logarithm to base 10.", "LOG10(100.0)"),
    _f("MOD(x, y)", "What is left over of x divided by y.", "MOD(7, 3)"),
    _f("PI()", "The number pi.", "PI()"),
    _f("POWER(x, y)", "x to the power of y.", "POWER(2.0, 0.5)"),
    _f("RADIANS(x)", "An angle in degrees as radians.", "RADIANS(180.0)"),
    _f("RAND()", "A random number from 0 to 1.", "RAND()"),
    _f("ROUND(x, n)", "x rounded to n decimals; to none where n is left out.", "ROUND(2.345, 2)"),
    _f("SQRT(x)", "The square root.", "SQRT(2.0)"),
    _f("TRUNCATE(x, n)", "x cut after n decimals; after none where n is left out.", "TRUNCATE(2.345, 2)"),
    _f("ACOS(x)", "The angle in radians whose cosine is x.", "ACOS(0.5)"),
    _f("ASIN(x)", "The angle in radians whose sine is x.", "ASIN(0.5)"),
    _f("ATAN(x)", "The angle in radians whose tangent is x.", "ATAN(1.0)"),
    _f("ATAN2(y, x)", "The angle in radians of the point (x, y).", "ATAN2(1.0, 1.0)"),
    _f("COS(x)", "The cosine of an angle in radians.", "COS(1.0)"),
    _f("COT(x)", "The cotangent of an angle in radians.", "COT(1.0)"),
    _f("SIN(x)", "The sine of an angle in radians.", "SIN(1.0)"),
    _f("TAN(x)", "The tangent of an angle in radians.", "TAN(1.0)"),
    _f("LOWER(text)", "The text in small letters.", "LOWER('Vega')"),
    _f("UPPER(text)", "The text in capitals.", "UPPER('Vega')"),
    _f("COALESCE(a, b)", "The first of the values that is not NULL.", "COALESCE(NULL, 1)"),
    _f("CAST(value AS type)", "The value as another type, such as DOUBLE PRECISION.", "CAST('1.5' AS REAL)"),
    _f("IN_UNIT(value, 'unit')", "The value of a column in another unit.", ""),
    _f("POINT(ra, dec)", "A position, in degrees.", "POINT(34.75, 57.13)"),
    _f("CIRCLE(ra, dec, r)", "A circle on the sky; all three in degrees.", "CIRCLE(34.75, 57.13, 1.0)"),
    _f(
        "BOX(ra, dec, w, h)",
        "A box on the sky, of width w and height h, in degrees.",
        "BOX(10.0, 5.0, 1.0, 2.0)",
    ),
    _f(
        "POLYGON(ra1, dec1, ra2, dec2, ra3, dec3)",
        "A polygon on the sky, in degrees.",
        "POLYGON(0, 0, 2, 0, 1, 2)",
    ),
    _f("REGION('text')", "A region that a text describes.", ""),
    _f(
        "CONTAINS(a, b)", "1 where region b holds all of a, else 0.", "CONTAINS(POINT(1, 1), CIRCLE(1, 1, 2))"
    ),
    _f("INTERSECTS(a, b)", "1 where the regions have points in common, else 0.", ""),
    _f("DISTANCE(a, b)", "The angle between two points, in degrees.", "DISTANCE(POINT(0, 0), POINT(1, 1))"),
    _f("AREA(region)", "The area of a region, in square degrees.", "AREA(CIRCLE(1, 1, 2))"),
    _f("CENTROID(region)", "The point in the middle of a region.", "CENTROID(CIRCLE(1, 1, 2))"),
    _f("COORDSYS(region)", "The name of the frame of a region; there is one only.", "COORDSYS(POINT(1, 1))"),
    _f("COORD1(point)", "The right ascension of a point, in degrees.", "COORD1(POINT(34.75, 57.13))"),
    _f("COORD2(point)", "The declination of a point, in degrees.", "COORD2(POINT(34.75, 57.13))"),
)
