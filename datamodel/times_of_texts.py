"""Which instant is a text, as DALI 1.1 section 3.3.3 writes it? What is none is NULL."""

import re
from datetime import datetime

from datamodel.functions import Function

_FORM = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?Z?)?"
)
_BLANK = r"[ \t\n\r\f\v]*"
_FRACTION = r"(\.[0-9]{6})[0-9]*"


def parsed(text: str) -> datetime | None:
    """The instant in UTC, without its time zone; digits after the microseconds are dropped.

    Raises
    ------
    ValueError
        There is no such day.
    """
    if not re.fullmatch(_BLANK + _FORM + _BLANK, text):
        return None
    return datetime.fromisoformat(re.sub(_FRACTION, r"\1", text.strip()).removesuffix("Z"))


def _kept(text: str) -> str | None:
    """As SQLite keeps times."""
    found = parsed(text)
    return None if found is None else found.isoformat(timespec="microseconds")


_BODY = f"""
IF written !~ '^{_BLANK}{_FORM}{_BLANK}$' THEN RETURN NULL; END IF;
RETURN regexp_replace(rtrim(written, E'Z \\t\\n\\r\\f\\v'), '{_FRACTION}', '\\1')::timestamp;
EXCEPTION WHEN data_exception THEN RETURN NULL;
"""

FUNCTIONS = (Function("vo_time", "written text", "timestamp", _BODY, python=_kept),)
"""The instant of a text."""
