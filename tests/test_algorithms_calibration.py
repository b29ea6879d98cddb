"""Do the calibration recipes find the truth that went into seeded frames?"""

import numpy as np
import pytest
import scipy.ndimage

from processing.algorithms.background import measure_background
from processing.algorithms.cold_pixels import find_cold_pixels
from processing.algorithms.combine import clipped_mean
from processing.algorithms.cosmics import find_cosmics
from processing.algorithms.errors import (
    NoGoodPixelsError,
    NotEnoughLightError,
    ParameterError,
    ShapeError,
    TooFewFramesError,
)
from processing.algorithms.flats import combine_flats, master_flat, normalise
from processing.algorithms.gain import estimate_gain
from processing.algorithms.hot_pixels import find_hot_pixels
from processing.algorithms.large_scales import large_scales
from processing.algorithms.reduce import reduce_science
from processing.algorithms.saturation import find_saturated
from processing.algorithms.statistics import sigma_clipped
from processing.algorithms.surroundings import fill_bad, local_median
from processing.algorithms.weight import weight_map

SHAPE = (192, 224)
LEVEL, READ_NOISE, GAIN = 300.0, 2.25, 2.0
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
R2 = ((X - 30) / SHAPE[1]) ** 2 + ((Y - 20) / SHAPE[0]) ** 2
VIGNETTING = (1 - 0.25 * R2).astype(np.float32)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([2026, seed])


PIXEL_RESPONSE = rng(0).normal(1, 0.008, SHAPE).astype(np.float32)
HOT = rng(1).random(SHAPE) < 1.5e-3
COLD = (rng(2).random(SHAPE) < 2e-4) & ~HOT
PIXEL_RESPONSE[COLD] *= 0.3


def bias_pattern() -> np.ndarray:
    pattern = LEVEL + rng(3).normal(0, 0.6, SHAPE[1])[None, :] + 1.5 * Y / SHAPE[0]
    return np.where(HOT, pattern + rng(4).uniform(80, 800, SHAPE), pattern)


def exposure(seed: int, light_adu: np.ndarray | float) -> np.ndarray:
    """A raw frame: Poisson light in electrons, read noise, whole counts."""
    electrons = rng(seed).poisson(np.broadcast_to(light_adu, SHAPE) * GAIN) / GAIN
    return np.rint(electrons + bias_pattern() + rng(seed + 10_000).normal(0, READ_NOISE, SHAPE)).astype(
        np.uint16
    )


@pytest.fixture(scope="module")
def bias() -> np.ndarray:
    return clipped_mean([exposure(100 + i, 0.0) for i in range(10)]).mean


@pytest.fixture(scope="module")
def hot(bias: np.ndarray) -> np.ndarray:
    return find_hot_pixels(bias).mask


def test_the_hot_pixels_of_the_truth_are_found_in_the_bias_pixel_by_pixel(bias: np.ndarray):
    found = find_hot_pixels(bias)
    assert found.mask.dtype == np.uint8
    assert np.array_equal(found.mask == 0, HOT)
    assert found.count == HOT.sum()


def test_a_pixel_that_is_hot_in_the_dark_alone_is_found_there(bias: np.ndarray):
    dark = rng(5).normal(1, 0.1, SHAPE).astype(np.float32)
    y, x = np.argwhere(~HOT)[500]
    dark[y, x] = 9
    assert find_hot_pixels(bias).mask[y, x] == 1
    assert find_hot_pixels(bias, dark).mask[y, x] == 0


def test_a_bias_without_noise_has_no_hot_pixels_but_those_that_differ():
    flat = np.full((20, 20), 32.0, np.float32)
    assert find_hot_pixels(flat).count == 0
    flat[3, 4], flat[7, 7] = 40, np.nan
    assert np.argwhere(find_hot_pixels(flat).mask == 0).tolist() == [[3, 4], [7, 7]]


def test_a_bright_column_is_hot_along_its_whole_length():
    image = rng(6).normal(300, 1, (60, 60)).astype(np.float32)
    image[:, 31] += 50
    assert (find_hot_pixels(image).mask[:, 31] == 0).all()


def test_the_master_flat_has_the_truth_within_the_noise_of_its_photons(bias: np.ndarray, hot: np.ndarray):
    lamp = 1 + 0.03 * (X / SHAPE[1]) - 0.02 * (Y / SHAPE[0])
    truth = VIGNETTING * PIXEL_RESPONSE
    dome = combine_flats([exposure(200 + i, 20000 * truth * lamp) for i in range(5)], bias, hot)
    sky = combine_flats([exposure(300 + i, (6000 + 2000 * i) * truth) for i in range(4)], bias, hot)
    cold = find_cold_pixels(dome.image, hot)
    assert np.array_equal(cold.mask == 0, COLD)
    good = (hot == 1) & (cold.mask == 1)
    truth /= np.median(truth[good])
    flat = master_flat(dome.image, sky.image, mask=good)
    error = (flat.image / truth)[good] - 1
    assert error.std() < 0.003
    assert np.abs(scipy.ndimage.uniform_filter(np.where(good, flat.image / truth, 1), 24) - 1).max() < 0.004
    assert ((dome.image / truth)[good] - 1).std() > 0.008
    assert dome.level == pytest.approx(np.median(20000 * VIGNETTING * lamp), rel=0.01)


def test_a_star_in_one_twilight_does_not_reach_the_flat():
    frames = [rng(20 + i).normal(10000 * (i + 1), 30, (64, 64)).astype(np.float32) for i in range(5)]
    frames[2][30:34, 30:34] += 20000
    flat = combine_flats(frames).image
    assert abs(flat[30:34, 30:34].mean() - 1) < 0.003


def test_a_flat_of_flats_is_normalised_to_a_median_of_one():
    flat = master_flat(twilight=VIGNETTING * 3)
    assert np.median(sigma_clipped(flat.image, 3)) == pytest.approx(1, abs=1e-6)
    assert flat.level == pytest.approx(np.median(sigma_clipped(VIGNETTING * 3, 3)))


def test_the_night_sky_takes_the_place_of_the_twilight_in_the_large_scales():
    ones = np.ones(SHAPE, np.float32)
    flat = master_flat(ones, ones, VIGNETTING).image
    assert np.allclose(flat, normalise(VIGNETTING).image, rtol=0.001)


def test_smoothing_keeps_a_quadratic_surface_right_into_the_corners():
    noisy = VIGNETTING + rng(50).normal(0, 0.02, SHAPE)
    noisy[60:64, 100:104] += 5
    noisy[150:170, 20:40] = np.nan
    assert np.abs(large_scales(noisy, box=64) / VIGNETTING - 1).max() < 0.01
    assert np.abs(large_scales(noisy, box=64) / VIGNETTING - 1).std() < 0.001


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (17, 17), (200, 5)])
def test_smoothing_a_constant_gives_it_back_in_any_shape_and_with_large_holes(shape: tuple[int, int]):
    image = np.full(shape, 7.0)
    image[: shape[0] // 2, : shape[1] // 2] = np.nan
    assert np.allclose(large_scales(image, box=16), 7)
    with pytest.raises(ParameterError, match="box=2"):
        large_scales(image, box=2)


def test_flats_without_light_or_without_frames_are_refused():
    with pytest.raises(NotEnoughLightError, match="frame 2 of 2 has a level of"):
        combine_flats([np.full((8, 8), 500.0), np.full((8, 8), 200.0)], np.full((8, 8), 300.0))
    with pytest.raises(NotEnoughLightError, match="the flat has a level"):
        normalise(np.zeros((4, 4)))
    with pytest.raises(TooFewFramesError, match="no flat was given"):
        master_flat()
    with pytest.raises(TooFewFramesError, match="1 frames were given; at least 3"):
        combine_flats([np.ones((8, 8))], minimum=3)
    with pytest.raises(ShapeError, match="bias has shape"):
        combine_flats([np.ones((8, 8))], np.zeros((8, 9)))


@pytest.mark.parametrize("ratio", [1.0, 0.8])
@pytest.mark.parametrize("section", [None, (slice(96, 192), slice(112, 224))], ids=["whole", "corner"])
def test_the_gain_of_strongly_vignetted_flats_is_right(bias: np.ndarray, ratio: float, section):
    light = 20000 * (1 - 0.55 * R2) * PIXEL_RESPONSE
    found = estimate_gain(exposure(400, light), exposure(401, ratio * light), bias, READ_NOISE, section)
    assert found.gain == pytest.approx(GAIN, rel=4 * found.error / found.gain)
    assert found.error / found.gain < 0.015


def test_the_gain_is_unbiased_over_many_pairs():
    light = 3000 * (1 - 0.55 * R2)
    gains = [
        estimate_gain(exposure(500 + i, light), exposure(600 + i, light), bias_pattern(), READ_NOISE).gain
        for i in range(12)
    ]
    assert np.mean(gains) == pytest.approx(GAIN, rel=0.004)


def test_a_gain_cannot_be_had_from_the_dark_or_from_equal_frames():
    dark = np.full((8, 8), 300.0)
    with pytest.raises(NotEnoughLightError, match="above the bias"):
        estimate_gain(dark, dark, 300.0, 2.0)
    with pytest.raises(NotEnoughLightError, match="do not vary more"):
        estimate_gain(dark + 100, dark + 100, dark, 2.0)
    with pytest.raises(ParameterError, match="read_noise_adu=-1"):
        estimate_gain(dark, dark, dark, -1)


def sky_with_stars(seed: int = 700) -> np.ndarray:
    """Sky of 150 ADU with Gaussian stars of FWHM 3 pixels."""
    light = np.full(SHAPE, 150.0)
    for _ in range(40):
        x, y = rng(seed + _).uniform(12, np.array(SHAPE[::-1]) - 12)
        flux = 10 ** rng(seed + 100 + _).uniform(3, 5)
        sigma = 3 / 2.3548
        light += flux / (2 * np.pi * sigma**2) * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * sigma**2))
    return light


def test_cosmic_rays_are_found_and_stars_are_spared():
    clean = (exposure(700, sky_with_stars()) - bias_pattern()).astype(np.float32)
    hits = np.zeros(SHAPE, bool)
    for i in range(30):
        y, x = rng(800 + i).integers(5, 180, 2)
        hits[y, x : x + 1 + i % 4] = True
    image = clean + np.where(hits, 800, 0)
    options = {"gain": GAIN, "read_noise_adu": READ_NOISE, "saturation_adu": 60000, "mask": ~HOT}
    found = find_cosmics(image, **options).mask == 0
    expected = hits & ~HOT
    assert (found & expected).sum() >= 0.9 * expected.sum()
    assert (found & ~scipy.ndimage.binary_dilation(hits, iterations=2)).sum() <= 3
    assert not (found & HOT).any()
    assert find_cosmics(clean, **options).count <= 2


def test_a_subtracted_sky_is_put_back_for_the_noise():
    image = exposure(701, 2000.0) - bias_pattern()
    options = {"gain": GAIN, "read_noise_adu": READ_NOISE, "saturation_adu": 60000, "mask": ~HOT}
    with_sky = find_cosmics(image, **options)
    without = find_cosmics(image - 2000, sky_adu=2000, **options)
    assert with_sky.count == without.count <= 3


def test_saturated_pixels_are_those_at_or_above_the_level_and_their_neighbours():
    raw = np.full((7, 7), 100, np.uint16)
    raw[3, 3], raw[0, 0] = 60000, 59999
    assert np.argwhere(find_saturated(raw, 60000).mask == 0).tolist() == [[3, 3]]
    assert find_saturated(raw, 60000, grow=1).count == 9


def test_bad_pixels_get_the_median_of_their_good_neighbours_by_brute_force():
    image = rng(30).normal(100, 5, (30, 33)).astype(np.float32)
    bad = rng(31).random(image.shape) < 0.1
    image[bad] = np.nan
    found = fill_bad(image)
    for y, x in np.argwhere(bad):
        window = image[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        assert found[y, x] == pytest.approx(np.nanmedian(window), rel=1e-6)
    assert np.array_equal(found[~bad], image[~bad])


def test_a_large_hole_is_filled_from_farther_away():
    image = np.full((300, 40), 5.0, np.float32)
    mask = np.ones(image.shape, bool)
    mask[10:290] = False
    assert (fill_bad(np.where(mask, image, -1e9), mask) == 5).all()
    with pytest.raises(NoGoodPixelsError):
        fill_bad(image, np.zeros(image.shape, bool))


def test_the_local_median_ignores_a_cluster_and_follows_a_slope():
    image = (X[:40, :40] * 2).copy()
    image[20:23, 20:23] = 1e6
    assert np.abs(local_median(image, 7) - X[:40, :40] * 2)[4:-4, 4:-4].max() <= 4
    with pytest.raises(ParameterError, match="size=6"):
        local_median(image, 6)


def test_reduction_gives_back_the_sky_and_marks_what_it_filled(bias: np.ndarray, hot: np.ndarray):
    light = sky_with_stars()
    flat = (VIGNETTING * PIXEL_RESPONSE).astype(np.float32)
    cold = find_cold_pixels(flat).mask
    reduced = reduce_science(exposure(702, light * flat), bias, flat, hot, cold)
    assert reduced.image.dtype == np.float32
    assert np.isfinite(reduced.image).all()
    assert np.array_equal(reduced.mask == 0, HOT | COLD)
    assert reduced.statistics.median == pytest.approx(150, abs=2)
    sky = measure_background(reduced.image, reduced.mask)
    assert sky.level == pytest.approx(150, rel=0.01)
    assert sky.noise == pytest.approx(np.sqrt(150 / GAIN + READ_NOISE**2), rel=0.15)
    dark_sky = (light < 151) & (reduced.mask == 0)
    assert np.abs(reduced.image[dark_sky] - 150).max() < 60


def test_reduction_without_a_bias_and_with_an_illumination_map_is_arithmetic():
    raw = np.array([[10, 20], [30, np.nan]], np.float32)
    flat = np.array([[1, 2], [0, 1]], np.float32)
    reduced = reduce_science(raw, None, flat, illumination=np.full((2, 2), 1.5))
    assert reduced.mask.tolist() == [[1, 1], [0, 0]]
    assert reduced.image.tolist() == [[15, 15], [15, 15]]
    with pytest.raises(ShapeError, match="hot has shape"):
        reduce_science(raw, None, flat, hot=np.ones((3, 2), np.uint8))


def test_the_weight_is_the_inverse_of_the_variance_that_is_seen():
    flat = np.linspace(0.5, 1.2, SHAPE[1], dtype=np.float32)[None, :] * np.ones(SHAPE, np.float32)
    frames = np.array([(exposure(900 + i, 400 * flat) - bias_pattern()) / flat for i in range(12)])
    weight = weight_map(flat, read_noise_adu=READ_NOISE, sky_adu=400, gain=GAIN)
    seen = frames.var(axis=0, ddof=1).mean(axis=0)
    assert np.allclose(seen * weight.mean(axis=0), 1, atol=0.12)


def test_the_weight_is_zero_in_every_mask_and_without_response():
    flat = np.ones((3, 3), np.float32)
    flat[0, 0], flat[2, 2] = 0, np.nan
    mask = np.ones((3, 3), np.uint8)
    mask[1, 1] = 0
    weight = weight_map(flat, mask, None, mask != 0, read_noise_adu=2, sky_adu=0, gain=1)
    assert (weight == np.where((mask == 0) | ~(flat > 0), 0, 0.25)).all()
    with pytest.raises(ParameterError, match="one must be above zero"):
        weight_map(flat, read_noise_adu=0, sky_adu=0, gain=1)


def test_a_background_with_a_slope_is_followed_under_stars_and_holes():
    image = (sky_with_stars() + 0.2 * X + rng(40).normal(0, 5, SHAPE)).astype(np.float32)
    image[50:60, 50:60] = np.nan
    found = measure_background(image, box=32)
    assert np.abs(found.image - 150 - 0.2 * X)[16:-16, 16:-16].max() < 5
    assert np.median(found.noise_image) == pytest.approx(5, rel=0.1)


def test_equal_inputs_give_equal_bits(bias: np.ndarray):
    raw = exposure(703, sky_with_stars())
    once, again = (
        reduce_science(raw, bias, master_flat(VIGNETTING, PIXEL_RESPONSE).image, find_hot_pixels(bias).mask)
        for _ in range(2)
    )
    assert once.image.tobytes() == again.image.tobytes()
    options = {"gain": GAIN, "read_noise_adu": READ_NOISE, "saturation_adu": 60000}
    assert (
        find_cosmics(once.image, **options).mask.tobytes()
        == find_cosmics(again.image, **options).mask.tobytes()
    )
