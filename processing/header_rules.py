"""Which cards of a header tell what a frame is, and where do its facts stand?"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from datamodel.errors import UsageError

FRAME_CLASSES = (
    "RawBiasFrame",
    "RawDarkFrame",
    "RawDomeFlatFrame",
    "RawTwilightFlatFrame",
    "RawScienceFrame",
)
"""What a raw frame can be."""

CardValue = str | int | float | bool


def card_value(header: Mapping[str, Any], card: str) -> CardValue | None:
    """The value of a card; None where it is absent, undefined, blank text or not a finite number."""
    value = header.get(card)
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class Condition:
    """What one card must hold: one of some values, or a number in ``[at_least, below)``.

    Attributes
    ----------
    any_of
        Texts may have the wildcards ``*`` and ``?`` and are compared without regard to case.
    """

    card: str
    any_of: tuple[CardValue, ...] = ()
    at_least: float = -math.inf
    below: float = math.inf

    def holds(self, value: CardValue | None) -> bool:
        """Whether a card's value is as wanted; an absent card never is."""
        if value is None:
            return False
        if self.any_of:
            return any(_equal(value, wanted) for wanted in self.any_of)
        return isinstance(value, int | float) and self.at_least <= value < self.below

    def __str__(self) -> str:
        if self.any_of:
            return f"{self.card} = {' or '.join(map(repr, self.any_of))}"
        return f"{self.at_least} <= {self.card} < {self.below}"


def _equal(value: CardValue, wanted: CardValue) -> bool:
    if isinstance(wanted, str):
        return fnmatchcase(str(value).casefold(), wanted.casefold())
    return type(value) is not str and value == wanted


@dataclass(frozen=True)
class FrameTypeRule:
    """A frame is of this class when all conditions hold and its file's name fits."""

    frame_class: str
    conditions: tuple[Condition, ...] = ()
    filename: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a fact stands: the first of some cards that is there, a part of the file's name, or a constant.

    Attributes
    ----------
    filename
        A regular expression with one group, searched in the file's name.
    time_cards
        For a date without a time: cards that hold the time of day.
    format
        ``iso`` or ``mjd``; of dates only.
    utc_offset_h
        Hours that the clock of the card is ahead of UTC.
    """

    cards: tuple[str, ...] = ()
    constant: str | None = None
    filename: str | None = None
    time_cards: tuple[str, ...] = ()
    format: str = "iso"
    utc_offset_h: float = 0.0

    def __post_init__(self) -> None:
        require(self.format in ("iso", "mjd"), "format", self.format, "'iso' or 'mjd'")
        require(
            bool(self.cards or self.constant or self.filename), "a source", "", "cards, constant or filename"
        )
        groups = re.compile(self.filename).groups if self.filename else 1
        require(groups == 1, "filename", self.filename, "a regular expression with one group")

    def __str__(self) -> str:
        return " or ".join(self.cards) or f"the file's name ({self.filename})"


@dataclass(frozen=True)
class FactSources:
    """Where each fact of a raw frame stands; None where the headers do not tell."""

    date_obs: Source
    exptime_s: Source
    chip: Source
    filter: Source | None = None
    object: Source | None = None
    airmass: Source | None = None
    observer: Source | None = None
    ra_deg: Source | None = None
    dec_deg: Source | None = None
    obs_id: Source | None = None


@dataclass(frozen=True)
class WcsRule:
    """Whether science headers tell where the pixels are on the sky, and how to mend what they say.

    Attributes
    ----------
    ctype_repairs
        Pairs of a CTYPE value and what it should have been.
    repair_where
        Repair only where this card is present; None for always.
    drop
        Names of cards to leave out, with wildcards.
    """

    in_headers: bool
    ctype_repairs: Mapping[str, str] = field(default_factory=dict)
    repair_where: str | None = None
    drop: tuple[str, ...] = ()


def require(is_so: bool, key: str, given: object, expected: str) -> None:
    """Refuse what an instrument file gives for a key.

    Raises
    ------
    UsageError
        Says what was given and what was expected.
    """
    if not is_so:
        raise UsageError(f"{key} is {given!r}: expected {expected}")
