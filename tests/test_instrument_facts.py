"""Do headers and an instrument file together say what a raw frame is?"""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

from processing.fits_reading import open_raw
from processing.header_facts import NotUnderstoodError, facts
from processing.instrument import SHIPPED, load_instruments, read_instrument

REAL = Path(__file__).parents[1].parent / "shared" / "data"
SIMCAM = (SHIPPED / "simcam.toml").read_text(encoding="utf-8")
INSTRUMENTS = load_instruments()
PRIMARY = {
    "INSTRUME": "SIMCAM", "TELESCOP": "SIMTEL", "OBSTYPE": "SCIENCE", "FILTER": "#842", "EXPTIME": 20.0,
    "DATE-OBS": "2003-02-14T20:15:00.250", "OBJECT": "h Chi Per", "AIRMASS": 1.2, "RA": 35.28, "DEC": 57.167,
    "OBSID": "SIMCAM_1", "OBSERVER": "The Simulator", "TIMESYS": "UTC",
}  # fmt: skip
CHIP = {
    "EXTNAME": "CCD50", "CHIP": "ccd50", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 35.28,
    "CRVAL2": 57.167, "CRPIX1": -6.0, "CRPIX2": 518.0, "CD1_1": -0.00125, "CD1_2": 0.0, "CD2_1": 0.0,
    "CD2_2": 0.00125, "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS",
}  # fmt: skip


def read(primary=None, own=None, filename="raw.fits", instrument=None):
    instrument = instrument or INSTRUMENTS.named("SIMCAM")
    kept = {k: v for k, v in (PRIMARY | (primary or {})).items() if v is not ...}
    return facts(instrument, fits.Header(kept), fits.Header(CHIP | (own or {})), filename)


def changed(folder: Path, *changes: tuple[str, str]):
    text = SIMCAM
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "own.toml").write_text(text, encoding="utf-8")
    return read_instrument(folder / "own.toml")


def test_the_facts_of_a_science_frame():
    found = read()
    assert (found.instrument, found.frame_class, found.chip, found.filter) == (
        "SIMCAM", "RawScienceFrame", "ccd50", "#842",
    )  # fmt: skip
    assert (found.object, found.observer, found.obs_id) == ("h Chi Per", "The Simulator", "SIMCAM_1")
    assert (found.exptime_s, found.airmass, found.ra, found.dec) == (20.0, 1.2, 35.28, 57.167)
    assert (found.date_obs, found.night) == (datetime(2003, 2, 14, 20, 15, 0, 250_000), date(2003, 2, 14))
    assert found.mjd_obs == pytest.approx(Time(PRIMARY["DATE-OBS"]).mjd, abs=1e-9)
    assert WCS(fits.Header(found.wcs)).to_header() == WCS(fits.Header(CHIP)).to_header()


@pytest.mark.parametrize(
    ("obstype", "frame_class", "filter"),
    [
        ("BIAS", "RawBiasFrame", None),
        ("DARK", "RawDarkFrame", None),
        ("DOMEFLAT", "RawDomeFlatFrame", "#842"),
        ("TWIFLAT", "RawTwilightFlatFrame", "#842"),
    ],
)
def test_the_rules_tell_what_kind_of_frame_it_is(obstype, frame_class, filter):
    found = read({"OBSTYPE": obstype})
    assert (found.frame_class, found.filter, found.wcs) == (frame_class, filter, None)


def test_a_bias_is_not_refused_for_what_it_does_not_need():
    found = read({"OBSTYPE": "BIAS", "FILTER": "UNKNOWN", "AIRMASS": "none", "RA": "parked", "OBSID": ...})
    assert (found.filter, found.airmass, found.ra) == (None, None, None)
    assert found.obs_id == "raw"


def test_a_card_of_the_image_counts_before_one_of_the_file():
    assert read(own={"OBJECT": "of the chip"}).object == "of the chip"
    assert read(own={"OBJECT": "  "}).object == "h Chi Per"


REFUSED = {
    "type": ({"OBSTYPE": "FOCUS"}, "no rule tells the frame's type: OBSTYPE = 'FOCUS'"),
    "no date": ({"DATE-OBS": ...}, "the time of the exposure is not told: expected DATE-OBS"),
    "no time of day": ({"DATE-OBS": "2003-02-14"}, "the time of day is missing"),
    "date": ({"DATE-OBS": "14/02/03T20:15"}, "DATE-OBS = '14/02/03T20:15': expected a date and time"),
    "year": ({"DATE-OBS": "9999-02-14T20:15:00"}, "expected a year from 1900"),
    "first year": ({"DATE-OBS": "0001-01-01T00:00:00+14:00"}, "expected a"),
    "time scale": ({"TIMESYS": "TAI"}, "TIMESYS = 'TAI': expected UTC"),
    "no exposure time": ({"EXPTIME": ...}, "the exposure time is not told: expected EXPTIME"),
    "exposure time of text": ({"EXPTIME": "long"}, "EXPTIME = 'long': expected a number"),
    "negative exposure time": ({"EXPTIME": -1.0}, "EXPTIME = -1.0: expected seconds"),
    "infinite exposure time": ({"EXPTIME": "inf"}, "expected a finite number"),
    "no filter": ({"FILTER": ...}, "the filter is not told: expected FILTER"),
    "filter": ({"FILTER": "#84"}, "'#84' is no filter of SIMCAM: expected #841, #842, #843; did you mean"),
    "right ascension": ({"RA": 361.0}, "RA = 361.0: expected degrees, 0 to 360"),
    "declination": ({"DEC": "+91:00:00"}, "DEC = '\\+91:00:00': expected -90 to 90"),
    "airmass": ({"AIRMASS": 0.1}, "AIRMASS = 0.1: expected an airmass"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_frame_that_cannot_be_told_is_refused_with_the_reason(change, reason):
    with pytest.raises(NotUnderstoodError, match=reason):
        read(change)


REFUSED_CHIP = {
    "chip": ({"CHIP": "ccd99"}, "CHIP or EXTNAME: 'ccd99' is no chip of SIMCAM"),
    "projection of text": ({"CD1_1": "x"}, "CD1_1 = 'x' in the projection: expected a number"),
    "singular": ({"CD1_1": 0.0}, "matrix is singular"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED_CHIP.values(), ids=REFUSED_CHIP)
def test_an_image_that_cannot_be_told_is_refused_with_the_reason(change, reason):
    with pytest.raises(NotUnderstoodError, match=reason):
        read(own=change)


def test_a_science_frame_without_a_projection_of_the_sky_has_none():
    assert read(own={"CTYPE1": "LAMBDA", "CTYPE2": "SLIT"}).wcs is None


@pytest.mark.parametrize(("text", "seconds"), [("6,4E-05", 6.4e-5), ("20", 20.0), ("1.5 ", 1.5)])
def test_numbers_written_as_text_are_understood(text, seconds):
    assert read({"EXPTIME": text}).exptime_s == seconds


def test_sexagesimal_positions_are_hours_and_degrees():
    found = read({"RA": "02:21:07.2", "DEC": "-00 10 01.5"})
    assert found.ra == pytest.approx(Angle("02:21:07.2", "hourangle").deg)
    assert found.dec == pytest.approx(Angle("-00:10:01.5", "deg").deg)


def test_local_time_is_told_by_the_text_or_by_the_file(tmp_path):
    utc = datetime(2017, 12, 20, 1, 33, 43, 317_000)
    assert read({"DATE-OBS": "2017-12-19T18:33:43.317-0700"}).date_obs == utc
    behind = changed(tmp_path, ('["DATE-OBS"]', '["DATE-OBS"], utc_offset_h = -7'))
    assert read({"DATE-OBS": "2017-12-19T18:33:43.317"}, instrument=behind).date_obs == utc


def test_the_time_of_day_may_stand_in_a_card_of_its_own(tmp_path):
    apart = changed(tmp_path, ('["DATE-OBS"]', '["DATE-OBS"], time_cards = ["UT", "UTC"]'))
    found = read({"DATE-OBS": "2003-02-14", "UTC": "20:15:00.25"}, instrument=apart)
    assert found.date_obs == datetime(2003, 2, 14, 20, 15, 0, 250_000)


def test_the_date_may_be_a_modified_julian_one(tmp_path):
    by_mjd = changed(tmp_path, ('["DATE-OBS"]', '["MJD-OBS"], format = "mjd"'))
    found = read({"MJD-OBS": 52684.84375}, instrument=by_mjd)
    assert found.date_obs == Time(52684.84375, format="mjd").to_datetime()


def test_the_name_of_the_file_may_tell_the_type_and_the_object(tmp_path):
    named = changed(
        tmp_path,
        ('cards = { OBSTYPE = "BIAS" }', 'filename = "*bias*"'),
        ('object = { cards = ["OBJECT"] }', "object = { filename = '_(m\\d+)_' }"),
    )
    found = read(filename="n19_BIAS_m76_01.fits", instrument=named)
    assert (found.frame_class, found.object) == ("RawBiasFrame", "m76")


def test_what_must_be_equal_is_gathered(tmp_path):
    told = changed(tmp_path, ("[wcs]", '[compatibility]\nreadout = ["READMODE", "NONE"]\n\n[wcs]'))
    assert read({"READMODE": "fast"}, instrument=told).compatibility == {"readout": "fast None"}


def real(name: str):
    path = REAL / name
    with open_raw(path) as raw:
        instrument = INSTRUMENTS.recognise(raw.header)
        return facts(instrument, raw.header, raw.images[0].header, path.name)


needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real frames are not at hand")


@needs_real
@pytest.mark.parametrize(
    ("name", "frame_class", "night"),
    [
        ("huntsman_dorado/bias_0.fits", "RawBiasFrame", date(2021, 1, 6)),
        ("huntsman_dorado/dark_0.fits", "RawDarkFrame", date(2021, 1, 6)),
        ("huntsman_dorado/flat_0.fits", "RawTwilightFlatFrame", date(2021, 1, 12)),
        ("huntsman_dorado/science_0.fits", "RawScienceFrame", date(2021, 1, 18)),
        ("ohp_t152_andor/n19_bias_01.fits.gz", "RawBiasFrame", date(2022, 9, 19)),
        ("ohp_t152_andor/n19_bias_16.fits.gz", "RawBiasFrame", date(2022, 9, 22)),
        ("ohp_t152_andor/n20_flat_01.fits.gz", "RawDomeFlatFrame", date(2022, 9, 20)),
        ("ohp_t152_andor/n21_m76_01.fits.gz", "RawScienceFrame", date(2022, 9, 21)),
    ],
)
def test_real_frames_are_what_their_observers_say(name, frame_class, night):
    found = real(name)
    assert (found.frame_class, found.night) == (frame_class, night)


@needs_real
def test_the_repaired_projection_is_the_one_astropy_guesses():
    ours = WCS(fits.Header(real("huntsman_dorado/science_0.fits").wcs))
    assert ours.wcs.ctype[0] == "RA---TAN-SIP"
    with open_raw(REAL / "huntsman_dorado/science_0.fits") as raw:
        theirs = WCS(raw.header, fix=False)
    x, y = np.meshgrid([0, 400, 799], [0, 400, 799])
    np.testing.assert_allclose(ours.all_pix2world(x, y, 0), theirs.all_pix2world(x, y, 0), atol=1e-9)


@needs_real
def test_every_frame_of_the_spectrograph_is_understood():
    names = sorted(p.relative_to(REAL) for p in (REAL / "ohp_t152_andor").glob("*.gz"))[::4]
    for name in names:
        found = real(str(name))
        kind = {"bias": "RawBiasFrame", "flat": "RawDomeFlatFrame", "m76": "RawScienceFrame"}
        assert found.frame_class == kind[name.name.split("_")[1]]
        assert found.filter == (None if found.frame_class == "RawBiasFrame" else "none")
        assert found.wcs is None
