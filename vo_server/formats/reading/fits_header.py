"""Which extensions has a FITS file, where are they, and what do their headers say?"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from datamodel.errors import UsageError
from vo_server.formats.reading.limits import Limits

_BLOCK = 2880
_CARD = 80
_END = b"END" + b" " * 77
_AXES = 999


@dataclass(frozen=True)
class Extension:
    """One header and data unit.

    Attributes
    ----------
    header
        Its cards.
    data
        Where its data begin in the file.
    size
        Bytes of its data by the header, without padding.
    """

    header: "Cards"
    data: int
    size: int


class Cards:
    """The cards of a header, of which a broken one is an error only where it is asked for."""

    def __init__(self, block: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            self._header = fits.Header.fromstring(block)

    def text(self, name: str) -> str:
        """A text, or empty."""
        value = self._value(name)
        return "" if value is None or isinstance(value, fits.card.Undefined) else str(value).strip()

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number that is not negative.

        Raises
        ------
        UsageError
            It is missing and has no default, or is something else.
        """
        value = self._value(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise UsageError(
                f"expected a whole number as {name} in the FITS header, found {str(value)[:60]!r}"
            )
        return value

    def number(self, name: str) -> int | float | None:
        """A number, or None where there is none."""
        value = self._value(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"expected a number as {name} in the FITS header, found {str(value)[:60]!r}")
        return value

    def is_true(self, name: str) -> bool:
        """Whether it is T."""
        return self._value(name) is True

    def _value(self, name: str) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)
                return self._header.get(name)
        except (fits.VerifyError, ValueError):
            raise UsageError(f"the card {name} of the FITS header cannot be read") from None


def extensions(file: BinaryIO, limits: Limits) -> Iterator[Extension]:
    """All header and data units, the primary one first.

    Parameters
    ----------
    file
        Can be read anywhere, and begins with the primary header.
    limits
        How long a header may be.

    Raises
    ------
    UsageError
        A header has no end or cannot be read; data that break off are an error of those who read them.
    """
    place, end = 0, file.seek(0, 2)
    while place < end:
        block, data = _header_block(file, place, limits)
        if not place and not block.startswith(b"SIMPLE  ="):
            raise UsageError("the file is no FITS file: it does not begin with SIMPLE")
        if place and not block.startswith(b"XTENSION"):
            return
        cards = Cards(block)
        size = _data_size(cards)
        yield Extension(cards, data, size)
        place = data + -(-size // _BLOCK) * _BLOCK


def _header_block(file: BinaryIO, place: int, limits: Limits) -> tuple[bytes, int]:
    """The cards up to END, and where the data begin."""
    file.seek(place)
    block = b""
    while piece := file.read(_BLOCK):
        block += piece
        cards = range(len(block) - len(piece), len(block), _CARD)
        found = next((at for at in cards if block[at : at + _CARD] == _END), None)
        if found is not None:
            if len(piece) < _BLOCK:
                break
            return _ascii(block[: found + _CARD]), place + len(block)
        if len(block) > limits.header_bytes:
            raise UsageError(f"a FITS header is longer than the {limits.header_bytes} bytes that are allowed")
    raise UsageError("the FITS file breaks off within a header")


def _ascii(block: bytes) -> bytes:
    if any(byte > 126 or byte < 32 for byte in set(block)):
        raise UsageError("the FITS header has other characters than those of ASCII")
    return block


def _data_size(cards: Cards) -> int:
    axes = cards.whole("NAXIS")
    if axes > _AXES:
        raise UsageError(f"the FITS header says NAXIS = {axes}; at most {_AXES} are possible")
    bits = cards.number("BITPIX")
    if bits not in (8, 16, 32, 64, -32, -64):
        raise UsageError(f"expected 8, 16, 32, 64, -32 or -64 as BITPIX in the FITS header, found {bits}")
    values = 1 if axes else 0
    for axis in range(1, axes + 1):
        values *= cards.whole(f"NAXIS{axis}")
        if values > 1 << 62:
            raise UsageError("the FITS header tells of more data than any file can hold")
    size = abs(int(bits)) // 8 * cards.whole("GCOUNT", 1) * (cards.whole("PCOUNT", 0) + values)
    if size > 1 << 62:
        raise UsageError("the FITS header tells of more data than any file can hold")
    return size
