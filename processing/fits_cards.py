"""What do the cards of a FITS header say, where some of them are not as the standard wants them?"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from processing.bounded_bytes import NotUnderstoodError

CARD_BYTES = 80
BLOCK_BYTES = 2880
END = b"END".ljust(CARD_BYTES)
_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|NEXTEND|INHERIT|CHECKSUM|DATASUM|END"
)
_ABOUT_STORED_VALUES = frozenset({"BSCALE", "BZERO", "BLANK", "BUNIT", "DATAMIN", "DATAMAX"})
_TABLE = re.compile(
    r"TFIELDS|THEAP|(TTYPE|TFORM|TUNIT|TSCAL|TZERO|TNULL|TDIM|TDISP)\d+"
    r"|ZIMAGE|ZTENSION|ZSIMPLE|ZEXTEND|ZBLOCKED|ZPCOUNT|ZGCOUNT|ZCMPTYPE|ZBITPIX|ZNAXIS\d*|ZTILE\d+"
    r"|ZNAME\d+|ZVAL\d+|ZQUANTIZ|ZDITHER0|ZMASKCMP|ZHECKSUM|ZDATASUM|ZBLANK|ZSCALE|ZZERO"
)


@dataclass(frozen=True)
class RawCard:
    """One card as it stands in the file, with the CONTINUE cards that belong to it.

    Attributes
    ----------
    keyword
        In capitals; ``HIERARCH`` keywords without that word; empty for a blank card.
    image
        A multiple of 80 bytes.
    """

    keyword: str
    image: bytes


def split(block: bytes) -> tuple[RawCard, ...]:
    """Split the bytes of a header, without END and what follows it, into cards."""
    cards: list[RawCard] = []
    for start in range(0, len(block), CARD_BYTES):
        image = block[start : start + CARD_BYTES]
        if image.startswith(b"CONTINUE") and cards:
            cards[-1] = RawCard(cards[-1].keyword, cards[-1].image + image)
        else:
            cards.append(RawCard(_keyword(image), image))
    return tuple(cards)


def _keyword(image: bytes) -> str:
    text = image.decode("latin-1")
    if text.startswith("HIERARCH ") and "=" in text:
        return text[9:].partition("=")[0].strip().upper()
    return text[:8].strip().upper()


def join(cards: Iterable[RawCard]) -> bytes:
    """The bytes of a header: the cards, END, and blanks up to a whole block."""
    header = b"".join(card.image for card in cards) + END
    return header + b" " * (-len(header) % BLOCK_BYTES)


def merge(primary: Iterable[RawCard], extension: Iterable[RawCard]) -> tuple[RawCard, ...]:
    """The cards that hold for an extension: its own, after those of the primary header it does not replace.

    Structural cards and checksums of both, and what the primary says of its own pixels, are left out.
    """
    own = [card for card in extension if not _STRUCTURE.fullmatch(card.keyword)]
    replaced = {card.keyword for card in own} - _COMMENTARY | _ABOUT_STORED_VALUES
    inherited = [c for c in primary if not _STRUCTURE.fullmatch(c.keyword) and c.keyword not in replaced]
    return (*inherited, *own)


def about_the_image(cards: Iterable[RawCard]) -> tuple[RawCard, ...]:
    """The cards of a tile-compressed image without those that describe the table it is packed in."""
    return tuple(card for card in cards if not _TABLE.fullmatch(card.keyword))


def about_the_table(cards: Iterable[RawCard]) -> tuple[RawCard, ...]:
    """The cards that one needs to unpack a tile-compressed image."""
    return tuple(
        card
        for card in cards
        if _TABLE.fullmatch(card.keyword)
        or card.keyword in _ABOUT_STORED_VALUES
        or (_STRUCTURE.fullmatch(card.keyword) and card.keyword not in ("CHECKSUM", "DATASUM", "INHERIT"))
    )


def parse(cards: Iterable[RawCard]) -> fits.Header:
    """Read cards as an astropy header that never complains.

    A value that cannot be read stays as the text it is (``6,4E-05``); a card without a usable keyword
    becomes a COMMENT.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header([_parsed(card) for card in cards])


def _parsed(card: RawCard) -> fits.Card:
    try:
        parsed = fits.Card.fromstring(card.image)
        return fits.Card(parsed.keyword, parsed.value, parsed.comment)
    except (VerifyError, ValueError):
        return _as_text(card)


def _as_text(card: RawCard) -> fits.Card:
    text = "".join(c if " " <= c <= "~" else "?" for c in card.image.decode("latin-1"))
    value = text[CARD_BYTES // 10 :].lstrip("= ").partition(" /")[0].strip(" '")
    if re.fullmatch(r"[A-Z0-9_-]{1,8}", card.keyword) and card.keyword not in _COMMENTARY:
        return fits.Card(card.keyword, value)
    return fits.Card("COMMENT", text.strip()[:72])


def integer(header: fits.Header, keyword: str, default: int | None = None) -> int:
    """A card that must hold a whole number that is not negative.

    Raises
    ------
    NotUnderstoodError
        When it holds something else, or is missing and has no default.
    """
    value = header.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotUnderstoodError(f"{keyword} = {value!r:.80}: expected a whole number, 0 or more")
    return value
