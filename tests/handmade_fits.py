"""FITS files for tests: cards, headers and tiles written by hand, and a mosaic of two chips."""

from pathlib import Path

import numpy as np
from astropy.io import fits


def card(text: str) -> bytes:
    return text.encode("latin-1").ljust(80)


def block(*cards: str) -> bytes:
    header = b"".join(map(card, cards)) + card("END")
    return header + b" " * (-len(header) % 2880)


def image_header(nx: int, ny: int, *more: str, bitpix: int = 16) -> bytes:
    axes = (f"NAXIS1  = {nx:20d}", f"NAXIS2  = {ny:20d}")
    return block(
        "SIMPLE  =                    T",
        f"BITPIX  = {bitpix:20d}",
        "NAXIS   =                    2",
        *axes,
        *more,
    )


def put(folder: Path, content: bytes, name: str = "raw.fits") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def pixels(shape: tuple[int, int] = (6, 8), dtype: str = "i2") -> np.ndarray:
    rng = np.random.default_rng(1)
    if dtype.startswith("f"):
        return rng.normal(300, 5, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def mosaic(
    folder: Path, kind: type = fits.ImageHDU, name: str = "mosaic.fits"
) -> tuple[Path, list[np.ndarray]]:
    primary = fits.PrimaryHDU()
    primary.header["INSTRUME"] = "SIMCAM"
    primary.header["OBJECT"] = "from the primary"
    primary.header["GAIN"] = 1.5
    primary.header.add_history("began in the primary")
    hdus = fits.HDUList([primary])
    chips = [pixels((20, 30), "u2"), pixels((20, 30), "u2")[::-1].copy()]
    for number, data in enumerate(chips):
        hdu = kind(data, name=f"chip{number}")
        hdu.header["GAIN"] = 2.0 + number
        hdus.append(hdu)
    hdus.writeto(folder / name)
    return folder / name, chips


def packed(
    cell: bytes, *more: str, nx: int = 100, rows: int = 1, algorithm: str = "GZIP_1", at: int = 0
) -> bytes:
    """A tile-compressed file of one column, written by hand; each row's descriptor is the same."""
    table = np.array([[len(cell), at]] * rows, ">i4").tobytes() + cell
    cards = (
        "XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", f"NAXIS2  = {rows}",
        f"PCOUNT  = {len(cell)}", "GCOUNT  = 1", "TFIELDS = 1", "TTYPE1  = 'COMPRESSED_DATA'",
        "TFORM1  = '1PB(9)'", "ZIMAGE  =                    T", f"ZCMPTYPE= '{algorithm}'", "ZBITPIX = 16",
        "ZNAXIS  = 2", f"ZNAXIS1 = {nx}", f"ZNAXIS2 = {rows}", *more,
    )  # fmt: skip
    primary = block("SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0")
    return primary + block(*cards) + table + bytes(-len(table) % 2880)
