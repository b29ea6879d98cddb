"""How does a value change over the years? One number of each version of a class, in order of time."""

from typing import Any

import numpy as np
from astropy.table import Column, Table

from datamodel.datatypes import DATATYPES
from datamodel.errors import NotFoundError, UsageError, nearest
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.query import Query
from datamodel.series import series
from processing.asking import instant

KEYS: dict[str, Any] = {"instrument": Instrument, "chip": Chip, "filter": Filter}


def trend(
    cls: Any, name: str, *, since: Any = None, until: Any = None, every: bool = False, **keys: Any
) -> Table:
    """A value of all versions of a class.

    Parameters
    ----------
    cls
        A target class, or one of raw frames.
    name
        Of an attribute that is a number; dotted ones follow links: ``imstat.stdev``.
    since, until
        Instants (UTC) or nights; `until` is not included.
    every
        Whether versions that a person or the system found fault with are given as well.
    **keys
        Names of the ``instrument``, ``chip`` and ``filter``; those that are not given are not looked at.

    Returns
    -------
    astropy.table.Table
        In order of time: ``time`` (datetime64, UTC: of the night that a calibration was made for, else of the
        exposure), ``value`` (float64, with its unit), ``object_id``, ``is_valid`` and ``quality_flags``. Versions
        without the value are left out.

    Raises
    ------
    UsageError
        There is no such attribute or key, or it is no number.
    NotFoundError
        There is no instrument, chip or filter of that name.
    """
    steps = Query(cls).steps(name)
    attribute = steps.attributes[-1]
    if attribute.is_link or DATATYPES[attribute.scalar or ""].kind != "number":
        raise UsageError(f"{cls.__name__}.{name} is not a number: it has no trend")
    when = _time_of(cls)
    query = ~_equal(cls, name, None) & ~_equal(cls, when, None)
    for key, value in keys.items():
        if key not in KEYS or key not in cls.__attributes__:
            raise UsageError(f"a trend of {cls.__name__} has no key '{key}'{nearest(key, KEYS)}")
        query &= getattr(cls, key).name == _named(KEYS[key], value)
    if since is not None:
        query &= _path(cls, when) >= instant(since, "since")
    if until is not None:
        query &= _path(cls, when) < instant(until, "until")
    if not every:
        query &= (cls.is_valid > 0) & (cls.quality_flags == 0)
    rows = series(query, when, name, "object_id", "is_valid", "quality_flags")
    times, values, object_ids, judged, flagged = zip(*rows, strict=True) if rows else ((),) * 5
    return Table(
        [
            Column(np.array(times, "datetime64[us]"), "time"),
            Column(np.array(values, float), "value", unit=attribute.unit),
            Column(np.array(object_ids, "U36"), "object_id"),
            Column(np.array(judged, "i2"), "is_valid"),
            Column(np.array(flagged, "i4"), "quality_flags"),
        ],
        meta={"trend": f"{cls.__name__}.{name}"},
    )


def _time_of(cls: Any) -> str:
    """The attribute that says when what it was measured on was taken."""
    if getattr(cls, "of_exposure", False):
        return "raw.DATE_OBS"
    return next((n for n in ("DATE_OBS", "date_obs") if n in cls.__attributes__), "creation_date")


def _path(cls: Any, dotted: str) -> Any:
    path = cls
    for name in dotted.split("."):
        path = getattr(path, name)
    return path


def _equal(cls: Any, dotted: str, value: Any) -> Any:
    return _path(cls, dotted) == value


def _named(cls: Any, name: Any) -> str:
    name = getattr(name, "name", name)
    if not (cls.name == name).exists():
        known = [each.name for each in cls.select_all()]
        raise NotFoundError(f"there is no {cls.__name__.lower()} '{name}'{nearest(str(name), known)}")
    return str(name)
