"""Can this tile-compressed image be unpacked without harm, and what are its pixels?

The convention is that of FITS 4.0, section 10: tiles of the image are cells of variable length in a binary
table. Everything that a cell could make the decoders allocate is checked before they see it.
"""

import io
import math
import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from processing.bounded_bytes import Content, FitsLimits, NotUnderstoodError
from processing.fits_cards import BLOCK_BYTES, RawCard, about_the_table, integer, join

_ALGORITHMS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
_PACKED = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
_MOST_TILES = 1 << 16
_MOST_FIELDS = 32
_WIDEST_PIXEL = 8
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])(?:([BIJED])(?:\(\d*\))?)?\s*")
_WIDTHS = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "P": 8, "M": 16, "Q": 16}


@dataclass(frozen=True)
class _Field:
    """One column of packed cells: where its descriptors stand in a row, and the size of its items."""

    name: str
    offset: int
    descriptor: str
    item_bytes: int


def tile_shape(header: fits.Header, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The size of a tile in FITS axis order: one row of the image where the header does not say."""
    default = (axes[0], *[1] * (len(axes) - 1))
    tile = tuple(integer(header, f"ZTILE{n}", d) for n, d in enumerate(default, 1))
    if any(t < 1 or t > axis for t, axis in zip(tile, axes, strict=True)):
        raise NotUnderstoodError(
            f"tiles of {tile} pixels in an image of {axes}: expected tiles that fit in it"
        )
    return tile


def check(header: fits.Header, axes: tuple[int, ...], content: Content, start: int) -> None:
    """Refuse what the decoders could not bear: bombs, cells outside the heap, senseless settings.

    Parameters
    ----------
    header
        Of the binary table, as `processing.fits_cards.parse` gives it.
    axes
        Of the image, FITS axis order, already within the limits.
    content, start
        Where the table's rows begin.

    Raises
    ------
    NotUnderstoodError
        With the reason.
    """
    _check_settings(header)
    tile = tile_shape(header, axes)
    tiles = math.prod(-(-axis // t) for axis, t in zip(axes, tile, strict=True))
    rows, row_bytes = integer(header, "NAXIS2"), integer(header, "NAXIS1")
    if tiles != rows or tiles > _MOST_TILES:
        raise NotUnderstoodError(
            f"{rows} rows for {tiles} tiles: expected one row a tile and at most {_MOST_TILES} of them"
        )
    heap_offset = integer(header, "THEAP", rows * row_bytes)
    heap_bytes = rows * row_bytes + integer(header, "PCOUNT", 0) - heap_offset
    if heap_offset < rows * row_bytes or heap_bytes < 0:
        raise NotUnderstoodError(f"THEAP = {heap_offset}: expected a place after the {rows} rows")
    table = content.read_at(start, rows * row_bytes)
    largest = math.prod(tile) * _WIDEST_PIXEL
    by_gzip = str(header["ZCMPTYPE"]).startswith("GZIP")
    for field in _packed_fields(header, row_bytes):
        for count, offset in _descriptors(table, rows, row_bytes, field):
            if count and (offset < 0 or count < 0 or offset + count * field.item_bytes > heap_bytes):
                raise NotUnderstoodError(f"a cell of {field.name} lies outside of the table's heap")
            if count * field.item_bytes > largest + BLOCK_BYTES:
                raise NotUnderstoodError(
                    f"a cell of {field.name} is larger than the {largest} bytes of a tile"
                )
            cell = content.read_at(start + heap_offset + offset, count * field.item_bytes)
            if field.name == "GZIP_COMPRESSED_DATA" or (by_gzip and field.name == "COMPRESSED_DATA"):
                _check_inflated(cell, largest, field.name)


def _check_settings(header: fits.Header) -> None:
    algorithm = str(header.get("ZCMPTYPE", "")).strip()
    if algorithm not in _ALGORITHMS:
        raise NotUnderstoodError(f"ZCMPTYPE = '{algorithm}': expected one of {', '.join(_ALGORITHMS)}")
    allowed = {"BLOCKSIZE": (16, 32), "BYTEPIX": (1, 2, 4, 8)}
    for n in range(1, 1000):
        if f"ZNAME{n}" not in header:
            break
        name, value = str(header[f"ZNAME{n}"]).strip().upper(), header.get(f"ZVAL{n}")
        if name in allowed and value not in allowed[name]:
            raise NotUnderstoodError(f"{name} = {value!r:.40}: expected one of {allowed[name]}")


def _packed_fields(header: fits.Header, row_bytes: int) -> list[_Field]:
    fields: list[_Field] = []
    offset = 0
    for n in range(1, min(integer(header, "TFIELDS"), _MOST_FIELDS) + 1):
        name, form = str(header.get(f"TTYPE{n}", "")).strip(), str(header.get(f"TFORM{n}", ""))
        parts = _FORM.fullmatch(form)
        if parts is None or parts[2] == "X":
            raise NotUnderstoodError(f"TFORM{n} = '{form:.40}': expected a column format of packed tiles")
        repeat = int((parts[1] or "1")[:9])
        if name in _PACKED:
            packed = ("B",) if name != "UNCOMPRESSED_DATA" else tuple(_WIDTHS)
            if repeat != 1 or parts[3] not in packed or name in [f.name for f in fields]:
                raise NotUnderstoodError(f"column {name} has the format '{form:.40}': expected such as 1PB")
            fields.append(_Field(name, offset, parts[2], _WIDTHS[parts[3]]))
        offset += repeat * _WIDTHS[parts[2]]
    if offset != row_bytes or not fields or integer(header, "TFIELDS") > _MOST_FIELDS:
        raise NotUnderstoodError(f"columns of {offset} bytes in rows of {row_bytes}: expected packed tiles")
    return fields


def _descriptors(table: bytes, rows: int, row_bytes: int, field: _Field) -> Iterator[tuple[int, int]]:
    dtype = np.dtype(">i4" if field.descriptor == "P" else ">i8")
    if len(table) < rows * row_bytes:
        raise NotUnderstoodError("the table of tiles is truncated")
    cells = np.ndarray((rows, 2), dtype, table, field.offset, (row_bytes, dtype.itemsize))
    return ((int(count), int(offset)) for count, offset in cells)


def _check_inflated(cell: bytes, largest: int, name: str) -> None:
    """Inflate a cell no further than a tile; more members would be inflated too, even after zeros."""
    decoder = zlib.decompressobj(31)
    try:
        inflated = decoder.decompress(cell, largest + 1)
    except zlib.error as error:
        raise NotUnderstoodError(f"a cell of {name} is damaged ({error})") from None
    if len(inflated) > largest or decoder.unused_data.strip(b"\0"):
        raise NotUnderstoodError(f"a cell of {name} inflates to more than the {largest} bytes of a tile")


def unpack(
    cards: tuple[RawCard, ...], tile: tuple[int, ...], data: bytes, limits: FitsLimits
) -> np.ndarray[Any, Any]:
    """The physical pixel values of a checked tile-compressed image.

    Parameters
    ----------
    cards
        Of the binary table.
    tile
        Its `tile_shape`: astropy asks for the ZTILE cards that the standard lets one leave out.
    data
        Of the binary table.
    limits
        What reading the file may cost.

    Returns
    -------
    numpy.ndarray
        All axes, numpy order, as astropy scales them.

    Raises
    ------
    NotUnderstoodError
        When the tiles cannot be decoded.
    """
    primary = fits.PrimaryHDU().header.tostring().encode("ascii")
    padding = b"\0" * (-len(data) % BLOCK_BYTES)
    tiles = [
        RawCard(f"ZTILE{n}", f"ZTILE{n:<3d}= {size:20d}".encode().ljust(80)) for n, size in enumerate(tile, 1)
    ]
    described = [card for card in about_the_table(cards) if not card.keyword.startswith("ZTILE")]
    file = io.BytesIO(primary + join([*described, *tiles]) + data + padding)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(file, memmap=False) as hdus:
                pixels = np.asarray(hdus[1].data)
    except Exception as error:  # the decoders' own errors have no public name; nothing goes on after one
        raise NotUnderstoodError(f"the tiles cannot be decoded ({type(error).__name__}: {error})") from error
    if pixels.size > limits.max_pixels:
        raise NotUnderstoodError(f"the tiles hold {pixels.size} pixels: expected at most {limits.max_pixels}")
    return pixels
