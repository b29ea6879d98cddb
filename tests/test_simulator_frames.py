"""Do simulated frames follow their truth, and stay the same however they are made?"""

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS

from datamodel.errors import UsageError
from processing.simulator import Exposure, Night, SurveyPlan, exposures, write_exposure, write_survey
from processing.simulator.camera import CHIPS, SATURATION_ADU
from processing.simulator.detector import bias_map, dark_map, defects, dome_illumination, response_map
from processing.simulator.frames import (
    conditions,
    cosmic_ray_pixels,
    expected_electrons,
    pixels,
    star_positions,
)
from processing.simulator.plan import FILTERS
from processing.simulator.stars import star_field
from processing.simulator.truth import zeropoint_adu

PLAN = SurveyPlan.tiny(
    chip_shape=(256, 256),
    pixel_scale_arcsec=9.0,
    nights=(Night(date(2003, 2, 14), biases=4, darks=1, domeflats=2, twilightflats=2, sciences=2),),
)
TINY = SurveyPlan.tiny(nights=(Night(date(2003, 2, 14), biases=2, darks=1, twilightflats=1, sciences=1),))
LEAKS = ("GAIN", "RDNOISE", "ZP", "SEEING", "FWHM", "BIASLEV", "ROTATION", "CHECKSUM", "DATASUM", "DATE")


def kind(plan: SurveyPlan, obstype: str, filter_name: str | None = None) -> list[Exposure]:
    return [e for e in exposures(plan) if e.obstype == obstype and filter_name in (None, e.filter)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("survey")
    write_survey(TINY, folder / "raw", folder / "truth", workers=1)
    return folder / "raw", folder / "truth"


def test_frames_are_the_same_in_any_order_and_any_subset(survey: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = survey
    for e in reversed(exposures(TINY)[::2]):
        again = write_exposure(TINY, e, tmp_path)
        assert digest(again) == digest(raw / again.name)


@pytest.mark.thorough
def test_frames_made_in_processes_are_the_same_and_whole_ones_are_not_made_again(
    survey: tuple[Path, Path], tmp_path: Path
) -> None:
    raw, _ = survey
    kept = tmp_path / f"{exposures(TINY)[0].obsid}.fits"
    kept.write_text("already here")
    told: list[tuple[int, int]] = []
    before = dict(os.environ)
    written = write_survey(TINY, tmp_path, workers=2, progress=lambda done, of: told.append((done, of)))
    assert dict(os.environ) == before
    assert kept.read_text() == "already here"
    assert [digest(p) for p in written[1:]] == [digest(raw / p.name) for p in written[1:]]
    assert told == [(n, len(written)) for n in range(2, len(written) + 1)]
    assert {p.suffix for p in tmp_path.iterdir()} == {".fits"}


def test_another_seed_is_another_sky() -> None:
    other = SurveyPlan.tiny(nights=TINY.nights, seed=1)
    assert not np.array_equal(
        pixels(TINY, exposures(TINY)[0], "ccd50"), pixels(other, exposures(other)[0], "ccd50")
    )
    assert not np.array_equal(star_field(TINY).g, star_field(other).g)


def test_no_two_chips_or_exposures_share_their_noise() -> None:
    one, two = kind(PLAN, "BIAS")[:2]
    noise = [pixels(PLAN, e, c) - bias_map(PLAN, c) for e in (one, two) for c in CHIPS]
    correlation = np.corrcoef([n.ravel() for n in noise])
    assert np.abs(correlation - np.eye(8)).max() < 0.03


@pytest.mark.parametrize("chip", CHIPS.values(), ids=str)
def test_bias_pairs_show_level_and_read_noise(chip) -> None:
    first, second = (pixels(PLAN, e, chip.name).astype(float) for e in kind(PLAN, "BIAS")[:2])
    _, median, _ = sigma_clipped_stats(first)
    _, _, spread = sigma_clipped_stats(first - second)
    assert median == pytest.approx(chip.bias_adu, abs=1)
    read_noise = np.sqrt(spread**2 / 2 - 1 / 12) * chip.gain_e_per_adu
    assert read_noise == pytest.approx(chip.read_noise_e, rel=0.03)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=str)
def test_a_pair_of_twilight_flats_shows_the_gain(chip) -> None:
    pair = kind(PLAN, "TWIFLAT", "#841")[:2]
    bias = bias_map(PLAN, chip.name)
    shape = response_map(PLAN, chip.name, "#841").astype(float)
    good = ~np.logical_or(*defects(PLAN, chip.name))
    a, b = ((pixels(PLAN, e, chip.name)[good] - bias[good]) / shape[good] for e in pair)
    ratio = a.mean() / b.mean()
    # A pixel of response s at level m has the variance m / (gain s) once divided by s.
    variance = np.var(a - ratio * b) / np.mean(1 / shape[good])
    gain = (a.mean() + ratio**2 * b.mean()) / variance
    assert gain == pytest.approx(chip.gain_e_per_adu, rel=0.03)


def test_flats_have_the_shape_of_the_response_and_the_dome_that_of_its_screen() -> None:
    for chip in CHIPS.values():
        good = ~np.logical_or(*defects(PLAN, chip.name))
        shape = response_map(PLAN, chip.name, "#842")
        screens = {"TWIFLAT": np.ones_like(shape), "DOMEFLAT": dome_illumination(PLAN, chip.name, "#842")}
        for obstype, screen in screens.items():
            e = kind(PLAN, obstype, "#842")[0]
            level = (pixels(PLAN, e, chip.name) - bias_map(PLAN, chip.name))[good] * chip.gain_e_per_adu
            ratio = level / (shape * screen)[good] / conditions(PLAN, e).light_e
            assert ratio.mean() == pytest.approx(1, abs=2e-3)
            assert 0.003 < ratio.std() < 0.01


def test_the_dome_differs_from_twilight_at_large_scale_only_and_by_a_few_per_cent() -> None:
    screens = np.stack([dome_illumination(PLAN, c, "#841") for c in CHIPS])
    assert 0.02 < np.ptp(screens) < 0.08
    assert np.abs(np.diff(screens, axis=2)).max() < 2e-4


def test_hot_and_cold_pixels_stand_out_where_the_truth_has_them() -> None:
    for chip in CHIPS:
        hot, cold = defects(PLAN, chip)
        assert not (hot & cold).any()
        bias = np.median([pixels(PLAN, e, chip) for e in kind(PLAN, "BIAS")], axis=0)
        assert np.array_equal(bias > CHIPS[chip].bias_adu + 40, hot)
        flat = pixels(PLAN, kind(PLAN, "TWIFLAT", "#841")[0], chip) - bias
        assert np.array_equal(flat < np.median(flat) / 2, cold)


def test_darks_show_the_dark_current_and_science_and_darks_alone_have_cosmic_rays() -> None:
    e = kind(PLAN, "DARK")[0]
    chip = CHIPS["ccd53"]
    charge = (pixels(PLAN, e, chip.name) - bias_map(PLAN, chip.name)) * chip.gain_e_per_adu
    assert np.median(charge) == pytest.approx(chip.dark_e_per_s * e.exptime_s, abs=2)
    hits = cosmic_ray_pixels(PLAN, e, chip.name)
    above = charge.ravel()[hits] - (dark_map(PLAN, chip.name) * e.exptime_s).ravel()[hits]
    assert len(hits) > 50
    assert np.median(above) > 300
    assert len(cosmic_ray_pixels(PLAN, kind(PLAN, "TWIFLAT")[0], chip.name)) == 0
    assert sum(len(cosmic_ray_pixels(PLAN, s, c)) for s in kind(PLAN, "SCIENCE") for c in CHIPS) > 50


def test_noise_of_a_science_frame_is_poisson_plus_read_noise() -> None:
    e, chip = kind(PLAN, "SCIENCE")[0], CHIPS["A5382"]
    expected = expected_electrons(PLAN, e, chip.name)
    unhit = np.ones(expected.size, bool)
    unhit[cosmic_ray_pixels(PLAN, e, chip.name)] = False
    unhit &= expected.ravel() < 1e5
    charge = (pixels(PLAN, e, chip.name) - bias_map(PLAN, chip.name)) * chip.gain_e_per_adu
    rounding = chip.gain_e_per_adu**2 / 12
    pull = (charge - expected) / np.sqrt(expected + chip.read_noise_e**2 + rounding)
    assert pull.ravel()[unhit].mean() == pytest.approx(0, abs=0.02)
    assert pull.ravel()[unhit].std() == pytest.approx(1, abs=0.01)


def test_stars_brighter_than_the_converter_stop_at_its_limit() -> None:
    e = kind(SurveyPlan.tiny(science_s=600.0), "SCIENCE")[0]
    image = pixels(SurveyPlan.tiny(science_s=600.0), e, "ccd50")
    assert image.dtype == np.uint16
    assert image.max() == SATURATION_ADU


def test_aperture_photometry_of_lonely_real_stars_returns_the_zeropoint_of_the_truth() -> None:
    field = star_field(PLAN)
    found = []
    for e in kind(PLAN, "SCIENCE", "#841"):
        for chip in CHIPS.values():
            x, y = star_positions(PLAN, e, chip.name)
            adu = pixels(PLAN, e, chip.name) - bias_map(PLAN, chip.name)
            flat = adu / response_map(PLAN, chip.name, "#841")
            bad = np.logical_or(*defects(PLAN, chip.name))
            bad.ravel()[cosmic_ray_pixels(PLAN, e, chip.name)] = True
            rows, columns = np.mgrid[0:256, 0:256]
            for i in np.flatnonzero(field.real & (x > 12) & (x < 243) & (y > 12) & (y < 243)):
                near = np.hypot(x - x[i], y - y[i]) < 20
                disc = np.hypot(columns - x[i], rows - y[i]) < 9
                if near.sum() > 1 or bad[disc].any() or adu[disc].max() > 60000:
                    continue
                light = (flat[disc] - np.median(flat)).sum() / e.exptime_s
                lost = (1 + 81 / (conditions(PLAN, e).fwhm_px / 1.0196) ** 2) ** -2
                magnitude = field.magnitude("V")[i] + 0.12 * e.airmass
                found.append(magnitude + 2.5 * np.log10(light / (1 - lost)) - zeropoint_adu(chip, "#841"))
    assert len(found) >= 10
    assert np.median(found) == pytest.approx(0, abs=0.01)


def test_files_have_an_empty_primary_and_a_named_image_for_each_chip(survey: tuple[Path, Path]) -> None:
    raw, _ = survey
    for e in exposures(TINY):
        with fits.open(raw / f"{e.obsid}.fits") as hdus:
            hdus.verify("exception")
            primary = hdus[0].header
            assert primary["NAXIS"] == 0
            assert (primary["INSTRUME"], primary["TELESCOP"]) == ("SIMCAM", "SIMTEL")
            assert (primary["OBSTYPE"], primary.get("FILTER")) == (e.obstype, e.filter)
            assert primary["OBSID"] == e.obsid
            assert ("AIRMASS" in primary) == (e.obstype == "SCIENCE")
            assert Time(primary["DATE-OBS"], scale="utc").mjd == pytest.approx(primary["MJD-OBS"], abs=1e-8)
            assert (
                [h.header["EXTNAME"] for h in hdus[1:]] == [h.header["CHIP"] for h in hdus[1:]] == list(CHIPS)
            )
            assert {h.data.dtype for h in hdus[1:]} == {np.dtype(np.uint16)}
            assert {h.header["BITPIX"] for h in hdus[1:]} <= {16}


def test_headers_tell_nothing_of_the_truth(survey: tuple[Path, Path]) -> None:
    raw, _ = survey
    for path in raw.iterdir():
        with fits.open(path) as hdus:
            words = [word for hdu in hdus for word in hdu.header]
            assert not [
                w
                for w in words
                if w.startswith(("A_", "B_", "AP_", "BP_", "PV", "CPDIS", *LEAKS)) and w != "DATE-OBS"
            ]
            assert all(hdu.header.get("CTYPE1", "RA---TAN") == "RA---TAN" for hdu in hdus)
            assert ("CRVAL1" in words) == (hdus[0].header["OBSTYPE"] == "SCIENCE")
    assert {p.suffix for p in raw.iterdir()} == {".fits"}


def test_the_header_of_a_chip_is_right_to_the_pointing_error_and_wrong_by_it(
    survey: tuple[Path, Path],
) -> None:
    raw, _ = survey
    for e in kind(TINY, "SCIENCE"):
        c = conditions(TINY, e)
        field = star_field(TINY)
        with fits.open(raw / f"{e.obsid}.fits") as hdus:
            for hdu in hdus[1:]:
                x, y = star_positions(TINY, e, hdu.header["EXTNAME"])
                on = (x > 0) & (x < 127) & (y > 0) & (y < 127)
                hx, hy = WCS(hdu.header).all_world2pix(field.ra_deg[on], field.dec_deg[on], 0)
                # A camera that looks further east sees everything further west, at higher x.
                shift = np.median(hx - x[on]), np.median(hy - y[on])
                injected = -c.east_arcsec / 18, c.north_arcsec / 18
                assert shift == pytest.approx(injected, abs=0.2)


def test_the_truth_is_readable_and_agrees_with_the_simulator(survey: tuple[Path, Path]) -> None:
    _, truth = survey
    numbers = json.loads((truth / "truth.json").read_text())
    assert numbers["chips"]["ccd54"]["gain_e_per_adu"] == 2.3
    assert numbers["chips"]["A5382"]["zeropoint_adu"]["#841"] == pytest.approx(18.18, abs=0.01)
    assert set(numbers["exposures"]) == {e.obsid for e in exposures(TINY)}
    science = kind(TINY, "SCIENCE")[0]
    assert numbers["exposures"][science.obsid]["fwhm_px"] == conditions(TINY, science).fwhm_px
    with np.load(truth / "maps.npz") as maps:
        assert np.array_equal(maps["hot/ccd50"], defects(TINY, "ccd50")[0])
        assert {f"response/{c}/{f}" for c in CHIPS for f in FILTERS} <= set(maps)
        assert np.array_equal(
            maps[f"cosmics/{science.obsid}/ccd50"], cosmic_ray_pixels(TINY, science, "ccd50")
        )
    table = Table.read(truth / "stars.ecsv")
    assert set(table["source_id"][~table["real"]]) == {0}
    assert np.allclose(table["B"] - table["V"], 0.8 * table["bp_rp"])


def test_the_truth_may_not_lie_among_the_raw_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inside the raw folder"):
        write_survey(TINY, tmp_path, tmp_path / "truth", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(hdus: fits.HDUList, path: Path, **_: object) -> None:
        path.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(fits.HDUList, "writeto", full)
    with pytest.raises(OSError, match="no space left"):
        write_exposure(TINY, exposures(TINY)[0], tmp_path)
    assert list(tmp_path.iterdir()) == []
