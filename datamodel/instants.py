"""How do texts become times and angles in a database, one row at a time? What is none of these is NULL.

The UDF catalogue 1.2: ``ivo_to_mjd``, ``ivo_hms_to_degrees``, ``ivo_dms_to_degrees``. The regular expressions are
of a kind that reads a text once, and the same on all databases.
"""

import re
from datetime import date

from datamodel.functions import DOUBLE, Function

LONGEST = 100
"""Characters; a longer text is neither."""

_SECONDS = r"([0-9]{1,2}(?:\.[0-9]*)?)"
_TIME = r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,9})?))?)?Z?"
_DAY_ZERO = date(1858, 11, 17)


def _forms(sign: str, digits: str, unit: str) -> tuple[str, ...]:
    """``1:2:3``, ``1 2 3``, ``1h2m3s`` and ``010203``; the groups are sign, first, minutes and seconds."""
    first = rf"({sign})([0-9]{{1,{digits}}})"
    return (
        rf"{first}:([0-9]{{1,2}}):{_SECONDS}",
        rf"{first} +([0-9]{{1,2}}) +{_SECONDS}",
        rf"{first}{unit} *([0-9]{{1,2}})[mM] *{_SECONDS}[sS]",
        rf"({sign})([0-9]{{2,{digits}}})([0-9]{{2}})([0-9]{{2}}(?:\.[0-9]*)?)",
    )


_HOURS = _forms("", "2", "[hH]")
_DEGREES = _forms("[+-]?", "3", "[dD]")


def _angle(text: str, forms: tuple[str, ...], most: float, factor: float) -> float | None:
    trimmed = text.strip(" ") if len(text) <= LONGEST else ""
    found = next(filter(None, (re.fullmatch(form, trimmed) for form in forms)), None)
    if found is None:
        return None
    sign, *numbers = found.groups()
    first, minutes, seconds = map(float, numbers)
    value = first + minutes / 60.0 + seconds / 3600.0
    if minutes >= 60.0 or seconds >= 60.0 or value >= most:
        return None
    return value * factor * (-1.0 if sign == "-" else 1.0)


def hours(text: str) -> float | None:
    """Degrees of ``hh:mm:ss``, ``hhmmss`` or ``1h2m3s``, up to 24 hours."""
    return _angle(text, _HOURS, 24.0, 15.0)


def degrees(text: str) -> float | None:
    """Degrees of ``dd:mm:ss``, ``ddmmss`` or ``1d2m3s``, perhaps with a sign, up to 360."""
    return _angle(text, _DEGREES, 360.0, 1.0)


def mjd(text: str) -> float | None:
    """Modified Julian Date of a time as DALI writes it; of its own scale and place, whichever these are.

    Raises
    ------
    ValueError
        There is no such day.
    """
    found = re.fullmatch(_TIME, text.strip(" ")) if len(text) <= LONGEST else None
    if found is None:
        return None
    year, month, day, hour, minute, seconds = (float(part or 0) for part in found.groups())
    if hour >= 24.0 or minute >= 60.0 or seconds >= 60.0:
        return None
    days = (date(int(year), int(month), int(day)) - _DAY_ZERO).days
    return days + ((hour * 60.0 + minute) * 60.0 + seconds) / 86400.0


def _reading(forms: tuple[str, ...], most: float, factor: float) -> str:
    tried = ",\n  ".join(f"regexp_match(trim(written), '^{form}$')" for form in forms)
    return f"""
IF length(written) > {LONGEST} THEN RETURN NULL; END IF;
found := coalesce({tried});
IF found IS NULL THEN RETURN NULL; END IF;
minutes := found[3]::float8;
seconds := found[4]::float8;
value := found[2]::float8 + minutes / 60 + seconds / 3600;
IF minutes >= 60 OR seconds >= 60 OR value >= {most!r} THEN RETURN NULL; END IF;
RETURN value * {factor!r} * CASE found[1] WHEN '-' THEN -1 ELSE 1 END;
"""


_ANGLE = f"found text[]; value {DOUBLE}; minutes {DOUBLE}; seconds {DOUBLE};"

_MJD = f"""
IF length(written) > {LONGEST} THEN RETURN NULL; END IF;
found := regexp_match(trim(written), '^{_TIME}$');
IF found IS NULL OR found[1] = '0000' OR NOT found[2] BETWEEN '01' AND '12' OR found[3] = '00' THEN RETURN NULL; END IF;
day := make_date(found[1]::integer, found[2]::integer, 1) + found[3]::integer - 1;
seconds := coalesce(found[6], '0')::float8;
IF extract(month FROM day) <> found[2]::integer OR found[4] > '23' OR found[5] > '59' OR seconds >= 60 THEN
  RETURN NULL;
END IF;
seconds := (coalesce(found[4], '0')::float8 * 60 + coalesce(found[5], '0')::float8) * 60 + seconds;
RETURN (day - DATE '{_DAY_ZERO}') + seconds / 86400;
"""

FUNCTIONS = (
    Function("vo_hours", "written text", DOUBLE, _reading(_HOURS, 24.0, 15.0), _ANGLE, hours),
    Function("vo_degrees", "written text", DOUBLE, _reading(_DEGREES, 360.0, 1.0), _ANGLE, degrees),
    Function("vo_mjd", "written text", DOUBLE, _MJD, f"found text[]; day date; seconds {DOUBLE};", mjd),
    Function(
        "vo_mjd",
        "instant timestamp",
        DOUBLE,
        "SELECT CASE WHEN isfinite(instant) THEN 40587 + extract(epoch FROM instant)::float8 / 86400 END",
        language="sql",
    ),
)
"""Degrees of sexagesimal texts; Modified Julian Dates of texts and of times, which SQLite keeps as texts."""
