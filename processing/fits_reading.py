"""Which images does a file that somebody brought hold, read safely whatever the file is?

Nothing in the file is believed before it is checked against the bytes that are there: declared sizes, gzip
streams, packed tiles, cards. Time and memory are bounded by `FitsLimits`.
"""

import math
import shutil
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from processing import fits_cards, tile_compression
from processing.bounded_bytes import (
    Content,
    FitsLimits,
    Inflating,
    NotUnderstoodError,
    content_of,
    open_regular,
    sha256_of,
)
from processing.fits_cards import BLOCK_BYTES, RawCard
from processing.fits_units import DTYPES, Unit, flat, units

__all__ = ["FitsLimits", "NotUnderstoodError", "RawFile", "RawImage", "open_raw", "read_image"]

_OTHER_SIGN: dict[tuple[str, float, float], str] = {
    ("u1", 1, -128): "i1",
    ("i2", 1, 1 << 15): "u2",
    ("i4", 1, 1 << 31): "u4",
    ("i8", 1, 1 << 63): "u8",
}
"""Stored type, BSCALE and BZERO, and the integer type that they stand for (FITS 4.0 table 11)."""

_STORED_FORM = ("BSCALE", "BZERO", "BLANK")
_TABLE_OPENING = ("XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS")
_DEFAULT_LIMITS = FitsLimits()


@dataclass(frozen=True)
class RawImage:
    """One two-dimensional image of a file.

    Attributes
    ----------
    hdu_index
        Its unit in the file; the primary one is 0.
    header
        The cards that hold for the image: its own and, where it has none of that name, the primary's. Never
        raises on a card that is not as the standard wants it.
    shape
        ``(ny, nx)``, axes of length 1 left out.
    suffix
        How the name of a file with this image alone ends: ``.fits``, ``.fits.gz`` or ``.fits.fz``.
    """

    hdu_index: int
    header: fits.Header
    shape: tuple[int, int]
    suffix: str
    _unit: Unit = field(repr=False)
    _content: Content = field(repr=False)
    _limits: FitsLimits = field(repr=False)

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The physical pixel values, read anew each time: shape ``(ny, nx)``, native byte order.

        Integers stay integers, also where BZERO makes them unsigned; other scaling gives float32 for up to
        16 bits and float64 above; a BLANK pixel is NaN.

        Raises
        ------
        NotUnderstoodError
            When packed tiles cannot be decoded.
        """
        unit = self._unit
        stored = self._content.read_at(unit.data_at, unit.data_bytes)
        if unit.is_tile_compressed:
            tile = tile_compression.tile_shape(unit.header, unit.axes)
            pixels = tile_compression.unpack(unit.cards, tile, stored, self._limits)
        else:
            pixels = _physical(np.frombuffer(stored, DTYPES[unit.header["BITPIX"]]), unit.header)
        return np.ascontiguousarray(pixels.reshape(self.shape), pixels.dtype.newbyteorder("="))


class RawFile:
    """An open file and the images in it; a context manager.

    Attributes
    ----------
    sha256, size_bytes
        Of the file as it lies on disk.
    header
        What the file as a whole says of itself: the primary header, completed by the image's own cards where
        there is only one.
    images
        At least one, in the order of the file.
    """

    def __init__(
        self, path: Path, file: BufferedReader, limits: FitsLimits, with_digest: bool = True
    ) -> None:
        self.path = path
        self._file = file
        self.sha256 = sha256_of(file) if with_digest else ""
        self.size_bytes = file.seek(0, 2)
        self._content = content_of(file, limits)
        self._limits = limits
        try:
            self._units = list(units(self._content, limits))
            self.images = self._find_images()
        except NotUnderstoodError:
            self._content.close()
            raise
        only = self.images[0] if len(self.images) == 1 else None
        self.header = only.header if only else self._units[0].header

    def __enter__(self) -> "RawFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and drop what was inflated."""
        self._content.close()
        self._file.close()

    def extract(self, hdu_index: int, target: Path) -> None:
        """Write one image to a file of its own.

        The only image of a file is written as the file was brought, byte for byte, compressed or not. Of
        several images, one gets the primary header's cards, its own cards, and its stored bytes as they are.

        Raises
        ------
        UsageError
            When the unit is not one of `images`.
        FileExistsError
            When the target exists.
        """
        image = next((i for i in self.images if i.hdu_index == hdu_index), None)
        if image is None:
            known = ", ".join(str(i.hdu_index) for i in self.images)
            raise NotUnderstoodError(
                f"HDU {hdu_index} is not an image of '{self.path.name}': expected {known}"
            )
        with target.open("xb") as out:
            if len(self.images) == 1:
                self._file.seek(0)
                shutil.copyfileobj(self._file, out, 1 << 20)
            else:
                self._write_alone(image, out)

    def _write_alone(self, image: RawImage, out: BinaryIO) -> None:
        unit = image._unit
        if unit.is_tile_compressed:
            out.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        opening = _opening(unit)
        rest = [card for card in self._merged(unit) if card.keyword != "TFIELDS"]
        out.write(fits_cards.join((*opening, *rest)))
        written = 0
        while written < unit.data_bytes:
            part = self._content.read_at(unit.data_at + written, min(1 << 20, unit.data_bytes - written))
            written += out.write(part)
        out.write(b"\0" * (-unit.data_bytes % BLOCK_BYTES))

    def _merged(self, unit: Unit) -> tuple[RawCard, ...]:
        return fits_cards.merge(self._units[0].cards if unit.index else (), unit.cards)

    def _find_images(self) -> tuple[RawImage, ...]:
        pixels = [u for u in self._units if u.is_image and u.axes]
        found = [(unit, shape) for unit in pixels if (shape := flat(unit.axes))]
        if not found:
            seen = ", ".join(" x ".join(map(str, u.axes)) for u in pixels[:5]) or "none with pixels"
            raise NotUnderstoodError(f"holds no image of two axes longer than 1: found {seen}")
        return tuple(self._image(unit, shape, len(found) == 1) for unit, shape in found)

    def _image(self, unit: Unit, shape: tuple[int, int], alone: bool) -> RawImage:
        _check_image(unit, self._content, self._limits)
        cards = self._merged(unit)
        if unit.is_tile_compressed:
            cards = fits_cards.about_the_image(cards)
        suffix = ".fits.fz" if unit.is_tile_compressed else ".fits"
        if alone and isinstance(self._content, Inflating):
            suffix += ".gz"
        header = fits_cards.parse(c for c in cards if c.keyword not in _STORED_FORM)
        return RawImage(unit.index, header, shape, suffix, unit, self._content, self._limits)


def open_raw(path: Path, limits: FitsLimits = _DEFAULT_LIMITS) -> RawFile:
    """Open a FITS file that somebody brought: plain, compressed with gzip, or packed in tiles.

    Parameters
    ----------
    path
        A regular file.
    limits
        What reading it may cost.

    Returns
    -------
    RawFile
        Open; close it or use it in a ``with`` statement.

    Raises
    ------
    NotUnderstoodError
        With the reason, for anything that is not a whole FITS file with an image, or exceeds the limits.
    """
    return _open(path, limits, with_digest=True)


def read_image(
    path: Path, limits: FitsLimits = _DEFAULT_LIMITS, dtype: Any = np.float32
) -> tuple[np.ndarray[Any, Any], fits.Header]:
    """Read the one image of a stored file.

    Parameters
    ----------
    path
        Plain, gzip or tile-compressed FITS with one image.
    limits
        What reading it may cost.
    dtype
        Of the result; None leaves the type of `RawImage.data`.

    Returns
    -------
    pixels : numpy.ndarray
        Physical values, shape ``(ny, nx)``, native byte order, ours to change.
    header : astropy.io.fits.Header
        Without the cards that describe how the pixels are stored.

    Raises
    ------
    NotUnderstoodError
        When the file is not that.
    """
    with _open(path, limits, with_digest=False) as raw:
        if len(raw.images) != 1:
            raise NotUnderstoodError(f"'{path.name}' holds {len(raw.images)} images: expected one")
        image = raw.images[0]
        return image.data.astype(dtype) if dtype else image.data.copy(), image.header


def _open(path: Path, limits: FitsLimits, with_digest: bool) -> RawFile:
    file = open_regular(path, limits)
    try:
        return RawFile(path, file, limits, with_digest)
    except NotUnderstoodError as error:
        file.close()
        raise NotUnderstoodError(f"'{path.name}': {error}") from error


def _check_image(unit: Unit, content: Content, limits: FitsLimits) -> None:
    pixels = math.prod(unit.axes)
    if pixels > limits.max_pixels:
        raise NotUnderstoodError(
            f"HDU {unit.index} declares {pixels} pixels: expected at most {limits.max_pixels}"
        )
    if unit.is_tile_compressed:
        tile_compression.check(unit.header, unit.axes, content, unit.data_at)
        return
    extra = unit.header.get("GCOUNT", 1), unit.header.get("PCOUNT", 0)
    if extra != (1, 0):
        raise NotUnderstoodError(f"GCOUNT, PCOUNT = {extra} in image HDU {unit.index}: expected 1, 0")
    _scaling(unit.header)


def _scaling(header: fits.Header) -> tuple[float, float]:
    scaling = header.get("BSCALE", 1), header.get("BZERO", 0)
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in scaling):
        raise NotUnderstoodError(f"BSCALE, BZERO = {scaling!r:.80}: expected two numbers")
    scale, zero = scaling
    return scale, zero


def _physical(stored: np.ndarray[Any, Any], header: fits.Header) -> np.ndarray[Any, Any]:
    """Physical value = BZERO + BSCALE x stored value (FITS 4.0 section 4.4.2.5)."""
    scale, zero = _scaling(header)
    native = stored.astype(stored.dtype.newbyteorder("="))
    empty = _blank(native, header)
    if (scale, zero) == (1, 0) and not empty.any():
        return native
    other = _OTHER_SIGN.get((native.dtype.str[1:], scale, zero))
    if other and not empty.any():
        return np.asarray(native.view(other) ^ np.array(1 << (8 * native.itemsize - 1)).astype(other))
    wide = np.float32 if native.itemsize <= 2 or native.dtype == np.float32 else np.float64
    values = np.asarray(native * wide(scale) + wide(zero))
    values[empty] = np.nan
    return values


def _blank(native: np.ndarray[Any, Any], header: fits.Header) -> np.ndarray[Any, Any]:
    """Where the stored integers mean that nothing was measured."""
    blank = header.get("BLANK")
    if native.dtype.kind == "f" or not isinstance(blank, int):
        return np.zeros(native.shape, bool)
    return np.asarray(native == blank)


def _opening(unit: Unit) -> tuple[RawCard, ...]:
    """The mandatory first cards of an image in a file of its own."""
    if unit.is_tile_compressed:
        by_keyword = {card.keyword: card for card in reversed(unit.cards)}
        return tuple(by_keyword[keyword] for keyword in _TABLE_OPENING)
    values = [("SIMPLE", True), ("BITPIX", unit.header["BITPIX"]), ("NAXIS", len(unit.axes))]
    values += [(f"NAXIS{n}", length) for n, length in enumerate(unit.axes, 1)]
    return tuple(RawCard(k, str(fits.Card(k, v)).encode("ascii")) for k, v in values)
