"""Is each image of a file kept with its cards and its very bytes, packed or not, and alone or one of several?"""

import gzip
import hashlib

import numpy as np
import pytest
from astropy.io import fits

from processing.fits_reading import NotUnderstoodError, open_raw, read_image
from tests.handmade_fits import image_header, mosaic, pixels, put


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


def test_a_file_of_several_images_is_not_one_image(tmp_path):
    path, _ = mosaic(tmp_path)
    with pytest.raises(NotUnderstoodError, match="holds 2 images"):
        read_image(path)
    with open_raw(path) as raw, pytest.raises(NotUnderstoodError, match="HDU 7 is not an image"):
        raw.extract(7, tmp_path / "none.fits")
