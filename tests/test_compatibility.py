"""What must be equal for frames to be used together, is: binning, read-out and sub-frame are not mixed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.frames import RawBiasFrame, RawFrame, RawScienceFrame
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.declarations import parameters
from processing.derivation import derivation_key
from processing.ingest import ingest
from processing.instrument import SHIPPED
from processing.keys import Keys, keys_of_raw
from processing.master_flat_frame import MasterFlatFrame
from processing.node import Node
from processing.opening import open_archive, operator
from processing.plan import Planner
from processing.selection import raw_classes
from processing.site import instruments_of

NIGHT = {"date": "2003-02-14", "chip": "A5382"}
FINE, COARSE = '{"binning": "1x1"}', '{"binning": "2x2"}'


@pytest.fixture
def told(tmp_path: Path, database_url: str, lent: Callable[[], object]) -> Iterator[Session]:
    """The operator of an empty archive whose simulated camera has a binning."""
    folder = tmp_path / "instruments"
    folder.mkdir()
    text = (SHIPPED / "simcam.toml").read_text() + '\n[compatibility]\nbinning = ["BINNING"]\n'
    (folder / "simcam.toml").write_text(text)
    config = Config(archive=tmp_path / "archive", database_url=database_url, instruments=str(folder))
    opened: Archive = open_archive(config)
    opened.resource("workers", lent)
    with Session(opened, operator(opened)) as session:
        yield session
    opened.close()


def binned(source: Path, target: Path, binning: str, later_by: timedelta) -> Path:
    """A copy of a file that claims another binning and another time; its pixels differ a little."""
    with fits.open(source) as hdus:
        header = hdus[0].header
        start = datetime.fromisoformat(header["DATE-OBS"]) + later_by
        header.update({"BINNING": binning, "DATE-OBS": start.isoformat(), "OBSID": target.stem})
        for hdu in hdus[1:]:
            hdu.data[0, 0] += 1
        hdus.writeto(target)
    return target


@pytest.fixture
def mixed(told: Session, survey: Path, tmp_path: Path) -> Session:
    """The biases of one night in two binnings, the coarse ones nearer to midnight, and one coarse exposure."""
    files = sorted((survey / "raw").glob("*_20030214_*"))
    of_type = {kind: [p for p in files if fits.getval(p, "OBSTYPE") == kind] for kind in ("BIAS", "SCIENCE")}
    raw = tmp_path / "raw"
    raw.mkdir()
    for source in of_type["BIAS"]:
        start = datetime.fromisoformat(fits.getval(source, "DATE-OBS"))
        away = start.replace(hour=13) - start
        binned(source, raw / f"fine_{source.stem}.fits", "1x1", away)
        binned(source, raw / f"coarse_{source.stem}.fits", "2x2", away + timedelta(hours=1))
    binned(of_type["SCIENCE"][0], raw / "exposure.fits", "2x2", timedelta())
    assert ingest(told, [raw]).quarantined == []
    return told


def test_raw_frames_keep_what_must_be_equal_as_canonical_text(mixed: Session) -> None:
    assert {raw.compatibility for raw in RawFrame.select_all()} == {FINE, COARSE}


def test_a_bias_is_made_of_one_binning_only_and_serves_no_other(mixed: Session) -> None:
    bias = BiasFrame.get(**NIGHT)
    assert {raw.compatibility for raw in bias.raw_bias_frames} == {COARSE} == {bias.compatibility}
    assert {raw.compatibility for raw in bias.read_noise.raw_bias_frames} == {COARSE}
    assert bias.uptodate()
    planner = Planner(instruments_of(mixed.archive))
    keys = replace(bias.own_keys(), compatibility=FINE)
    other = planner.node(BiasFrame, keys)
    assert other.existing is None
    assert {raw.compatibility for raw in other.inputs["raw_bias_frames"]} == {FINE}
    assert planner.node(BiasFrame, bias.own_keys()).existing is bias
    with pytest.raises(
        UsageError, match="has no 'bining'; raw frames of A5382 have binning; did you mean 'binning'"
    ):
        BiasFrame.get(**NIGHT, compatibility={"bining": "1x1"})


def test_an_exposure_gets_the_calibrations_of_its_own_binning(mixed: Session) -> None:
    for raw in RawScienceFrame.select_all():
        keys = keys_of_raw(raw)
        node = Planner(instruments_of(mixed.archive)).node(BiasFrame, keys)
        assert {r.compatibility for r in node.inputs["raw_bias_frames"]} == {COARSE}
        unheard_of = replace(keys, compatibility='{"binning": "4x4"}')
        (lack,) = {*Planner(instruments_of(mixed.archive)).node(BiasFrame, unheard_of).missing[:1]}
        assert "(binning 4x4)" in lack


@pytest.mark.thorough
def test_who_asks_by_night_gets_the_binning_of_the_valid_frame_nearest_to_midnight(mixed: Session) -> None:
    assert BiasFrame.plan(**NIGHT).keys.compatibility == COARSE
    for raw in RawBiasFrame.compatibility == COARSE:
        raw.is_valid = 0
        raw.commit()
    assert BiasFrame.plan(**NIGHT).keys.compatibility == FINE


def test_a_class_is_made_from_the_raw_frames_of_all_its_roles() -> None:
    assert raw_classes(BiasFrame) == {RawBiasFrame}
    names = {cls.__name__ for cls in raw_classes(MasterFlatFrame)}
    assert names == {"RawBiasFrame", "RawDomeFlatFrame", "RawTwilightFlatFrame"}


@dataclass(frozen=True)
class _Thing:
    name: str = "made up"
    gain: float = 1.0
    read_noise: float = 2.0
    saturation: float = 60000.0
    trim_section: str = ""
    overscan_section: str = ""


@pytest.mark.parametrize(
    "facts",
    [
        {"gain": 1.1},
        {"read_noise": 2.1},
        {"saturation": 65535.0},
        {"trim_section": "[1:9,1:9]"},
        {"overscan_section": "[10:12,1:9]"},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_another_fact_of_the_chip_gives_another_derivation(facts: dict[str, object]) -> None:
    assert _key(_Thing(**facts)) != _key(_Thing()) == _key(_Thing())  # type: ignore[arg-type]


def test_another_compatibility_gives_another_derivation() -> None:
    assert _key(_Thing(), FINE) != _key(_Thing(), COARSE)


def _key(chip: _Thing, compatibility: str = "") -> str:
    keys = Keys(_Thing("camera"), chip, None, datetime(2003, 2, 15), compatibility=compatibility)
    values = {name: p.attribute.default for name, p in parameters(BiasFrame).items()}
    return derivation_key(Node(BiasFrame, keys, parameters=values), {})
