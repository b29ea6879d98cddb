"""Can exposures be reduced at once, badly, with nominal calibrations; and do these give way to what is measured?"""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import numpy as np
import pytest
from astropy.io import fits

from datamodel.archive import Archive
from datamodel.errors import MissingInputError, UsageError
from datamodel.frames import RawBiasFrame, RawDomeFlatFrame, RawScienceFrame, RawTwilightFlatFrame
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.bootstrap import bootstrap
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.opening import operator
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server import cli

CHIP = {"chip": "A5382"}
NOMINAL = (ReadNoise, BiasFrame, HotPixelMap, MasterFlatFrame)


def judge(is_valid: int) -> None:
    """Have a person judge all raw calibrations of the chip."""
    for cls in (RawBiasFrame, RawDomeFlatFrame, RawTwilightFlatFrame):
        for raw in cls.chip == "A5382":
            raw.is_valid = is_valid
            raw.commit()


@pytest.mark.thorough
def test_without_raw_calibrations_a_frame_is_reduced_with_nominal_ones_and_says_so(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    judge(0)
    with pytest.raises(MissingInputError):
        ReducedScienceFrame.get(raw=raw)
    made = list(bootstrap(session, "SIMCAM"))
    assert {type(m) for m in made} == {ReadNoise, BiasFrame, HotPixelMap, MasterFlatFrame}
    assert list(bootstrap(session, "SIMCAM")) == []
    reduced = ReducedScienceFrame.get(raw=raw)
    assert (reduced.selection_grade, reduced.bias.uptodate(), reduced.uptodate()) == (
        "fallback-forever",
        True,
        True,
    )
    assert reduced.selection_grades == (
        '{"bias": "fallback-forever", "hot_pixels": "fallback-forever", "flat": "fallback-forever"}'
    )
    with fits.open(raw.path()) as hdus, fits.open(reduced.path()) as found:
        pixels = next(hdu.data for hdu in hdus if hdu.data is not None).astype(np.float32)
        np.testing.assert_array_equal(found[0].data, pixels)
    with pytest.raises(MissingInputError):
        ReducedScienceFrame.get(raw=raw, allow_forever=False)
    assert "fallback-forever" in ReducedScienceFrame.plan(raw=raw).tree()

    judge(1)
    plan = ReducedScienceFrame.plan(raw=raw)
    assert {str(r) for r in plan.reasons} == {"dep:bias", "dep:hot_pixels", "dep:cold_pixels", "dep:flat"}
    better = ReducedScienceFrame.get(raw=raw)
    assert (better.uptodate(), better.selection_grade) == (True, "eclipsing")
    assert better.bias.read_noise.grade == "measured"


def test_a_quick_look_does_without_a_map_that_there_is_not(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    judge(0)
    list(bootstrap(session, "SIMCAM"))
    judge(1)
    quick = ReducedScienceFrame.get(raw=raw, depth=0)
    assert (quick.cold_pixels, quick.selection_grade) == (None, "fallback-forever")
    assert set(json.loads(quick.selection_grades)) == {"bias", "hot_pixels", "flat"}
    assert ReducedScienceFrame.get(raw=raw, depth="pipeline") is quick
    assert quick.uptodate(depth="pipeline")
    assert "dep:cold_pixels" in {str(reason) for reason in ReducedScienceFrame.plan(raw=raw).reasons}


def test_a_quick_look_does_not_do_without_what_is_needed(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    with pytest.raises(MissingInputError, match=r"no BiasFrame of SIMCAM A5382 .*beyond the depth"):
        ReducedScienceFrame.get(raw=raw, depth=0)
    with pytest.raises(MissingInputError, match=r"no DomeFlatFrame of .* beyond the depth; there is no Twi"):
        MasterFlatFrame.get(**CHIP, date="2003-02-14", filter="#841", depth=0)


def test_what_is_there_is_not_eclipsed_by_nominal_ones(session: Session) -> None:
    bias = BiasFrame.get(date="2003-02-14", **CHIP)
    made = list(bootstrap(session, "SIMCAM"))
    assert not [m for m in made if isinstance(m, BiasFrame | ReadNoise) and m.chip.name == "A5382"]
    assert BiasFrame.get(date="2003-02-14", **CHIP) is bias


@pytest.mark.parametrize(
    ("instrument", "days", "said"),
    [
        ("SIMCAN", 20_000, "no instrument 'SIMCAN' with raw frames; there are SIMCAM"),
        ("SIMCAM", 30, "3650 days"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(session: Session, instrument: str, days: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(
            bootstrap(session, instrument, datetime(1990, 1, 1), datetime(1990, 1, 1) + timedelta(days=days))
        )


@pytest.mark.thorough
def test_the_commands_make_show_and_pin_nominal_calibrations(
    observatory: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", observatory.config.database_url)

    def told(*words: str) -> str:
        status = cli.main([*words, "--archive", str(observatory.config.archive)])
        captured = capsys.readouterr()
        return captured.out if status == 0 else f"{status}: {captured.err}"

    made = [json.loads(line) for line in told("bootstrap", "SIMCAM", "--json").splitlines()]
    bias = next(m for m in made if (m["class"], m["chip"]) == ("BiasFrame", "A5382"))
    (segment,) = json.loads(told("timeline", "BiasFrame", "--chip", "A5382", "--json"))
    assert (segment["object_id"], segment["grade"]) == (bias["object_id"], "fallback-forever")
    assert told("timeline", "BiasFrame", "--chip", "A5382", "--no-forever", "--json") == "[]\n"
    assert "fallback-forever" in told("timeline", "BiasFrame", "--chip", "A5382")
    assert "is a favourite of project 'demo'" in told("favourite", bias["object_id"])
    assert "is no favourite of project 'demo'" in told("favourite", bias["object_id"], "--unset")
    assert told("timeline", "SourceList", "--chip", "A5382") == (
        "2: vo-server: SourceList belongs to one exposure: it has no timeline\n"
    )
    assert told("bootstrap", "SIMCAM", "--from", "today").startswith(
        "2: vo-server: --from is 'today', expected"
    )
    early = ("get", "BiasFrame", "--chip", "A5382", "--date", "2003-02-14", "--as-of", "1990-01-01")
    assert told(*early) == "2: vo-server: as of 1990-01-01T00:00:00 there was no chip 'A5382'\n"


@pytest.mark.killing
def test_a_bootstrap_that_is_killed_leaves_whole_calibrations_and_is_begun_again(
    observatory: Archive,
) -> None:
    code = "import sys; from vo_server.cli import main; sys.exit(main())"
    words = ["bootstrap", "SIMCAM", "--archive", str(observatory.config.archive)]
    environ = os.environ | {
        "VO_CRASH_AT": "bootstrap.made:3",
        "VO_DATABASE_URL": observatory.config.database_url,
    }
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], env=environ, capture_output=True, check=False
    )
    assert ended.returncode == 137
    with Session(observatory, operator(observatory)) as session:
        before = sum(len(cls.select_all()) for cls in NOMINAL)
        rest = list(bootstrap(session, "SIMCAM"))
        assert before == 3
        assert len(rest) + before == sum(len(cls.select_all()) for cls in NOMINAL)
        assert all(m.uptodate() and m.is_on_dataserver() for m in BiasFrame.select_all())
