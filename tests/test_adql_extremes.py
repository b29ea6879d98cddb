"""Do functions give what Python computes where their arguments are at the ends of the range of doubles?"""

import math
from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord

from datamodel.columns import Column, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.errors import OutOfRangeError
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from tests.sql_meaning import compute
from vo_server.tap.adql.arities import ARITIES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

_SIZES = (
    *(
        5e-324,
        1e-310,
        2.2250738585072014e-308,
        1e-300,
        1e-160,
        1e-20,
        0.1,
        0.49999999999999994,
        0.5,
        0.7,
        1.0,
    ),
    *(1.5, 2.5, 3.0, 10.0, 45.0, 359.99, 2451545.123, 4503599627370495.5, 4503599627370497.0, 1e17, 1e22),
    *(1e160, 1e300, 8.98846567431158e307, 1e308, 1.7976931348623157e308),
)
NUMBERS = sorted({0.0, *_SIZES, *(-x for x in _SIZES)})
PLACES = (-400, -308, -307, -300, -22, -2, -1, 0, 1, 2, 15, 22, 300, 308, 400)

_STORED = sa.Table("extremes", sa.MetaData(), sa.Column("x", sa.Double(53)), sa.Column("n", sa.BigInteger))
_CATALOGUE = Catalogue(
    [Table("s", "extremes", (Column("x", "DOUBLE", "deg"), Column("n", "BIGINT")), lambda caller: _STORED)]
)


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_database())
    rows = [{"x": x, "n": PLACES[i % len(PLACES)]} for i, x in enumerate(NUMBERS)] + [{"x": None, "n": None}]
    with made.write() as connection:
        install(connection, FUNCTIONS)
        _STORED.create(connection)
        connection.execute(_STORED.insert(), rows)
    yield made
    made.close()


def answer(database: Database, query: str) -> list[tuple[Any, ...]]:
    """The rows; as TAP does, a statement whose numbers leave their range is written again."""
    assert database.speech.careful is not None
    try:
        return _answer(database, query, database.speech)
    except OutOfRangeError:
        return _answer(database, query, database.speech.careful)


def _answer(database: Database, query: str, speech: Any) -> list[tuple[Any, ...]]:
    translated = translate(query, _CATALOGUE, ANONYMOUS, speech)
    batches = database.rows(translated.text, translated.columns).batches
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def _alike(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-321)


_EXACT = Context(prec=800, Emax=10_000, Emin=-10_000)


def decimals(rounding: str, places: int = 0) -> Callable[[float], float]:
    """The digits of the double that tell it from others, rounded to places by the decimal module."""

    def rounded(x: float) -> float:
        exact = _EXACT.scaleb(Decimal(repr(x)), places)
        return float(_EXACT.scaleb(exact.to_integral_value(rounding, _EXACT), -places))

    return rounded


def small(function: Callable[..., float]) -> Callable[..., float]:
    """A function whose results of less than 1e-307 may be 0: so it is where EXP and POWER end."""

    def computed(*arguments: float) -> float:
        found = function(*arguments)
        return 0.0 if abs(found) < 1e-307 else found

    return computed


ONE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEILING": lambda x: float(np.ceil(x)),
    "FLOOR": lambda x: float(np.floor(x)),
    "ROUND": decimals(ROUND_HALF_UP),
    "TRUNCATE": decimals(ROUND_DOWN),
    "SQRT": math.sqrt,
    "EXP": small(math.exp),
    "LOG": math.log,
    "LOG10": math.log10,
    "DEGREES": math.degrees,
    "RADIANS": math.radians,
    "SIN": math.sin,
    "COS": math.cos,
    "TAN": math.tan,
    "COT": lambda x: 1.0 / math.tan(x),
    "ASIN": math.asin,
    "ACOS": math.acos,
    "ATAN": math.atan,
    "COALESCE": float,
    "-": lambda x: -x,
}
TWO: dict[str, Callable[[float, float], float]] = {
    "MOD": math.fmod,
    "POWER": small(math.pow),
    "ATAN2": math.atan2,
    "COALESCE": lambda x, y: x,
}
OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
}
GEOMETRIES = {"POINT", "CIRCLE", "BOX", "POLYGON", "CONTAINS", "INTERSECTS"}
MEASURES = {"DISTANCE", "AREA", "CENTROID", "COORD1", "COORD2"}
OTHERS = {"PI", "RAND", "LOWER", "UPPER", "COORDSYS", "REGION", "IN_UNIT"}


def test_every_function_is_asked_here() -> None:
    assert set(ARITIES) == {*ONE, *TWO, *GEOMETRIES, *MEASURES, *OTHERS} - {"-"}


@pytest.mark.parametrize("name", ONE)
def test_a_function_of_extremes_is_what_python_computes(database: Database, name: str) -> None:
    found = answer(database, f"SELECT x, {name}(x) FROM extremes")
    assert len(found) == len(NUMBERS) + 1
    for x, value in found:
        expected = compute(ONE[name], x)
        assert _alike(small(float)(value) if name == "EXP" and value else value, expected), x


@pytest.mark.parametrize("name", TWO)
def test_a_function_of_two_extremes_is_what_python_computes(database: Database, name: str) -> None:
    found = answer(database, f"SELECT a.x, b.x, {name}(a.x, b.x) FROM extremes a, extremes b")
    assert len(found) == (len(NUMBERS) + 1) ** 2
    for x, y, value in found:
        if name == "COALESCE":
            assert value == (y if x is None else x)
            continue
        value = small(float)(value) if name == "POWER" and value is not None else value
        assert _alike(value, compute(TWO[name], x, y)), (x, y)


@pytest.mark.parametrize("divisor", [3, 360, 0.1, 0.7, 1e-300, 5e-324, -2.5, 1e17, 1e308, 86400.0, 0.3])
def test_what_is_left_by_a_constant_divisor_is_exact(database: Database, divisor: float) -> None:
    for x, value in answer(database, f"SELECT x, MOD(x, {divisor!r}) FROM extremes"):
        assert value == (None if x is None else np.fmod(x, float(divisor))), x


def test_what_is_left_of_many_numbers_is_exact(database: Database) -> None:
    random = np.random.default_rng(3)
    divisors = [*random.uniform(0.1, 10.0, 20), 0.1, 0.3, 7.0, 24.0]
    multiples = "a.n * 0.1, a.n * 0.7 + b.n, (a.n + b.n * 16777216) / 3.0"
    for divisor in divisors:
        listed = multiples.split(", ")
        taken = ", ".join(f"{m}, MOD({m}, {float(divisor)!r})" for m in listed)
        for row in answer(database, f"SELECT {taken} FROM extremes a, extremes b WHERE a.n IS NOT NULL"):
            for x, value in zip(row[::2], row[1::2], strict=True):
                assert value == (None if x is None else np.fmod(x, divisor)), (x, divisor)


@pytest.mark.parametrize("name", OPERATORS)
def test_arithmetic_of_extremes_is_what_python_computes(database: Database, name: str) -> None:
    found = answer(database, f"SELECT a.x, b.x, a.x {name} b.x FROM extremes a, extremes b")
    assert all(_alike(value, compute(OPERATORS[name], x, y)) for x, y, value in found)


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize(("name", "rounding"), [("ROUND", ROUND_HALF_UP), ("TRUNCATE", ROUND_DOWN)])
def test_rounding_to_places_is_what_the_decimal_module_gives(
    database: Database, name: str, rounding: str, places: int
) -> None:
    for x, value in answer(database, f"SELECT x, {name}(x, {places}) FROM extremes"):
        assert _close_to_places(value, x, rounding, places), x


@pytest.mark.parametrize(("name", "rounding"), [("ROUND", ROUND_HALF_UP), ("TRUNCATE", ROUND_DOWN)])
def test_places_may_be_those_of_the_row(database: Database, name: str, rounding: str) -> None:
    query = f"SELECT a.x, b.n, {name}(a.x, b.n) FROM extremes a, extremes b"
    for x, places, value in answer(database, query):
        assert _close_to_places(value, x, rounding, places), (x, places)


def _close_to_places(value: float | None, x: float | None, rounding: str, places: int | None) -> bool:
    if x is None or places is None:
        return value is None
    return _alike(value, compute(decimals(rounding, places), x))


def test_a_value_in_another_unit_is_null_where_it_is_too_large(database: Database) -> None:
    for x, value, back in answer(database, "SELECT x, IN_UNIT(x, 'arcsec'), IN_UNIT(x, 'rad') FROM extremes"):
        assert _alike(value, compute(lambda x: x * 3600.0, x))
        assert _alike(back, compute(math.radians, x))


SHAPES = (
    *("POINT(a.x, b.x)", "CIRCLE(a.x, b.x, 1)", "BOX(a.x, b.x, a.x, b.x)", "BOX(a.x, 0, 1, b.x)"),
    *("POLYGON(a.x, b.x, 1, 0, 0, 1)", "CIRCLE(1, 2, a.x)", "POINT(5e-324, b.x)", "POINT(1e308, b.x)"),
)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_position_ends_a_query(database: Database, shape: str) -> None:
    tests = [f"CONTAINS(POINT(1, 0.5), {shape})", f"INTERSECTS({shape}, CIRCLE(b.x, a.x, 2))"]
    measures = [f"AREA({shape})", f"CENTROID({shape})"]
    if shape.startswith("POINT"):
        tests += [f"CONTAINS({shape}, CIRCLE(1, 2, 3))", f"CONTAINS({shape}, POLYGON(0, 0, 9, 0, 0, 9))"]
        measures += [f"DISTANCE({shape}, POINT(b.x, a.x))", f"COORD1({shape})", f"COORD2({shape})"]
    found = answer(database, f"SELECT {shape}, {', '.join(tests + measures)} FROM extremes a, extremes b")
    assert len(found) == (len(NUMBERS) + 1) ** 2
    assert {value for row in found for value in row[1 : 1 + len(tests)]} <= {0, 1, None}
    assert not {math.inf, -math.inf} & {v for row in found for v in row if isinstance(v, float)}


def test_tiny_angles_do_not_disturb_distances(database: Database) -> None:
    query = "SELECT a.x, b.x, DISTANCE(a.x, b.x, b.x, 1e-300), CONTAINS(POINT(a.x, b.x), CIRCLE(1, 2, 30)) "
    found = answer(database, query + "FROM extremes a, extremes b WHERE ABS(a.x) < 360 AND ABS(b.x) <= 90")
    x, y, distance, inside = (np.array(each) for each in zip(*found, strict=True))
    places = SkyCoord(x, y, unit="deg")
    assert np.allclose(distance, places.separation(SkyCoord(y, 0 * y, unit="deg")).deg, rtol=0, atol=1e-11)
    assert (inside == (places.separation(SkyCoord(1, 2, unit="deg")).deg <= 30)).all()


def test_a_random_number_is_as_random_when_it_is_rounded(database: Database) -> None:
    inner = "(SELECT RAND() AS r FROM extremes a, extremes b) q"
    rounded = "SELECT ROUND({r}), ROUND({r} * 100, -2) / 100, FLOOR(MOD({r} * 20, 2)) FROM "
    for query in (rounded.format(r="r") + inner, rounded.format(r="RAND()") + "extremes a, extremes b"):
        for values in zip(*answer(database, query), strict=True):
            assert set(values) == {0.0, 1.0}
            assert abs(np.mean(values) - 0.5) < 6 * 0.5 / math.sqrt(len(values))


def test_a_random_number_that_is_too_large_is_null(database: Database) -> None:
    query = "SELECT ivo_normal_random(1e308, 1e308) FROM extremes a, extremes b"
    found = {math.isfinite(value) if value is not None else None for (value,) in answer(database, query)}
    assert found == {True, None}
