"""Which user defined functions does every archive offer? All of the IVOA's catalogue (Endorsed Note 1.2).

Where its examples disagree with its text, the text counts: so a missing component of a proper motion is 0 in
``ivo_epoch_prop``, too.
"""

import math
from datetime import datetime
from typing import Any

from datamodel import sql
from datamodel.group_functions import MAX_BINS, MAX_TEXT_BYTES
from datamodel.own_functions import COMPUTED
from datamodel.rotations import UCDS
from datamodel.speech import Speech
from datamodel.sql import Sql, call
from vo_server.tap.adql.arities import ARITIES
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.udf import Udf, Udfs
from vo_server.tap.adql.udf_sky import named, pixel, transformed
from vo_server.tap.adql.values import Value

_STAR = "ra REAL, dec REAL, parallax REAL, pmra REAL, pmdec REAL, radial_velocity REAL, ref_epoch REAL, out_epoch REAL"
_MOTION = (
    "uniform motion along a straight line, treated rigorously. Degrees, mas, mas/yr (pmra with cos(dec) in it), km/s "
    "and Julian years. A parallax that is NULL is infinitely far, motions that are NULL are 0"
)


def _truth(condition: Sql, *arguments: Sql) -> Sql:
    """1 or 0; NULL if any argument is, even where the others decide."""
    known = sql.all_of(*(a.is_not_null() for a in arguments))
    return sql.case((condition, sql.number(1)), (known, sql.number(0)))


def _overlap(_speech: Speech, a1: Sql, b1: Sql, a2: Sql, b2: Sql) -> Sql:
    return _truth(sql.all_of(a1 <= b1, a2 <= b2, a1 <= b2, a2 <= b1), a1, b1, a2, b2)


def _listed(speech: Speech, hashlist: Sql, item: Sql) -> Sql:
    sign = sql.text("#")
    within = speech.place_in(_between(sign, speech.lowered(hashlist)), _between(sign, speech.lowered(item)))
    return _truth(sql.all_of(speech.place_in(item, sign).equals(0), within > 0), hashlist, item)


def _between(sign: Sql, text: Sql) -> Sql:
    return sql.joined_texts([sign, text, sign])


def _matches(speech: Speech, value: Sql, pattern: Sql) -> Sql:
    return _truth(speech.matches(value, pattern, any_case=True), value, pattern)


def _joined(speech: Speech, expression: Sql, delimiter: Sql) -> Sql:
    """The size is an aggregate too, which ends the query at the row where there are too many bytes."""
    size = call("vo_text_size", expression, delimiter)
    return sql.case((size >= 0, speech.joined_rows(expression, delimiter)))


def _histogram(_speech: Speech, value: Sql, lower: Sql, upper: Sql, bins: Sql) -> Sql:
    zeros = " ".join(["0"] * (int(bins.text) + 2))
    return call("coalesce", call("vo_histogram", value, lower, upper, bins), sql.text(zeros))


def _check_histogram(values: list[Value]) -> None:
    _, lower, upper, bins = values
    if bins.number is None or not 1 <= bins.number <= MAX_BINS:
        raise AdqlError(bins.at, f"expected a number of bins from 1 to {MAX_BINS}, found {bins.constant[0]}")
    if lower.number is None or upper.number is None or not lower.number < upper.number:
        found = f"{lower.constant[0]} and {upper.constant[0]}"
        raise AdqlError(lower.at, f"expected a lower limit below the upper one, found {found}")


def _random(speech: Speech, mu: Sql, sigma: Sql) -> Sql:
    """The method of Box and Muller 1958."""
    radius = call("sqrt", -2.0 * call("ln", 1.0 - Sql(speech.random)))
    deviation = radius * call("cos", sql.real(2.0 * math.pi) * Sql(speech.random))
    return speech.checked(speech.computed("+", mu, speech.computed("*", sigma, deviation)), "DOUBLE")


def _check_star(values: list[Value]) -> None:
    for index, name in ((0, "ra"), (1, "dec"), (6, "ref_epoch"), (7, "out_epoch")):
        if values[index].constant == (None,):
            raise AdqlError(values[index].at, f"expected a number for {name}, found NULL")


def _moved(_speech: Speech, *star: Sql) -> tuple[Sql, Sql]:
    return call("vo_moved", 1, *star), call("vo_moved", 2, *star)


def _moved_value(*star: float | None) -> tuple[Any, Any]:
    return COMPUTED["vo_moved"](1, *star), COMPUTED["vo_moved"](2, *star)


def _centre(_speech: Speech, order: Sql, index: Sql) -> tuple[Sql, Sql]:
    return call("vo_middle", 1, order, index), call("vo_middle", 2, order, index)


def _centre_value(order: int | None, index: int | None) -> tuple[Any, Any]:
    return COMPUTED["vo_middle"](1, order, index), COMPUTED["vo_middle"](2, order, index)


def _days(zero: float) -> dict[str, Any]:
    """SQL and value of the days since a zero that lies so many before that of the Modified Julian Date."""

    def value(instant: datetime | None) -> float | None:
        found = None if instant is None else COMPUTED["vo_mjd"](instant.isoformat())
        return None if found is None else found + zero

    return {"sql": lambda _speech, instant: call("vo_mjd", instant) + sql.number(zero), "value": value}


def _calls(name: str) -> dict[str, Any]:
    """SQL and value of a function of ours."""
    return {"sql": lambda _speech, *arguments: call(name, *arguments), "value": COMPUTED[name]}


_NAIVE = (
    "of a time, or of a text such as '2003-02-14T01:02:03'; its scale, zone and place stay what they are."
)

IVOA = (
    Udf(
        "ivo_healpix_index(hpxOrder INTEGER, long REAL, lat REAL) -> BIGINT",
        "The NESTED HEALPix pixel, at an order from 0 to 29, of a position in degrees. Of the position columns of a "
        "table it is read from their index.",
        meaning=pixel,
    ),
    Udf(
        "ivo_healpix_index(hpxOrder INTEGER, point POINT) -> BIGINT",
        "The NESTED HEALPix pixel, at an order from 0 to 29, of a point.",
        meaning=pixel,
    ),
    Udf(
        "ivo_healpix_center(hpxOrder INTEGER, hpxIndex INTEGER) -> POINT",
        "The middle of a NESTED HEALPix pixel at an order from 0 to 29; NULL where there is no such pixel.",
        _centre,
        value=_centre_value,
    ),
    Udf(
        f"ivo_epoch_prop_pos({_STAR}) -> POINT",
        f"Where an object is at out_epoch: {_MOTION}.",
        _moved,
        value=_moved_value,
        check=_check_star,
    ),
    Udf(
        f"ivo_epoch_prop({_STAR}) -> REAL[6]",
        f"Longitude, latitude, parallax, proper motions and radial velocity at out_epoch: {_MOTION}, and what was NULL "
        "is NaN, with both motions if one was. Without a parallax the radial velocity stays as it is.",
        **_calls("vo_moved_star"),
        check=_check_star,
    ),
    Udf(
        "ivo_geom_transform(from_sys TEXT, to_sys TEXT, geo GEOMETRY) -> GEOMETRY",
        f"A POINT, CIRCLE or POLYGON in another frame, by a plain rotation. Frames, as strings: {', '.join(UCDS)}; "
        "FK5 and ECLIPTIC are those of J2000.0, FK4 is that of B1950.0.",
        meaning=transformed,
    ),
    Udf(
        "ivo_to_jd(d TIMESTAMP) -> REAL",
        f"The Julian Date {_NAIVE}",
        **_days(2400000.5),
        unit="d",
        ucd="time.epoch",
    ),
    Udf(
        "ivo_to_mjd(d TIMESTAMP) -> REAL",
        f"The Modified Julian Date {_NAIVE}",
        **_days(0.0),
        unit="d",
        ucd="time.epoch",
    ),
    Udf(
        "ivo_string_agg(expression TEXT, delimiter TEXT) -> TEXT",
        "All texts of a group with the delimiter between them, without those that are NULL. An error where they have "
        f"more than {MAX_TEXT_BYTES} bytes.",
        _joined,
        aggregate=True,
    ),
    Udf(
        "ivo_nocasematch(value TEXT, pattern TEXT) -> INTEGER",
        "1 if the value matches the pattern, which is one of LIKE, without regard to case; else 0.",
        _matches,
    ),
    Udf(
        "ivo_hasword(haystack TEXT, needle TEXT) -> INTEGER",
        "1 if all words of needle are among those of haystack, without regard to case and to the English plural; "
        "else 0.",
        **_calls("vo_has_words"),
    ),
    Udf(
        "ivo_hashlist_has(hashlist TEXT, item TEXT) -> INTEGER",
        "1 if item, which has no hash sign, is in a list of words with hash signs between them, without regard to "
        "case; else 0.",
        _listed,
    ),
    Udf(
        "ivo_histogram(val REAL, lower REAL, upper REAL, nbins INTEGER) -> INTEGER[]",
        "How many values of a group are below lower or NULL, in each of nbins bins of equal width, and above upper, "
        f"which itself is in the last bin. The limits and nbins, at most {MAX_BINS}, are constant.",
        _histogram,
        ucd="meta.number",
        aggregate=True,
        literals=("lower", "upper", "nbins"),
        check=_check_histogram,
    ),
    Udf(
        "ivo_normal_random(mu REAL, sigma REAL) -> REAL",
        "A random number from the normal distribution with this mean and width, another one for each row.",
        _random,
    ),
    Udf(
        "ivo_interval_overlaps(a1 NUMERIC, b1 NUMERIC, a2 NUMERIC, b2 NUMERIC) -> INTEGER",
        "1 if the intervals from a1 to b1 and from a2 to b2, ends included, have a number in common; else 0.",
        _overlap,
    ),
    Udf(
        "ivo_simbadpoint(identifier TEXT) -> POINT",
        "The position (ICRS) of an object by its name, which is a string, such as 'M 31': from OpenNGC, from the names "
        "in this archive and, where the site has one configured, from a name service. An error for other names.",
        meaning=named,
    ),
    Udf(
        "ivo_hms_to_degrees(hms TEXT) -> REAL",
        "Degrees of hours, minutes and seconds, written 3:34:45.4, 033445.4, 3h34m45.4s or 3 34 45.4; NULL of all "
        "else.",
        **_calls("vo_hours"),
        unit="deg",
    ),
    Udf(
        "ivo_dms_to_degrees(dms TEXT) -> REAL",
        "Degrees of degrees, minutes and seconds, perhaps with a sign, written -0:15:00, -001500, -0d15m0s or "
        "-0 15 00; NULL of all else.",
        **_calls("vo_degrees"),
        unit="deg",
    ),
)

OFFERED = Udfs(IVOA, ARITIES)
"""These alone, with no names of objects known."""
