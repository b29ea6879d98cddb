"""Do statistics, clipping and combination give what astropy and brute force give?"""

import numpy as np
import pytest
from astropy.stats import mad_std, sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.algorithms.combine import Stack, clipped_mean, stack, typical_sigma
from processing.algorithms.errors import (
    NoGoodPixelsError,
    ParameterError,
    SectionError,
    ShapeError,
    TooFewFramesError,
)
from processing.algorithms.images import as_image, good_pixels
from processing.algorithms.overscan import correct_overscan
from processing.algorithms.read_noise import estimate_read_noise
from processing.algorithms.statistics import (
    flatness,
    image_statistics,
    median_of_numbers,
    sigma_clipped,
    sub_window_statistics,
)


def noisy(seed: int, shape: tuple[int, ...], level: float = 300.0, sigma: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(level, sigma, shape).astype(np.float32)


def test_statistics_are_those_of_numpy_over_good_finite_pixels():
    image = noisy(1, (40, 30))
    image[0, 0], image[1, 1] = np.nan, np.inf
    mask = np.ones(image.shape, np.uint8)
    mask[5, :] = 0
    image[5, 3] = 1e9
    expected = np.delete(image, 5, axis=0).astype(float)
    expected = expected[np.isfinite(expected)]
    found = image_statistics(image, mask)
    assert (found.mean, found.median, found.stdev) == pytest.approx(
        (expected.mean(), np.median(expected), expected.std()), rel=1e-12
    )
    assert (found.min, found.max, found.count) == (expected.min(), expected.max(), expected.size)


@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
def test_clipping_keeps_what_astropy_keeps(sigma: float):
    values = noisy(2, (3000,)).astype(float)
    values[::50] += 40
    expected = sigma_clip(values, sigma=sigma, maxiters=5, cenfunc="median", stdfunc="std", masked=False)
    assert np.array_equal(sigma_clipped(values, sigma, 5), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40), st.floats(0.1, 6))
def test_clipping_never_leaves_nothing(values: list[float], sigma: float):
    kept = sigma_clipped(np.array(values, np.float32), sigma)
    assert 0 < kept.size <= len(values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan"))), min_size=1, max_size=12))
def test_the_median_of_numbers_is_numpys_where_there_is_one(values: list[float]):
    row = np.array([values], np.float32)
    numbers = row[~np.isnan(row)]
    found = median_of_numbers(row, axis=1)[0]
    assert np.isnan(found) if numbers.size == 0 else found == pytest.approx(np.median(numbers), rel=1e-6)


def test_windows_tile_the_image_and_each_has_its_own_statistics():
    image = noisy(3, (37, 53))
    windows = sub_window_statistics(image, (4, 5))
    seen = np.zeros(image.shape, int)
    for w in windows:
        part = (slice(w.y_start, w.y_stop), slice(w.x_start, w.x_stop))
        seen[part] += 1
        assert w.statistics is not None
        assert w.statistics.median == pytest.approx(float(np.median(image[part])))
    assert len(windows) == 20
    assert (seen == 1).all()


def test_a_window_without_good_pixels_has_no_statistics_and_a_step_shows_in_flatness():
    image = np.full((20, 20), 100.0, np.float32)
    image[:10], image[10:, 10:] = 107.0, np.nan
    windows = sub_window_statistics(image, (2, 2))
    assert [w.statistics is None for w in windows] == [False, False, False, True]
    assert flatness(windows) == 7.0


def test_an_image_without_good_pixels_is_refused():
    with pytest.raises(NoGoodPixelsError, match="none of 4 pixels"):
        image_statistics(np.full((2, 2), np.nan))


@pytest.mark.parametrize("grid", [(0, 4), (4, 99)])
def test_a_grid_that_does_not_fit_is_refused(grid: tuple[int, int]):
    with pytest.raises(ParameterError, match="grid="):
        sub_window_statistics(np.zeros((8, 8)), grid)


def test_an_image_in_foreign_byte_order_becomes_native_and_contiguous():
    image = as_image(np.arange(12, dtype=">i2").reshape(3, 4)[:, ::2])
    assert image.dtype == np.float32
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    assert image.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_a_cube_is_no_image_and_a_mask_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"\(1, 2, 2\)"):
        as_image(np.zeros((1, 2, 2)))
    with pytest.raises(ShapeError, match="mask 0 has shape"):
        good_pixels(np.zeros((2, 2)), np.ones((2, 3), bool))


def brute_clipped_mean(cube: np.ndarray, sigma: float, iterations: int, floor: float) -> np.ndarray:
    mean = np.full(cube.shape[1:], np.nan)
    for y, x in np.ndindex(mean.shape):
        values = cube[:, y, x][np.isfinite(cube[:, y, x])].astype(float)
        for _ in range(iterations):
            if values.size:
                limit = sigma * max(mad_std(values), floor)
                values = values[np.abs(values - np.median(values)) <= limit]
        if values.size:
            mean[y, x] = values.mean()
    return mean


def cosmic_cube() -> np.ndarray:
    cube = noisy(4, (9, 24, 17))
    cube.flat[::97] += 900
    cube[3, 5, 5] = np.nan
    cube[:, 7, 7] = np.nan
    return cube


def test_the_clipped_mean_is_the_brute_force_one():
    cube = cosmic_cube()
    expected = brute_clipped_mean(cube, 3.0, 3, typical_sigma(stack(list(cube))))
    assert np.allclose(clipped_mean(list(cube)).mean, expected, rtol=2e-6, equal_nan=True)


@pytest.mark.parametrize("block_rows", [1, 5, 24, 1000])
def test_the_clipped_mean_does_not_depend_on_the_blocks_to_the_last_bit(block_rows: int):
    cube = cosmic_cube()
    whole, blocks = (
        clipped_mean(list(cube), maps=True),
        clipped_mean(list(cube), maps=True, block_rows=block_rows),
    )
    for name in ("mean", "error", "count"):
        assert getattr(whole, name).tobytes() == getattr(blocks, name).tobytes()


def test_a_callable_that_gives_rows_does_as_well_as_arrays():
    cube = cosmic_cube()
    asked = []

    def rows(start: int, stop: int) -> np.ndarray:
        asked.append(stop - start)
        return cube[:, start:stop]

    from_rows = clipped_mean(Stack(cube.shape, rows), block_rows=4).mean
    assert from_rows.tobytes() == clipped_mean(list(cube)).mean.tobytes()
    assert max(asked) == 4


def test_the_mean_of_ten_biases_is_as_good_as_ten_frames_allow():
    combined = clipped_mean([noisy(100 + i, (128, 128), 300, 3) for i in range(10)], maps=True)
    assert (combined.mean - 300).std() < 1.04 * 3 / np.sqrt(10)
    assert combined.mean.dtype == np.float32
    assert np.mean(combined.error) == pytest.approx(3 / np.sqrt(10), rel=0.06)
    assert combined.count.mean() > 9.9


def test_without_iterations_the_mean_is_plain_and_errors_are_numpys():
    cube = noisy(5, (6, 8, 9))
    combined = clipped_mean(list(cube), iterations=0, maps=True)
    assert np.allclose(combined.mean, cube.mean(axis=0, dtype=float), rtol=1e-6)
    assert np.allclose(combined.error, cube.std(axis=0, ddof=1, dtype=float) / np.sqrt(6), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_typical_sigma_is_not_biased_by_the_number_of_frames(n: int):
    assert typical_sigma(stack(list(noisy(6, (n, 64, 200))))) == pytest.approx(3.0, rel=0.03)


def test_too_few_or_unequal_frames_are_refused():
    with pytest.raises(TooFewFramesError, match="2 frames were given; at least 3"):
        clipped_mean([np.zeros((2, 2))] * 2, minimum=3)
    with pytest.raises(TooFewFramesError):
        clipped_mean([])
    with pytest.raises(ShapeError, match="one shape"):
        clipped_mean([np.zeros((2, 2)), np.zeros((2, 3))])


def test_read_noise_of_integer_frames_is_right_within_two_per_cent():
    first, second = (np.rint(noisy(seed, (200, 200), 325, 2.25)).astype(np.uint16) for seed in (7, 8))
    first[10, :5] = 9000
    found = estimate_read_noise(first, second)
    assert found.read_noise_adu == pytest.approx(np.hypot(2.25, 12**-0.5), rel=0.02)
    assert found.bias_level_adu == pytest.approx(325, abs=0.05)
    assert found.error_adu == pytest.approx(2.25 / np.sqrt(80000), rel=0.05)
    assert found.count == 40000 - 5


def test_a_constant_pair_of_biases_has_exactly_no_read_noise():
    found = estimate_read_noise(np.full((8, 8), 32, np.uint16), np.full((8, 8), 32, np.uint16))
    assert (found.read_noise_adu, found.bias_level_adu) == (0.0, 32.0)


def test_overscan_per_row_removes_what_drifts_along_the_rows():
    drift = np.linspace(300, 340, 50, dtype=np.float32)[:, None]
    raw = np.broadcast_to(drift, (50, 40)) + noisy(9, (50, 40), 0, 0.01)
    raw[:, :30] += 1000
    found = correct_overscan(raw, 6, (slice(0, 50), slice(30, 40)), (slice(2, 48), slice(0, 30)))
    assert found.shape == (46, 30)
    assert np.allclose(found, 1000, atol=0.1)


def test_no_overscan_correction_only_trims_and_copies():
    raw = noisy(10, (6, 8))
    found = correct_overscan(raw, 0, data=(slice(1, 5), slice(2, 8)))
    assert np.array_equal(found, raw[1:5, 2:8])
    assert not np.shares_memory(found, raw)


@pytest.mark.parametrize(
    ("method", "overscan", "data", "error"),
    [
        (5, None, None, ParameterError),
        (6, None, None, SectionError),
        (6, (slice(0, 6), slice(4, 9)), None, SectionError),
        (6, (slice(1, 6), slice(4, 8)), None, SectionError),
        (6, (slice(0, 6), slice(8, 8)), None, SectionError),
        (0, None, (slice(0, 6), slice(-3, 8)), SectionError),
    ],
)
def test_an_overscan_that_cannot_be_used_is_refused(method, overscan, data, error):
    with pytest.raises(error):
        correct_overscan(np.zeros((6, 8)), method, overscan, data)
