"""Real raw frames go through the archive: OHP's detector over four nights, Huntsman's sparse calibration."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.algorithms.sky_positions import pixel_positions
from processing.bias_frame import BiasFrame
from processing.ingest import ingest
from processing.opening import open_archive, operator
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.work import Given

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real raw frames are not beside this checkout")


@pytest.fixture
def telescope(database_url: str, tmp_path: Path, lent: Callable[[], object]) -> Iterator[Session]:
    """The operator of an empty archive."""
    opened: Archive = open_archive(Config(archive=tmp_path / "archive", database_url=database_url))
    opened.resource("workers", lent)
    with Session(opened, operator(opened)) as session:
        yield session
    opened.close()


@pytest.mark.thorough
@needs_data
def test_ohp_bias_and_read_noise_come_out_right_also_on_nights_without_biases(telescope: Session) -> None:
    summary = ingest(telescope, [DATA / "ohp_t152_andor"])
    assert summary.quarantined == []
    assert summary.frames == {"RawBiasFrame": 16, "RawDomeFlatFrame": 24, "RawScienceFrame": 12}
    for night in ("2022-09-19", "2022-09-20", "2022-09-21", "2022-09-22"):
        noise = ReadNoise.get(instrument="OHP_T152", chip="DU940P", date=night)
        assert noise.grade == "measured"
        assert noise.read_noise == pytest.approx(2.92, rel=0.02)
        bias = BiasFrame.get(instrument="OHP_T152", chip="DU940P", date=night)
        assert bias.imstat.median == pytest.approx(300.0, rel=0.02)


@pytest.mark.thorough
@needs_data
def test_ohp_spectra_are_reduced_with_their_lamp_flats(telescope: Session) -> None:
    ingest(telescope, [DATA / "ohp_t152_andor"])
    raw = RawScienceFrame.select_all()[0]
    reduced = ReducedScienceFrame.get(raw=raw)
    assert reduced.flat.twilight is None
    assert reduced.flat.dome is not None
    assert reduced.uptodate()


@pytest.mark.thorough
@needs_data
def test_huntsman_science_is_reduced_with_nominal_read_noise_and_its_stars_are_where_they_should(
    telescope: Session,
) -> None:
    assert ingest(telescope, [DATA / "huntsman_dorado"]).quarantined == []
    (raw,) = RawScienceFrame.select_all()
    listed = SourceList.get(raw=raw)
    reduced = listed.frame
    assert reduced.bias.read_noise.grade == "nominal"
    assert reduced.flat.dome is None
    assert reduced.flat.twilight.cold_pixels is None
    header = Given({}, reduced.path()).header
    with (DATA / "huntsman_dorado" / "refcat.csv").open() as stream:
        stars = list(csv.DictReader(stream))
    ra_name = next(n for n in stars[0] if n.lower() in ("ra", "raj2000", "ra_icrs"))
    dec_name = next(n for n in stars[0] if n.lower() in ("dec", "dej2000", "decj2000", "dec_icrs"))
    ra, dec = (np.array([float(s[n]) for s in stars]) for n in (ra_name, dec_name))
    x, y = pixel_positions(ra, dec, header)
    inside = (x >= 1) & (x <= 800) & (y >= 1) & (y <= 800)
    assert inside.sum() == 15
    from astropy.io import fits

    sources = fits.getdata(listed.path(), 1)
    distances = np.hypot(sources["x"][:, None] - x[inside], sources["y"][:, None] - y[inside]).min(axis=0)
    assert (distances < 3).sum() == 15
