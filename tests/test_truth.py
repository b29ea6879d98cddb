"""What the simulator knows and never tells is recovered by asking the archive."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from datamodel.config import Config
from datamodel.frames import RawDomeFlatFrame, RawScienceFrame
from datamodel.session import Session
from processing.algorithms.background import measure_background
from processing.algorithms.gain import estimate_gain
from processing.bias_frame import BiasFrame
from processing.cold_pixel_map import ColdPixelMap
from processing.cosmic_map import CosmicMap
from processing.fits_reading import read_image
from processing.hot_pixel_map import HotPixelMap
from processing.ingest import ingest
from processing.master_flat_frame import MasterFlatFrame
from processing.opening import open_archive, operator
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.simulator import Night, SurveyPlan, exposures, frames, write_exposure
from processing.simulator.truth import star_table, truth_numbers, write_truth
from processing.source_list import SourceList

PLAN = SurveyPlan(
    nights=(Night(date(2003, 2, 14), biases=10, darks=0, domeflats=5, twilightflats=5, sciences=1),)
)
CHIPS = [
    "A5382",
    *(pytest.param(chip, marks=pytest.mark.thorough) for chip in ("ccd50", "ccd53", "ccd54")),
]
BLENDED = 1 | 2  # neighbours do not matter for a median
NIGHT = "2003-02-14"


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory, lent: Callable[[], object]) -> Iterator[Session]:
    """An archive that was given the raw frames of one filter; no truth lies anywhere near it."""
    folder = tmp_path_factory.mktemp("sky")
    for exposure in exposures(PLAN):
        if exposure.filter in (None, "#841"):
            write_exposure(PLAN, exposure, folder)
    archive = open_archive(Config(archive=folder / "archive"))
    archive.resource("workers", lent)
    with Session(archive, operator(archive)) as session:
        ingest(session, sorted(folder.glob("*.fits")))
        shutil.rmtree(folder / "archive" / "quarantine", ignore_errors=True)
        yield session
    archive.close()


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The numbers and maps of the truth, written after and elsewhere."""
    folder = tmp_path_factory.mktemp("truth")
    write_truth(PLAN, folder)
    numbers = json.loads((folder / "truth.json").read_text())
    return numbers | {"maps": np.load(folder / "maps.npz")}


@pytest.mark.parametrize("chip", CHIPS)
def test_bias_level_and_read_noise(sky: Session, truth: dict, chip: str) -> None:
    known = truth["chips"][chip]
    noise = ReadNoise.get(date=NIGHT, chip=chip)
    assert noise.read_noise == pytest.approx(known["read_noise_e"] / known["gain_e_per_adu"], rel=0.02)
    bias = BiasFrame.get(date=NIGHT, chip=chip)
    assert bias.imstat.median == pytest.approx(np.median(truth["maps"][f"bias/{chip}"]), abs=0.3)
    residual = _pixels(bias) - truth["maps"][f"bias/{chip}"]
    assert np.std(residual) < 1.2 * noise.read_noise / np.sqrt(10)


@pytest.mark.parametrize("chip", CHIPS)
def test_every_hot_and_every_cold_pixel(sky: Session, truth: dict, chip: str) -> None:
    hot = _pixels(HotPixelMap.get(date=NIGHT, chip=chip)) == 0
    cold = _pixels(ColdPixelMap.get(date=NIGHT, chip=chip, filter="#841")) == 0
    assert np.array_equal(hot, truth["maps"][f"hot/{chip}"])
    assert np.array_equal(cold, truth["maps"][f"cold/{chip}"])


@pytest.mark.parametrize("chip", CHIPS)
def test_master_flat(sky: Session, truth: dict, chip: str) -> None:
    flat = _pixels(MasterFlatFrame.get(date=NIGHT, chip=chip, filter="#841"))
    response = truth["maps"][f"response/{chip}/#841"]
    good = ~(truth["maps"][f"hot/{chip}"] | truth["maps"][f"cold/{chip}"])
    ratio = (flat / response)[good]
    assert np.std(ratio / np.median(ratio)) < 0.004


@pytest.mark.parametrize("chip", CHIPS)
def test_gain_from_a_pair_of_vignetted_flats(sky: Session, truth: dict, chip: str) -> None:
    first, second = (read_image(f.path())[0] for f in (RawDomeFlatFrame.chip == chip)[:2])
    bias, noise = BiasFrame.get(date=NIGHT, chip=chip), ReadNoise.get(date=NIGHT, chip=chip)
    gain = estimate_gain(first, second, _pixels(bias), noise.read_noise).gain
    assert gain == pytest.approx(truth["chips"][chip]["gain_e_per_adu"], rel=0.012)


@pytest.mark.parametrize("chip", CHIPS)
def test_sky_and_cosmic_rays(sky: Session, truth: dict, chip: str) -> None:
    raw = (RawScienceFrame.chip == chip)[0]
    exposure = next(e for e in exposures(PLAN) if e.obsid == raw.obs_id)
    known = truth["chips"][chip]
    reduced = ReducedScienceFrame.get(raw=raw)
    sky_e = truth["exposures"][raw.obs_id]["light_e"]
    expected = sky_e * known["response_median"]["#841"] / known["gain_e_per_adu"]
    assert measure_background(_pixels(reduced)).level == pytest.approx(expected, rel=0.02)
    hits = set(frames.cosmic_ray_pixels(PLAN, exposure, chip).tolist())
    found = set(np.flatnonzero(_pixels(CosmicMap.get(raw=raw)) == 0).tolist())
    assert len(hits & found) > 0.5 * len(hits)


@pytest.mark.parametrize("chip", CHIPS)
def test_zeropoint_from_real_stars(sky: Session, truth: dict, chip: str) -> None:
    raw = (RawScienceFrame.chip == chip)[0]
    exposure = next(e for e in exposures(PLAN) if e.obsid == raw.obs_id)
    sources = fits.getdata(SourceList.get(raw=raw).path(), 1)
    stars = star_table(PLAN)
    x, y = frames.star_positions(PLAN, exposure, chip)
    nx = ny = 512
    real = (
        np.asarray(stars["real"], bool) if "real" in stars.colnames else np.asarray(stars["source_id"]) != 0
    )
    chosen = real & (x > 15) & (x < nx - 15) & (y > 15) & (y < ny - 15)
    distance = np.hypot(sources["x"][:, None] - 1 - x[chosen], sources["y"][:, None] - 1 - y[chosen])
    nearest = distance.argmin(axis=0)
    matched = (distance.min(axis=0) < 1.0) & (sources["flags"][nearest] & ~BLENDED == 0)
    assert matched.sum() >= 10
    band = next(name for name in ("V", "mag_V", "v") if name in stars.colnames)
    magnitude = np.asarray(stars[band])[chosen][matched]
    zeropoint = magnitude - sources["mag_aper"][nearest][matched]
    known = truth["chips"][chip]
    extinction = truth_numbers(PLAN)["filters"]["#841"]["extinction"] * exposure.airmass
    n = known["response_median"]["#841"]
    expected = known["zeropoint_adu"]["#841"] + 2.5 * np.log10(n) - extinction
    assert np.median(zeropoint) == pytest.approx(
        expected - 0.02, abs=0.03
    )  # the aperture misses 1 to 3 per cent
    assert np.median(np.abs(zeropoint - np.median(zeropoint))) < 0.02


def _pixels(product: object) -> np.ndarray:
    path: Path = product.path()
    return read_image(path)[0]
