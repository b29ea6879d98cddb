"""Do instrument files say what they must, and do nights, windows and matching follow from them?"""

import re
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from datamodel.errors import NotFoundError, UsageError
from processing.header_rules import Condition, FactSources, Source, WcsRule, card_value
from processing.instrument import SHIPPED, load_instruments, read_instrument
from processing.instrument_file import ChipFacts, ClassRule, FilterFacts, InstrumentFile, Site

SIMCAM = (SHIPPED / "simcam.toml").read_text(encoding="utf-8")


def put(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def without(text: str, line: str) -> str:
    assert f"\n{line}" in text
    return "\n".join(each for each in text.split("\n") if not each.startswith(line))


@pytest.fixture(scope="module")
def instruments():
    return load_instruments()


def test_the_shipped_files_are_read(instruments):
    assert [i.name for i in instruments] == ["HUNTSMAN", "OHP_T152", "SIMCAM"]


def test_an_instrument_is_found_by_its_name(instruments):
    assert instruments.named("simcam").telescope == "SIMTEL"
    with pytest.raises(NotFoundError, match=r"'SIMCAN'; did you mean 'SIMCAM'\?"):
        instruments.named("SIMCAN")


def test_a_file_of_the_site_replaces_ours_of_the_same_name(tmp_path):
    put(tmp_path, SIMCAM.replace('"SIMTEL"', '"OTHER"'))
    loaded = load_instruments([tmp_path])
    assert len(loaded.files) == 3
    assert loaded.named("SIMCAM").telescope == "OTHER"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        load_instruments([tmp_path / "none"])


DESCRIBED = (InstrumentFile, Site, Source, FactSources, ChipFacts, FilterFacts, WcsRule, ClassRule)


@pytest.mark.parametrize("kind", DESCRIBED)
def test_every_key_is_described_for_those_who_write_such_files(kind):
    page = (Path(__file__).parents[1] / "docs" / "instrument_files.md").read_text(encoding="utf-8")
    told = set(re.findall(r"[`\[]([a-z_]+)[`\].]", page))
    assert {f.name for f in fields(kind)} <= told


WRONG = {
    "not TOML": (SIMCAM + "\n[[[", r"own.toml.*at line"),
    "unknown key": (SIMCAM.replace("telescope =", "telescop ="), r"unknown key 'telescop'.*'telescope'\?"),
    "unknown key of a chip": (
        SIMCAM.replace("gain_e_per_adu = 2.1", "gain_e_per_add = 2.1"),
        r"'gain_e_per_add' in 'chips' of the file, number 2; did you mean 'gain_e_per_adu'\?",
    ),
    "unknown fact": (SIMCAM.replace("airmass =", "airmas ="), r"'airmas' in 'facts'.*'airmass'\?"),
    "unknown class": (SIMCAM.replace("[classes.BiasFrame]", "[classes.BiasFrames]"), r"'BiasFrame'\?"),
    "unknown key of a class": (
        SIMCAM + "minimum_raw = 2\n",
        r"'minimum_raw' in 'FringeFrame'.*'minimum_raws'\?",
    ),
    "missing key": (without(SIMCAM, "telescope ="), "key 'telescope' is missing in the file"),
    "missing key of the site": (without(SIMCAM, "latitude_deg"), "key 'latitude_deg' is missing in 'site'"),
    "missing default": (without(SIMCAM, 'window = "night"'), "key 'window' is missing"),
    "text for a number": (SIMCAM.replace("= -17.88", '= "west"'), "'west': expected a number"),
    "longitude": (SIMCAM.replace("= -17.88", "= 342.1"), "longitude_deg is 342.1: expected -180 to 180"),
    "NaN": (SIMCAM.replace("= -17.88", "= nan"), "is nan: expected a number"),
    "duration": (SIMCAM.replace('"7d"', '"a week"'), "'a week': expected 'night' or days"),
    "size": (SIMCAM.replace("[512, 512]", "[512]"), "expected a list of 2"),
    "negative gain": (SIMCAM.replace("gain_e_per_adu = 2.1", "gain_e_per_adu = -2.1"), "expected above 0"),
    "name for a file": (SIMCAM.replace('"ccd50"', '"../ccd50"'), "expected 1 to 32 letters"),
    "kind of flat": (SIMCAM.replace('"night-sky"', '"sky"'), "flats is 'sky': expected some of dome"),
    "frame class": (SIMCAM.replace('"RawDarkFrame"', '"RawDarkframe"'), r"did you mean 'RawDarkFrame'\?"),
    "wavelengths": (SIMCAM.replace("em_min_m = 5.0e-7", "em_min_m = 500"), "expected metres"),
    "condition": (SIMCAM.replace('"BIAS"', "{ under = 3 }"), "unknown key 'under' for OBSTYPE"),
    "pattern": (SIMCAM.replace('["OBJECT"]', '["OBJECT"], filename = "("'), "own.toml"),
    "groups": (SIMCAM.replace('["OBJECT"]', '["OBJECT"], filename = "x"'), "one group"),
    "maximum below minimum": (SIMCAM.replace("maximum_raws = 2", "maximum_raws = 1"), "minimum <= maximum"),
    "section": (SIMCAM.replace("mosaic = [1, 0]", 'trim_section = "1:512"'), r"expected a section such as"),
    "section backwards": (SIMCAM.replace("mosaic = [1, 0]", 'trim_section = "[9:1,1:2]"'), "1 <= x1 <= x2"),
    "table": (SIMCAM.replace("[wcs]\nin_headers = true", ""), "key 'wcs' is missing"),
    "no table": (SIMCAM.replace("[match]", "[unused]"), "unknown key 'unused'|'match' is missing"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path, text, message):
    assert text != SIMCAM
    with pytest.raises(UsageError, match=message) as caught:
        read_instrument(put(tmp_path, text))
    assert str(caught.value).startswith("'own.toml': ")


def test_a_section_is_a_slice_of_an_array(tmp_path):
    text = SIMCAM.replace("mosaic = [1, 0]", 'trim_section = "[51:2098, 1:4096]"')
    section = read_instrument(put(tmp_path, text)).chip("ccd50").trim_section
    assert section.slices == (slice(0, 4096), slice(50, 2098))
    assert str(section) == "[51:2098,1:4096]"


def test_chips_and_filters_are_found_by_name_and_alias(instruments):
    huntsman = instruments.named("HUNTSMAN")
    assert huntsman.chip("371D420013090900").name == "asi183"
    assert huntsman.filter("g").name == "g_band"
    with pytest.raises(
        NotFoundError, match="'h_band' is no filter of HUNTSMAN: expected g_band; did you mean"
    ):
        huntsman.filter("h_band")


HEADERS = {
    "SIMCAM": {"INSTRUME": "SIMCAM  ", "TELESCOP": "SIMTEL"},
    "OHP_T152": {"HEAD": "DU940P_BV", "SERNO": 22712},
    "HUNTSMAN": {"ORIGIN": "Project PANOPTES", "OBSERVER": "Huntsman"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_recognised_as_that_of_its_instrument(instruments, name):
    assert instruments.recognise(fits.Header(HEADERS[name])).name == name
    assert instruments.recognise(HEADERS[name]).name == name


def test_a_header_of_no_instrument_is_told_what_each_one_missed(instruments):
    with pytest.raises(NotFoundError, match="SIMCAM expects INSTRUME = 'SIMCAM', got 'ZWO ASI120MC-S'"):
        instruments.recognise({"INSTRUME": "ZWO ASI120MC-S"})


def test_a_header_of_two_instruments_is_refused(instruments):
    with pytest.raises(UsageError, match="OHP_T152 and SIMCAM"):
        instruments.recognise(HEADERS["SIMCAM"] | HEADERS["OHP_T152"])


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition("X", ("Flat*",)), "FlatDither00", True),
        (Condition("X", ("Flat*",)), "flat", True),
        (Condition("X", ("Flat*",)), "Deflate", False),
        (Condition("X", ("A", "B")), "B", True),
        (Condition("X", (3,)), 3.0, True),
        (Condition("X", (3,)), "3", False),
        (Condition("X", ("3",)), 3, True),
        (Condition("X", ("*",)), None, False),
        (Condition("X", (), 1, 2), 1, True),
        (Condition("X", (), 1, 2), 2, False),
        (Condition("X", (), 1, 2), "1.5", False),
    ],
)
def test_a_condition_holds_for_the_values_it_names(condition, value, holds):
    assert condition.holds(value) is holds


def test_a_card_without_a_value_is_absent():
    header = fits.Header([("A", None), ("B", "   "), ("C", " x "), ("D", 0)])
    assert [card_value(header, card) for card in "ABCDE"] == [None, None, "x", 0, None]


def test_a_night_runs_from_local_noon_to_local_noon(instruments):
    simcam = instruments.named("SIMCAM")
    night = date(2005, 3, 30)
    assert simcam.night_of(datetime(2005, 3, 30, 12)) == night
    assert simcam.night_of(datetime(2005, 3, 31, 11, 59, 59)) == night
    assert simcam.night_of(datetime(2005, 3, 31, 12)) == date(2005, 3, 31)
    assert simcam.midnight(night) == datetime(2005, 3, 31)


def test_without_an_offset_noon_is_that_of_the_mean_sun(tmp_path):
    text = without(SIMCAM, "utc_offset_h").replace("-17.88", "-70.73")
    la_silla = read_instrument(put(tmp_path, text))
    assert la_silla.night_of(datetime(2000, 4, 29, 0, 4)) == date(2000, 4, 28)
    midnight = la_silla.midnight(date(2000, 4, 28))
    assert abs(midnight - datetime(2000, 4, 29, 4, 43)) < timedelta(minutes=1)


@pytest.mark.parametrize("name", HEADERS)
def test_the_midnight_of_a_night_lies_in_the_middle_of_it(instruments, name):
    instrument = instruments.named(name)
    for night in (date(2003, 2, 14), date(2021, 1, 18), date(2024, 2, 29)):
        midnight, half = instrument.midnight(night), timedelta(hours=12)
        assert instrument.night_of(midnight) == night
        assert instrument.night_of(midnight - half) == night
        assert instrument.night_of(midnight + half) == night + timedelta(days=1)
        assert instrument.night_of(midnight - half - timedelta(microseconds=1)) == night - timedelta(days=1)


def test_an_instant_with_a_time_zone_is_refused(instruments):
    with pytest.raises(UsageError, match="expected UTC without one"):
        instruments.named("SIMCAM").night_of(datetime(2005, 3, 30, tzinfo=UTC))


def test_windows_are_the_night_or_days_about_its_midnight(instruments):
    simcam = instruments.named("SIMCAM")
    night = date(2003, 2, 14)
    assert simcam.window("BiasFrame", night) == (datetime(2003, 2, 14, 12), datetime(2003, 2, 15, 12))
    assert simcam.window("DomeFlatFrame", night) == (datetime(2003, 2, 11, 12), datetime(2003, 2, 18, 12))
    assert simcam.validity("MasterFlatFrame", night) == simcam.window("DomeFlatFrame", night)
    assert simcam.rule("ReadNoise").maximum_raws == 2
    assert simcam.rule("HotPixelMap") == simcam.defaults


def test_the_biases_of_the_first_and_last_night_serve_the_nights_between(instruments):
    ohp = instruments.named("OHP_T152")
    taken = datetime(2022, 9, 19, 19, 47, 40), datetime(2022, 9, 22, 18, 44, 39)
    for day in (19, 20, 21, 22):
        start, end = ohp.window("BiasFrame", date(2022, 9, day))
        assert all(start <= instant < end for instant in taken)


def test_a_science_frame_finds_the_calibrations_of_the_weeks_before(instruments):
    start, end = instruments.named("HUNTSMAN").window("TwilightFlatFrame", date(2021, 1, 18))
    assert start <= datetime(2021, 1, 7, 1, 31) < end
    assert start <= datetime(2021, 1, 12, 9, 24) < end


def test_what_rests_on_a_flat_that_is_never_taken_is_never_made(instruments):
    makes = {
        i.name: [c for c in ("ColdPixelMap", "TwilightFlatFrame", "BiasFrame") if i.makes(c)]
        for i in instruments
    }
    assert makes == {
        "SIMCAM": ["ColdPixelMap", "TwilightFlatFrame", "BiasFrame"],
        "OHP_T152": ["ColdPixelMap", "BiasFrame"],
        "HUNTSMAN": ["TwilightFlatFrame", "BiasFrame"],
    }
