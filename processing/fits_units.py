"""Which header and data units does a FITS file consist of, checked against the bytes that are there?"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from astropy.io import fits

from processing import fits_cards
from processing.bounded_bytes import Content, FitsLimits, NotUnderstoodError
from processing.fits_cards import BLOCK_BYTES, CARD_BYTES, END, RawCard, integer

DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
"""The numpy dtype of stored values by BITPIX (FITS 4.0 table 8)."""

_MOST_AXES = 999


@dataclass(frozen=True)
class Unit:
    """One header and data unit: its cards, and where its data lie in the uncompressed bytes."""

    index: int
    cards: tuple[RawCard, ...]
    header: fits.Header
    data_at: int
    data_bytes: int

    @property
    def is_tile_compressed(self) -> bool:
        """Whether it is a table with a packed image."""
        return self.header.get("ZIMAGE") is True

    @property
    def is_image(self) -> bool:
        """Whether it may hold pixels."""
        return (
            self.index == 0 or self.is_tile_compressed or self.header.get("XTENSION") in ("IMAGE", "IUEIMAGE")
        )

    @property
    def axes(self) -> tuple[int, ...]:
        """Of the image, in FITS order; empty where there are no pixels."""
        z = "Z" if self.is_tile_compressed else ""
        axes = _axes(self.header, z)
        return axes if self.data_bytes and 0 not in axes else ()


def units(content: Content, limits: FitsLimits) -> Iterator[Unit]:
    """Walk through the units of a file; each one is checked before the next is looked for.

    Raises
    ------
    NotUnderstoodError
        When it is not FITS, is cut off, declares more than the limits, or goes on after its last unit.
    """
    at = spent = index = 0
    while index == 0 or content.read_at(at, 9).startswith(b"XTENSION="):
        if index == limits.max_hdus:
            raise NotUnderstoodError(f"has more than {limits.max_hdus} HDUs: it is refused")
        block = _header_block(content, at, index, limits.max_header_bytes - spent)
        spent += len(block)
        cards = fits_cards.split(block)
        header = fits_cards.parse(cards)
        data_at = at + len(block) + CARD_BYTES
        data_at += -(data_at - at) % BLOCK_BYTES
        size = _data_bytes(header, index, limits)
        there = content.available(data_at + size) - data_at
        if there < size:
            raise NotUnderstoodError(
                f"is truncated: HDU {index} declares {size} bytes of data, {max(there, 0)} are there"
            )
        yield Unit(index, cards, header, data_at, size)
        at, index = data_at + size + -size % BLOCK_BYTES, index + 1
    tail = content.available(at + limits.max_tail_bytes + 1) - at
    if tail > limits.max_tail_bytes:
        raise NotUnderstoodError(
            f"has more than {limits.max_tail_bytes} bytes after its last HDU: it is refused"
        )


def _header_block(content: Content, at: int, index: int, allowance: int) -> bytes:
    """The cards of the header that begins at a place, without END.

    The first bytes decide whether it is FITS at all (FITS 4.0 section 4.4.1).
    """
    first = content.read_at(at, 30)
    if index == 0 and not (first.startswith(b"SIMPLE  =") and first[10:].strip() == b"T"):
        raise NotUnderstoodError(f"is not FITS: it begins with {first[:16]!r}, expected 'SIMPLE  = T'")
    parts: list[bytes] = []
    while len(parts) * BLOCK_BYTES < allowance:
        block = content.read_at(at + len(parts) * BLOCK_BYTES, BLOCK_BYTES)
        for start in range(0, len(block), CARD_BYTES):
            if block[start : start + CARD_BYTES] == END:
                return b"".join(parts) + block[:start]
        if len(block) < BLOCK_BYTES:
            raise NotUnderstoodError(f"is truncated: the header of HDU {index} has no END card")
        parts.append(block)
    raise NotUnderstoodError(
        f"the header of HDU {index} has no END card within the {allowance} bytes allowed"
    )


def _axes(header: fits.Header, prefix: str = "") -> tuple[int, ...]:
    """The lengths NAXIS1, NAXIS2, ... (or ZNAXIS1, ...)."""
    count = integer(header, f"{prefix}NAXIS")
    if count > _MOST_AXES:
        raise NotUnderstoodError(f"{prefix}NAXIS = {count}: expected at most {_MOST_AXES}")
    return tuple(integer(header, f"{prefix}NAXIS{n}") for n in range(1, count + 1))


def _data_bytes(header: fits.Header, index: int, limits: FitsLimits) -> int:
    """The size of a data unit without its padding (FITS 4.0 eq. 1 and 2), refused above the limit."""
    bitpix = header.get("BITPIX")
    if bitpix not in DTYPES or isinstance(bitpix, bool):
        raise NotUnderstoodError(f"BITPIX = {bitpix!r:.40} in HDU {index}: expected one of {sorted(DTYPES)}")
    axes = _axes(header)
    if not axes or 0 in axes:
        return 0
    groups, extra = integer(header, "GCOUNT", 1), integer(header, "PCOUNT", 0)
    size: int = abs(bitpix) // 8 * groups * (extra + math.prod(axes))
    is_table = str(header.get("XTENSION", "")).strip() in ("BINTABLE", "TABLE")
    if size > limits.max_bytes or (math.prod(axes) > limits.max_pixels and not is_table):
        shape = " x ".join(map(str, axes[:6]))
        raise NotUnderstoodError(
            f"HDU {index} declares {shape} values, {size} bytes: expected at most {limits.max_pixels} pixels "
            f"and {limits.max_bytes} bytes"
        )
    return size


def flat(axes: tuple[int, ...]) -> tuple[int, int] | None:
    """``(ny, nx)`` of an image that has two axes once those of length 1 are left out, else None."""
    if len(axes) > 1 and all(n == 1 for n in axes[2:]):
        return axes[1], axes[0]
    long = [n for n in axes if n > 1]
    return (long[1], long[0]) if len(long) == 2 else None
