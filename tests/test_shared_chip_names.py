"""A chip name that two instruments share is not guessed at."""

import pytest

from datamodel.errors import UsageError
from datamodel.observatory import Chip, Instrument
from datamodel.session import Session
from processing.hot_pixel_map import HotPixelMap


@pytest.fixture
def rival(session: Session) -> Chip:
    """A chip of another camera, with the name of one of the simulated camera."""
    other = Chip(name="A5382", instrument=Instrument(name="RIVAL", telescope="made up"))
    other.instrument.commit()
    other.commit()
    return other


def test_a_chip_name_of_two_instruments_lists_the_candidates(rival: Chip) -> None:
    with pytest.raises(UsageError) as refused:
        HotPixelMap.get(date="2003-02-14", chip="A5382")
    text = str(refused.value)
    assert "chip 'A5382' is not unique: say instrument=" in text
    assert "RIVAL/A5382" in text
    assert "SIMCAM/A5382" in text
    assert "ccd50" not in text


def test_the_same_name_with_its_instrument_is_enough(rival: Chip) -> None:
    made = HotPixelMap.get(instrument="SIMCAM", date="2003-02-14", chip="A5382")
    assert (made.chip.name, made.instrument.name) == ("A5382", "SIMCAM")
    assert made.chip is not rival
    assert {raw.chip for raw in made.bias.raw_bias_frames} == {made.chip}
    assert HotPixelMap.get(instrument=made.instrument, date="2003-02-14", chip="A5382") is made
    assert HotPixelMap.get(date="2003-02-14", chip=made.chip) is made


def test_a_name_that_one_instrument_has_needs_no_instrument(rival: Chip) -> None:
    assert HotPixelMap.plan(date="2003-02-14", chip="ccd50").keys.instrument.name == "SIMCAM"
