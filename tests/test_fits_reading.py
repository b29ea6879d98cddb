"""Are the images and cards of any FITS file read as astropy reads them?"""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from processing.fits_reading import NotUnderstoodError, open_raw, read_image
from tests.handmade_fits import image_header, packed, pixels, put

REAL = Path(__file__).parents[1].parent / "shared" / "data"


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


def test_packed_floats_are_read_as_astropy_reads_them(tmp_path):
    path = tmp_path / "float.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels((64, 64), "f4"), quantize_level=8)]).writeto(
        path
    )
    np.testing.assert_array_equal(read_image(path)[0], fits.getdata(path, 1))


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


def test_a_tile_written_by_hand_is_read(tmp_path):
    row = np.arange(100, dtype=">i2")
    read, _ = read_image(put(tmp_path, packed(gzip.compress(row.tobytes()))))
    np.testing.assert_array_equal(read, [row])


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
