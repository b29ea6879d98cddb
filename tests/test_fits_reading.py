"""Are images of any FITS file read as astropy reads them, and is everything else refused in bounded time?"""

import contextlib
import gzip
import hashlib
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from processing.fits_reading import FitsLimits, NotUnderstoodError, open_raw, read_image

REAL = Path(__file__).parents[1].parent / "shared" / "data"
SMALL = FitsLimits(max_bytes=1 << 20, max_pixels=1 << 16, max_tail_bytes=2880)


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


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_pixels_of_every_type_come_back_as_they_were_written(tmp_path, dtype):
    path = tmp_path / "raw.fits"
    data = pixels(dtype=dtype)
    fits.PrimaryHDU(data).writeto(path)
    with open_raw(path) as raw:
        read = raw.images[0].data
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, data)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_scaled_and_blank_pixels_are_physical_values_as_in_astropy(tmp_path, suffix):
    more = (
        "BSCALE  =                  0.5",
        "BZERO   =                100.0",
        "BLANK   =                   -1",
    )
    content = image_header(8, 6, *more) + (pixels() % 4 - 2).astype(">i2").tobytes().ljust(2880, b"\0")
    path = put(tmp_path, gzip.compress(content) if suffix else content, f"raw.fits{suffix}")
    read, header = read_image(path)
    np.testing.assert_allclose(read, fits.getdata(path))
    assert np.isnan(read).any()
    assert "BZERO" not in header
    assert read.dtype == np.float32


def test_axes_of_length_one_are_left_out(tmp_path):
    fits.PrimaryHDU(pixels((5, 7), "f4").reshape(1, 5, 7)).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU(pixels((5, 7), "f4").reshape(5, 1, 7)).writeto(tmp_path / "b.fits")
    fits.PrimaryHDU(pixels((1, 7), "f4")).writeto(tmp_path / "c.fits")
    shapes = [read_image(tmp_path / f"{name}.fits")[0].shape for name in "abc"]
    assert shapes == [(5, 7), (5, 7), (1, 7)]


def test_a_cube_is_no_image(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 4, 5), "f4")).writeto(tmp_path / "cube.fits")
    with pytest.raises(NotUnderstoodError, match="found 5 x 4 x 3"):
        open_raw(tmp_path / "cube.fits")


def test_the_digest_is_of_the_file_on_disk(tmp_path):
    path = put(tmp_path, gzip.compress(image_header(8, 6) + bytes(2880)), "raw.fits.gz")
    with open_raw(path) as raw:
        assert raw.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert raw.size_bytes == path.stat().st_size


@pytest.mark.parametrize("name", ["raw.fits", "raw.fits.gz"])
def test_the_only_image_of_a_file_is_kept_byte_for_byte(tmp_path, name):
    content = image_header(8, 6) + bytes(2880)
    path = put(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    with open_raw(path) as raw:
        raw.extract(0, tmp_path / "kept")
        assert raw.images[0].suffix == name.removeprefix("raw")
    assert (tmp_path / "kept").read_bytes() == path.read_bytes()


def test_a_packed_image_is_read_and_kept_byte_for_byte(tmp_path):
    for algorithm in ("RICE_1", "GZIP_1", "GZIP_2"):
        path = tmp_path / f"{algorithm}.fits.fz"
        data = pixels((20, 30), "u2")
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type=algorithm)]).writeto(path)
        with open_raw(path) as raw:
            assert raw.images[0].suffix == ".fits.fz"
            np.testing.assert_array_equal(raw.images[0].data, data)
            raw.extract(1, tmp_path / "kept")
        assert (tmp_path / "kept").read_bytes() == path.read_bytes()
        (tmp_path / "kept").unlink()


def test_packed_floats_are_read_as_astropy_reads_them(tmp_path):
    path = tmp_path / "float.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels((64, 64), "f4"), quantize_level=8)]).writeto(
        path
    )
    np.testing.assert_array_equal(read_image(path)[0], fits.getdata(path, 1))


@pytest.mark.parametrize("compress", [False, True])
def test_each_image_of_several_gets_a_file_with_its_cards_and_its_very_bytes(tmp_path, compress):
    path, chips = mosaic(tmp_path)
    with fits.open(path) as hdus:
        stored = [path.read_bytes()[h.fileinfo()["datLoc"] :][: 20 * 30 * 2] for h in hdus[1:]]
    if compress:
        path = put(tmp_path, gzip.compress(path.read_bytes()), "mosaic.fits.gz")
    with open_raw(path) as raw:
        assert [i.hdu_index for i in raw.images] == [1, 2]
        for n, image in enumerate(raw.images):
            target = tmp_path / f"chip{n}{image.suffix}"
            raw.extract(image.hdu_index, target)
            np.testing.assert_array_equal(image.data, chips[n])
            with fits.open(target) as hdus:
                hdus.verify("exception")
                assert len(hdus) == 1
                header = hdus[0].header
                assert (header["INSTRUME"], header["EXTNAME"], header["GAIN"]) == (
                    "SIMCAM",
                    f"CHIP{n}",
                    2.0 + n,
                )
                assert "began in the primary" in str(header["HISTORY"])
                np.testing.assert_array_equal(hdus[0].data, chips[n])
            assert stored[n] in target.read_bytes()
            np.testing.assert_array_equal(read_image(target, dtype=None)[0], chips[n])


def test_packed_images_are_split_without_being_unpacked(tmp_path):
    path, chips = mosaic(tmp_path, fits.CompImageHDU, "mosaic.fits.fz")
    with open_raw(path) as raw:
        raw.extract(2, tmp_path / "chip.fits.fz")
    with fits.open(tmp_path / "chip.fits.fz") as hdus:
        np.testing.assert_array_equal(hdus[1].data, chips[1])
        assert (hdus[1].header["INSTRUME"], hdus[1].header["GAIN"]) == ("SIMCAM", 3.0)
    np.testing.assert_array_equal(read_image(tmp_path / "chip.fits.fz", dtype=None)[0], chips[1])


def test_the_header_of_the_file_is_that_of_its_only_image(tmp_path):
    hdu = fits.CompImageHDU(pixels((20, 30), "i2"))
    hdu.header["INSTRUME"] = "PACKED"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "raw.fits.fz")
    with open_raw(tmp_path / "raw.fits.fz") as raw:
        assert raw.header["INSTRUME"] == "PACKED"
        assert not [k for k in raw.header if k.startswith(("Z", "TTYPE", "TFORM"))]


def test_a_table_beside_the_image_is_no_image(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(pixels()), table]).writeto(tmp_path / "raw.fits")
    with open_raw(tmp_path / "raw.fits") as raw:
        assert [i.hdu_index for i in raw.images] == [0]


def test_cards_that_no_standard_knows_are_survived(tmp_path):
    odd = (
        "EXPTIME =              6,4E-05 / decimal comma",
        "OBJECT  = 'never closed",
        "\xff\xfe\x00 \x01",
        "lower   = 3",
        "X       = 1 2 3",
        "HIERARCH ESO DET NAME = 'ccd50'",
        "LONG    = 'first &'",
        "CONTINUE  'second'",
    )
    _, header = read_image(put(tmp_path, image_header(8, 6, *odd) + bytes(2880)))
    assert header["EXPTIME"] == "6,4E-05"
    assert header["OBJECT"] == "never closed"
    assert header["ESO DET NAME"] == "ccd50"
    assert header["LONG"] == "first second"
    assert len(header.tostring()) % 2880 == 0


def test_cards_of_a_sound_header_read_as_in_astropy(tmp_path):
    hdu = fits.PrimaryHDU(pixels())
    hdu.header.update({"A": 1, "B": -2.5e-7, "C": "it's", "D": True, "HIERARCH LONG KEYWORD": 3, "E": 1 + 2j})
    hdu.header["LONGTEXT"] = "x" * 150
    hdu.header.add_comment("nothing")
    hdu.writeto(tmp_path / "raw.fits")
    _, header = read_image(tmp_path / "raw.fits")
    ours = [tuple(c) for c in header.cards]
    theirs = [tuple(c) for c in fits.getheader(tmp_path / "raw.fits").cards]
    assert ours == [c for c in theirs if not c[0].startswith(("SIMPLE", "BITPIX", "NAXIS", "EXTEND"))]


def test_a_last_unit_without_padding_is_read(tmp_path):
    path = put(tmp_path, image_header(8, 6) + pixels().astype(">i2").tobytes())
    np.testing.assert_array_equal(read_image(path)[0], pixels())


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
    "gzip bomb": (gzip.compress(image_header(8, 6) + bytes(1 << 24)), "after its last HDU"),
    "gzip bomb with a header": (gzip.compress(image_header(8000, 8000) + bytes(1 << 24)), "expected at most"),
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


def bomb(size: int) -> bytes:
    deflate = zlib.compressobj(9, wbits=31)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(size >> 20)) + deflate.flush()


def test_a_tile_written_by_hand_is_read(tmp_path):
    row = np.arange(100, dtype=">i2")
    read, _ = read_image(put(tmp_path, packed(gzip.compress(row.tobytes()))))
    np.testing.assert_array_equal(read, [row])


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


def test_a_file_of_several_images_is_not_one_image(tmp_path):
    path, _ = mosaic(tmp_path)
    with pytest.raises(NotUnderstoodError, match="holds 2 images"):
        read_image(path)
    with open_raw(path) as raw, pytest.raises(NotUnderstoodError, match="HDU 7 is not an image"):
        raw.extract(7, tmp_path / "none.fits")


@pytest.mark.skipif(not REAL.exists(), reason="the real frames are not at hand")
@pytest.mark.parametrize(
    "kind", ["zwo_asi120_calib/Bias", "ohp_t152_andor/n19_bias_01", "huntsman_dorado/", "m13"]
)
def test_real_frames_have_the_pixels_that_astropy_finds(kind):
    path = next(p for p in sorted(REAL.glob("*/*.fits*")) if kind in str(p.relative_to(REAL)))
    with open_raw(path) as raw:
        read = raw.images[0].data
    with fits.open(path) as hdus:
        theirs = np.squeeze(hdus[0].data)
    np.testing.assert_array_equal(read, theirs)
    assert read.dtype == theirs.dtype.newbyteorder("=")
