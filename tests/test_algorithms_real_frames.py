"""Do the recipes hold on real frames? Only where the optional folder of frames lies beside the project."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from processing.algorithms.combine import clipped_mean
from processing.algorithms.cosmics import find_cosmics
from processing.algorithms.flats import normalise
from processing.algorithms.gain import estimate_gain
from processing.algorithms.hot_pixels import find_hot_pixels
from processing.algorithms.read_noise import estimate_read_noise
from processing.algorithms.reduce import reduce_science
from processing.algorithms.sky_positions import pixel_positions, sky_positions
from processing.algorithms.sources import Extraction, extract_sources

FRAMES = Path(__file__).resolve().parents[2] / "shared" / "data"
HUNTSMAN, HAUTE_PROVENCE = FRAMES / "huntsman_dorado", FRAMES / "ohp_t152_andor"

pytestmark = pytest.mark.skipif(
    not FRAMES.is_dir(), reason="the folder ../shared/data with real frames is not here"
)


def pixels(path: Path) -> np.ndarray:
    return fits.getdata(path).squeeze()


def consecutive(kind: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    paths = sorted(HAUTE_PROVENCE.glob(kind))
    assert len(paths) > 4
    return ((pixels(a), pixels(b)) for a, b in zip(paths[::2], paths[1::2], strict=False))


@pytest.fixture(scope="module")
def dorado() -> tuple[np.ndarray, dict]:
    """Sources of the reduced field in Dorado, and the cards of its header."""
    bias, flat, raw = (pixels(HUNTSMAN / f"{name}_0.fits") for name in ("bias", "flat", "science"))
    hot = find_hot_pixels(bias, pixels(HUNTSMAN / "dark_0.fits"))
    master = normalise(flat.astype(np.float32) - bias, hot.mask).image
    reduced = reduce_science(raw, bias, master, hot.mask)
    header = fits.getheader(HUNTSMAN / "science_0.fits")
    table = extract_sources(reduced.image, reduced.mask, gain=1.14, exptime_s=300)
    return table, {card.keyword: card.value for card in header.cards}


def test_all_reference_stars_of_dorado_are_found_at_the_places_their_header_says(dorado):
    table, header = dorado
    with (HUNTSMAN / "refcat.csv").open() as file:
        stars = np.array(
            [(row["raj2000"], row["dej2000"], row["g_psf"]) for row in csv.DictReader(file)], float
        )
    x, y = pixel_positions(stars[:, 0], stars[:, 1], header)
    inside = (x > 0.5) & (x < 800.5) & (y > 0.5) & (y < 800.5)
    assert inside.sum() == 15
    distance = np.hypot(table["x"] - x[inside, None], table["y"] - y[inside, None])
    assert (distance.min(axis=1) < 3).all()
    zeropoint = stars[inside, 2] - table["mag_aper"][distance.argmin(axis=1)]
    assert np.nanmedian(zeropoint) == pytest.approx(19.45, abs=0.3)
    ra, dec = sky_positions(x[inside], y[inside], header)
    assert np.allclose([ra, dec], stars[inside, :2].T, atol=1e-7)


def test_dorado_has_a_plausible_number_of_sources(dorado):
    assert 300 < dorado[0].size < 450


def test_the_constant_bias_of_huntsman_has_no_read_noise_and_no_hot_pixels():
    bias = pixels(HUNTSMAN / "bias_0.fits")
    found = estimate_read_noise(bias, bias)
    assert (found.read_noise_adu, found.bias_level_adu, find_hot_pixels(bias).count) == (0.0, 32.0, 0)


def test_every_pair_of_biases_from_haute_provence_gives_the_same_read_noise():
    found = [estimate_read_noise(a, b) for a, b in consecutive("n19_bias_*")]
    assert len(found) == 8
    assert [e.read_noise_adu for e in found] == pytest.approx([2.92] * 8, rel=0.02)
    assert [e.bias_level_adu for e in found] == pytest.approx([300.0] * 8, abs=1.0)


def test_the_master_bias_of_sixteen_is_four_times_quieter_than_one():
    frames = [frame for pair in consecutive("n19_bias_*") for frame in pair]
    combined = clipped_mean(frames, maps=True)
    assert np.median(combined.error) == pytest.approx(2.92 / 4, rel=0.1)
    assert combined.mean.mean() == pytest.approx(300.0, abs=1.0)


def test_pairs_of_lamp_flats_from_one_night_agree_on_the_gain():
    gains = [estimate_gain(a, b, 300.0, 2.92).gain for a, b in consecutive("n19_flat_*")]
    assert np.ptp(gains) < 0.1 * np.mean(gains)


def test_cosmic_rays_are_found_in_a_long_exposure_and_hardly_any_in_a_bias():
    options = {"gain": 1.0, "read_noise_adu": 2.92, "saturation_adu": 60000}
    long = pixels(HAUTE_PROVENCE / "n19_m76_01.fits.gz").astype(np.float32) - 300
    bias = pixels(HAUTE_PROVENCE / "n19_bias_01.fits.gz").astype(np.float32) - 300
    assert find_cosmics(long, **options).count > 100
    assert find_cosmics(bias, **options).count < 20


def test_a_high_threshold_finds_a_subset_of_the_bright_sources(dorado):
    raw = pixels(HUNTSMAN / "science_0.fits")
    few = extract_sources(raw, parameters=Extraction(threshold_sigma=20))
    assert 0 < few.size < dorado[0].size
