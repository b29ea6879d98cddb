"""Is every file that is no sound FITS, or declares too much, refused with the reason and in bounded time?"""

import contextlib
import gzip
import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from processing.fits_reading import FitsLimits, NotUnderstoodError, open_raw, read_image
from tests.handmade_fits import block, card, image_header, packed, pixels, put

SMALL = FitsLimits(max_bytes=1 << 20, max_pixels=1 << 16, max_tail_bytes=2880)

HOSTILE = {
    "empty": (b"", "is empty"),
    "text": (b"Dear observer,\n" * 300, "is not FITS"),
    "an image of another kind": (b"\x89PNG\r\n\x1a\n" + bytes(5000), "is not FITS"),
    "SIMPLE is false": (block("SIMPLE  =                    F"), "is not FITS"),
    "SIMPLE and no more": (b"SIMPLE  =                    T", "no END card"),
    "header without END": (card("SIMPLE  =                    T") * 72, "no END card"),
    "header without an end": (card("SIMPLE  =                    T") * 36 * 800, "no END card within"),
    "truncated data": (image_header(8, 60) + bytes(500), "declares 960 bytes of data, 500 are there"),
    "more pixels than bytes": (image_header(30_000, 10_000) + bytes(2880), "expected at most"),
    "pixels beyond any integer": (image_header(10**18, 10**18) + bytes(2880), "expected at most"),
    "negative axis": (image_header(-8, 6) + bytes(2880), "NAXIS1 = -8"),
    "axis of text": (
        block("SIMPLE  =                    T", "BITPIX  = 16", "NAXIS   = 1", "NAXIS1  = 'many'"),
        "NAXIS1 = 'many'",
    ),
    "a million axes": (
        block("SIMPLE  =                    T", "BITPIX  = 16", "NAXIS   = 1000000"),
        "expected at most 999",
    ),
    "no BITPIX": (block("SIMPLE  =                    T", "NAXIS   = 0"), "BITPIX = None"),
    "strange BITPIX": (image_header(8, 6, bitpix=17) + bytes(2880), "BITPIX = 17"),
    "header only": (block("SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0"), "holds no image"),
    "scale of text": (image_header(8, 6, "BSCALE  = 'big'") + bytes(2880), "BSCALE, BZERO"),
    "a long tail": (image_header(8, 6) + bytes(2880) + b"x" * 9000, "after its last HDU"),
    "gzip of text": (gzip.compress(b"Dear observer,\n" * 300), "is not FITS"),
    "gzip bomb": (gzip.compress(image_header(8, 6) + bytes(1 << 24), 1), "after its last HDU"),
    "gzip bomb with a header": (
        gzip.compress(image_header(8000, 8000) + bytes(1 << 24), 1),
        "expected at most",
    ),
    "gzip bomb of gzip": (gzip.compress(gzip.compress(bytes(1 << 22))), "is not FITS"),
    "gzip cut off": (gzip.compress(image_header(8, 6) + bytes(2880))[:-20], "truncated"),
    "gzip damaged": (gzip.compress(image_header(8, 6) + bytes(2880))[:-8] + bytes(8), "damaged"),
    "gzip magic alone": (b"\x1f\x8b", "truncated"),
    "gzip of empty members": (gzip.compress(b"") * 70_000, "gzip members"),
    "bzip2": (b"BZh91AY&SY" + bytes(100), "compressed with bzip2"),
    "too large a file": (bytes((1 << 20) + 1), "expected at most"),
}


@pytest.mark.parametrize(("content", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_with_the_reason(tmp_path, content, reason):
    path = put(tmp_path, content)
    limits = FitsLimits(max_bytes=5 << 20) if reason in ("no END card within", "gzip members") else SMALL
    with pytest.raises(NotUnderstoodError, match=reason) as caught:
        open_raw(path, limits)
    assert "raw.fits" in str(caught.value)


def test_every_truncation_of_a_file_is_refused_or_read_whole(tmp_path):
    whole = gzip.compress(image_header(8, 6) + pixels().astype(">i2").tobytes().ljust(2880, b"\0"))
    for length in range(len(whole)):
        with pytest.raises(NotUnderstoodError):
            open_raw(put(tmp_path, whole[:length]))


def test_an_image_of_too_many_pixels_is_refused_before_it_is_inflated(tmp_path):
    path = put(tmp_path, gzip.compress(image_header(1000, 1000)))
    with pytest.raises(NotUnderstoodError, match="HDU 0 declares 1000 x 1000 values"):
        open_raw(path, FitsLimits(max_pixels=999_999))


def test_many_units_are_refused(tmp_path):
    extension = block("XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "PCOUNT  = 0", "GCOUNT  = 1")
    path = put(tmp_path, image_header(8, 6) + bytes(2880) + extension * 20)
    with pytest.raises(NotUnderstoodError, match="more than 10 HDUs"):
        open_raw(path, FitsLimits(max_hdus=10))


def test_links_folders_and_devices_are_refused(tmp_path):
    target = put(tmp_path, image_header(8, 6) + bytes(2880))
    (tmp_path / "link.fits").symlink_to(target)
    os.mkfifo(tmp_path / "fifo.fits")
    refused = {
        tmp_path / "link.fits": "symbolic link",
        tmp_path / "fifo.fits": "device",
        tmp_path: "folder",
        Path("/dev/zero"): "device",
        tmp_path / "absent.fits": "not readable",
    }
    for path, reason in refused.items():
        with pytest.raises(NotUnderstoodError, match=reason):
            open_raw(path)


def bomb(size: int) -> bytes:
    deflate = zlib.compressobj(9, wbits=31)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(size >> 20)) + deflate.flush()


PACKED_HOSTILE = {
    "bomb in a tile": (packed(bomb(1 << 26)), "larger than|inflates to more"),
    "small bomb in a tile": (packed(gzip.compress(bytes(9000))), "inflates to more"),
    "second member in a tile": (packed(gzip.compress(bytes(800)) + gzip.compress(bytes(9000))), "inflates"),
    "member after zeros in a tile": (
        packed(gzip.compress(bytes(800)) + bytes(7) + gzip.compress(bytes(9000))),
        "inflates",
    ),
    "swapped bytes in a tile": (packed(b"x" * 50).replace(b"1PB(9)", b"1PI(9)"), "has the format '1PI"),
    "bomb with a wrong header sum": (
        packed(b"\x1f\x8b\x08\x02" + bytes(8) + bomb(1 << 20)[10:]),
        "damaged|larger than",
    ),
    "image beyond limits": (packed(b"", nx=10**9), "expected at most"),
    "tile larger than the image": (packed(b"", "ZTILE1  = 1000000"), "tiles that fit"),
    "tile of nothing": (packed(b"", "ZTILE1  = 0"), "tiles that fit"),
    "too few rows": (packed(b"", "ZTILE1  = 10"), "one row a tile"),
    "cell outside the heap": (packed(b"x" * 50, at=1000), "outside of the table"),
    "cell before the heap": (packed(b"x" * 50, at=-100), "outside of the table"),
    "heap outside the table": (packed(b"x" * 50, "THEAP   = 4"), "THEAP = 4"),
    "unknown algorithm": (packed(b"", algorithm="HCOMPRESS_1"), "expected one of RICE_1"),
    "Rice block of nothing": (
        packed(b"x" * 50, "ZNAME1  = 'BLOCKSIZE'", "ZVAL1   = 0", algorithm="RICE_1"),
        "BLOCKSIZE = 0",
    ),
    "wrong column format": (packed(b"", "TFORM1  = '1PB'").replace(b"'1PB(9)'", b"'900X'  "), "TFORM1"),
}


@pytest.mark.parametrize(("content", "reason"), PACKED_HOSTILE.values(), ids=PACKED_HOSTILE)
def test_a_hostile_packed_file_is_refused_before_it_is_unpacked(tmp_path, content, reason):
    with pytest.raises(NotUnderstoodError, match=reason):
        open_raw(put(tmp_path, content))


@pytest.mark.parametrize("algorithm", ["RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"])
def test_nonsense_in_a_tile_gives_the_one_error_or_pixels(tmp_path, algorithm):
    for seed in range(20):
        cell = np.random.default_rng(seed).bytes(60)
        with (
            contextlib.suppress(NotUnderstoodError),
            open_raw(put(tmp_path, packed(cell, algorithm=algorithm))) as raw,
        ):
            assert raw.images[0].data.shape == (1, 100)


def test_damaged_headers_give_the_one_error_or_an_image(tmp_path):
    rng = np.random.default_rng(7)
    whole = packed(gzip.compress(np.arange(100, dtype=">i2").tobytes()))
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(2880, 2880 + 16 * 80, 3):
            damaged[place] = rng.integers(32, 127)
        with contextlib.suppress(NotUnderstoodError):
            read_image(put(tmp_path, bytes(damaged)), SMALL)
