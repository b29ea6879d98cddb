"""Are what is told of columns units and UCDs? A person is asked to mend them; a file is taken as far as it goes."""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TypeVar

from astropy import units

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.formats.reading import Reading
from vo_server.formats.reading.fits_columns import vounit

Made = TypeVar("Made")

Tell = Callable[[str], object]
"""Is told what a person should know, a sentence at a time."""

_UCD = re.compile(r"[A-Za-z0-9_.:;-]+")
"""The type ucdType of the schema of VOTable 1.4."""

_QUOTED = 60
_NAMED = 5


def told_unit(text: str | None, where: str) -> str | None:
    """A unit that a person tells, as VOUnits writes it, if it can.

    Parameters
    ----------
    text
        As VOUnits, FITS, the CDS or astropy write it.
    where
        Begins messages.

    Raises
    ------
    UsageError
        None of them knows it.
    """
    if text is None or _is_vounit(text):
        return text
    found = _quietly(vounit, text)
    if found is not None and not _is_vounit(found) and not _quietly(_is_known, text):
        raise UsageError(
            f"{where} has the unit '{text[:_QUOTED]}', expected one of VOUnits, such as mas.yr**-1"
        )
    return found


def told_ucd(text: str | None, where: str) -> str | None:
    """A UCD that a person tells.

    Raises
    ------
    UsageError
        It is none by its letters.
    """
    if text is None:
        return None
    found = _closed_up(text)
    if not _UCD.fullmatch(found):
        raise UsageError(f"{where} has the UCD '{text[:_QUOTED]}', expected one such as phot.mag;em.opt.V")
    return found


def understood(reading: Reading, tell: Tell) -> Reading:
    """A table without the UCDs that are none; units are kept as they are, if they can be written at all.

    Parameters
    ----------
    reading
        A file as it tells of itself.
    tell
        Is told which columns it concerns.
    """
    kept = tuple(map(_kept, reading.columns))
    pairs = list(zip(reading.columns, kept, strict=True))
    told = (
        ("UCDs that are none are left out", [(c.name, c.ucd) for c, k in pairs if c.ucd and not k.ucd]),
        (
            "units that cannot be printed are left out",
            [(c.name, c.unit) for c, k in pairs if c.unit and not k.unit],
        ),
        (
            "units that VOUnits does not know are kept as they are",
            [(c.name, c.unit) for c in kept if c.unit and not _is_vounit(c.unit)],
        ),
    )
    for what, found in told:
        if found:
            tell(f"{what}: {_named(found)}")
    return replace(reading, columns=kept)


def _kept(column: Column) -> Column:
    ucd, unit = _closed_up(column.ucd or ""), " ".join((column.unit or "").split())
    return replace(
        column, ucd=ucd if _UCD.fullmatch(ucd) else None, unit=unit if unit and unit.isprintable() else None
    )


def _closed_up(ucd: str) -> str:
    """A UCD without spaces about its semicolons."""
    return re.sub(r"\s*;\s*", ";", ucd.strip())


def _named(found: Iterable[tuple[str, str | None]]) -> str:
    texts = [f"{str(value)[:_QUOTED]!r} of {name[:_QUOTED]}" for name, value in found]
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more


@lru_cache(maxsize=1024)
def _is_vounit(text: str) -> bool:
    return _quietly(partial(_is_known, format="vounit"), text)


def _is_known(text: str, format: str = "generic") -> bool:
    try:
        units.Unit(text, format=format)
    except (ValueError, TypeError):
        return False
    return True


def _quietly(make: Callable[[str], Made], text: str) -> Made:
    """What is made of a text, without what astropy says of units that are going out of use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)
        return make(text)
