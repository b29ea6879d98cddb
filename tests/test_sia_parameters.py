"""Requests to SIA 2.0: what each parameter means, and what is refused with which words."""

import math

import pytest

from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.shapes import Circle, Polygon, Range
from vo_server.dali import Parameters
from vo_server.sia.parameters import SiaQuery, read


def asked(*given: tuple[str, str]) -> SiaQuery:
    return read(Parameters.of(given), Config(maxrec=50, maxrec_limit=1000))


def test_nothing_asked_is_everything_up_to_the_default_limit() -> None:
    query = asked()
    assert (query.regions, query.intervals, query.words, query.maxrec) == ((), {}, {}, 50)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("CIRCLE 34.75 57.13 0.5", Circle(34.75, 57.13, 0.5)),
        ("circle  34.75\t57.13 0.5 ", Circle(34.75, 57.13, 0.5)),
        ("RANGE 10 20 -5 5", Range(10, 20, -5, 5)),
        ("RANGE 350 10 -Inf +Inf", Range(350, 10, -90, 90)),
        ("RANGE -Inf +Inf 80 +Inf", Range(0, 360, 80, 90)),
        ("POLYGON 10 10 20 10 15 20", Polygon(((10, 10), (20, 10), (15, 20)))),
    ],
)
def test_pos_names_a_shape(text: str, shape: object) -> None:
    assert asked(("POS", text)).regions == (shape,)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("POS", "SQUARE 1 2 3", "expected CIRCLE, RANGE or POLYGON"),
        ("POS", "CIRCLE 1 2", "found 2 numbers"),
        ("POS", "CIRCLE 1 2 x", "'x' is not a number"),
        ("POS", "CIRCLE 1 2 nan", "'nan' is not a number"),
        ("POS", "CIRCLE 1 95 1", "declination"),
        ("POS", "CIRCLE 1 2 Inf", "infinite"),
        ("POS", "CIRCLE 1 2 -1", "radius"),
        ("POS", "POLYGON 1 2 3 4 5", "at least 3 vertices"),
        ("POS", "POLYGON 1 2 1 2 1 2", "vertices"),
        ("POS", "RANGE 1 2 5 -5", "declination"),
        ("BAND", "5e-7 4e-7", "ends before it begins"),
        ("BAND", "1 2 3", "found 3"),
        ("TIME", "2003-02-14", "is not a number"),
        ("TIME", "1_0", "is not a number"),
        ("EXPTIME", "+Inf", "ends before it begins"),
        ("POL", "Z", "expected one of I, Q"),
        ("DPTYPE", "spectrum", "expected one of image, cube"),
        ("CALIB", "5", "expected one of 0, 1"),
        ("CALIB", "two", "expected one of 0, 1"),
        ("MAXREC", "-1", "number of rows"),
        ("RESPONSEFORMAT", "papyrus", "no format"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_text(name: str, text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked((name, text))
    assert told in str(caught.value)
    assert text.strip()[:20] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("5e-7", (5e-7, 5e-7)),
        ("4e-7 5e-7", (4e-7, 5e-7)),
        ("-Inf 5e-7", (-math.inf, 5e-7)),
        ("4e-7 +Inf", (4e-7, math.inf)),
        ("-inf inf", (-math.inf, math.inf)),
    ],
)
def test_an_interval_is_a_number_or_two_and_may_be_open(text: str, interval: tuple[float, float]) -> None:
    assert asked(("BAND", text)).intervals == {"BAND": (interval,)}


def test_every_parameter_may_be_repeated_and_names_have_no_case() -> None:
    query = asked(
        ("pos", "CIRCLE 1 2 3"), ("POS", "CIRCLE 4 5 6"), ("Target", "M 13"), ("target", "NGC 869"), ("POL", "i"),
        ("CALIB", "1"), ("CALIB", "2"), ("DPTYPE", "Image"), ("time", "52684"), ("TIME", "52685 52686"),
    )  # fmt: skip
    assert len(query.regions) == 2
    assert query.words == {"TARGET": ("M 13", "NGC 869")}
    assert query.intervals["TIME"] == ((52684, 52684), (52685, 52686))
    assert (query.polarisations, query.calibration_levels, query.product_types) == (
        ("I",),
        (1, 2),
        ("image",),
    )


def test_empty_and_unknown_parameters_say_nothing() -> None:
    assert asked(("BAND", ""), ("POS", "  "), ("COLOUR", "blue")).intervals == {}


def test_maxrec_of_nothing_is_allowed_and_the_limit_holds() -> None:
    assert asked(("MAXREC", "0")).maxrec == 0
    assert asked(("MAXREC", "5000000")).maxrec == 1000


@pytest.mark.parametrize(
    ("name", "value"), [("POS", "CIRCLE 1 2 3"), ("BAND", "1"), ("ID", "x"), ("POL", "I")]
)
def test_a_parameter_is_repeated_fifty_times_at_the_most(name: str, value: str) -> None:
    asked(*[(name, value)] * 50)
    with pytest.raises(UsageError, match=f"{name} is given 51 times, expected 50 times at the most"):
        asked(*[(name, value)] * 51)
