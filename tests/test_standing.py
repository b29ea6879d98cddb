"""Does the index of standings say what a walk of every plan says, whatever happens?"""

import random
from datetime import timedelta
from typing import Any

import pytest

from datamodel.errors import UsageError
from datamodel.frames import RawBiasFrame, RawDomeFlatFrame, RawScienceFrame, RawTwilightFlatFrame
from datamodel.session import Session
from processing import defaults
from processing.bias_frame import BiasFrame
from processing.bootstrap import bootstrap
from processing.classes import TARGET_CLASSES
from processing.hot_pixel_map import HotPixelMap
from processing.impact import impact
from processing.master_flat_frame import MasterFlatFrame
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.standing import differences, refresh

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


def test_what_is_made_stands(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    SourceList.get(raw=raw)
    refresh(session)
    assert differences(session) == []
    assert refresh(session) == 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.killing) for seed in (1, 2))])
def test_the_index_says_what_a_walk_says_whatever_happens(session: Session, seed: int) -> None:
    chance = random.Random(seed)
    raws = list((RawScienceFrame.chip == "A5382").limit(3))
    for raw in raws[:2]:
        SourceList.get(raw=raw)
    refresh(session)
    assert differences(session) == []
    for step in range(10):
        what = _something(session, chance, raws)
        refresh(session)
        assert differences(session) == [], (step, what)


def _something(session: Session, chance: random.Random, raws: list[Any]) -> str:
    everything = [o for cls in TARGET_CLASSES for o in cls.select_all()]
    kind = chance.choice(("judge", "judge", "judge raw", "validity", "make", "again", "default", "make all"))
    if kind == "judge":
        each = chance.choice(everything)
        each.is_valid = 0 if each.is_valid else 1
        each.commit()
        return f"{each!r} is {each.is_valid}"
    if kind == "judge raw":
        cls = chance.choice((RawBiasFrame, RawDomeFlatFrame, RawTwilightFlatFrame))
        each = chance.choice(list(cls.chip == "A5382"))
        each.is_valid = 0 if each.is_valid else 1
        each.commit()
        return f"{each!r} is {each.is_valid}"
    if kind == "validity":
        each = chance.choice([o for o in everything if not o.of_exposure])
        each.timestamp_end += timedelta(days=chance.choice((-3, -1, 1, 400)))
        each.commit()
        return f"{each!r} ends {each.timestamp_end}"
    if kind == "default":
        value = chance.choice((3.0, 4.0))
        place = defaults.Place("SIMCAM")
        defaults.set_default(session, BiasFrame, "SIGMA_CLIP", value, defaults.EVERYBODY, place)
        return f"SIGMA_CLIP is {value}"
    try:
        if kind == "make":
            cls = chance.choice((BiasFrame, HotPixelMap))
            made = cls.get(**NIGHT)
        elif kind == "again":
            made = BiasFrame.get(**NIGHT, SIGMA_CLIP=chance.choice((3.0, 4.0, 1.0)))
        else:
            made = chance.choice((ReducedScienceFrame, SourceList)).get(raw=chance.choice(raws))
    except Exception as error:  # what is lacking is part of the play
        return f"{kind}: {error}"
    return f"{kind}: {made!r}"


def test_nominal_calibrations_and_what_lacks_something_are_told_of(session: Session) -> None:
    for cls in (RawBiasFrame, RawDomeFlatFrame, RawTwilightFlatFrame):
        for raw in cls.chip == "A5382":
            raw.is_valid = 0
            raw.commit()
    list(bootstrap(session, "SIMCAM"))
    raw = (RawScienceFrame.chip == "A5382")[0]
    reduced = ReducedScienceFrame.get(raw=raw)
    refresh(session)
    assert differences(session) == []
    for frame in RawBiasFrame.chip == "A5382":
        frame.is_valid = 1
        frame.commit()
    refresh(session)
    assert differences(session) == []
    flat = MasterFlatFrame.select_all()[0]
    flat.is_valid = 0
    flat.commit()
    refresh(session)
    assert differences(session) == []
    assert not reduced.uptodate()


def test_the_impact_of_a_change_is_what_is_outdated_afterwards(session: Session) -> None:
    raws = list((RawScienceFrame.chip == "A5382").limit(2))
    for raw in raws:
        SourceList.get(raw=raw)
    bias = BiasFrame.select(**NIGHT)
    told = bias.impact(is_valid=0)
    assert (bias.is_valid, bias.uptodate(), bias.__state__.changed) == (1, True, set())
    assert len(told.outdated["SourceList"]) == 2
    assert told.mended == {}
    stands = {o.object_id for cls in TARGET_CLASSES for o in cls.select_all() if o.uptodate()}
    bias.is_valid = 0
    bias.commit()
    still = {o.object_id for cls in TARGET_CLASSES for o in cls.select_all() if o.uptodate()}
    assert {oid for ids in told.outdated.values() for oid in ids} == stands - still
    assert {oid for ids in bias.impact(is_valid=1).mended.values() for oid in ids} == stands - still
    raw = RawBiasFrame.select_all()[0]
    assert impact(session, raw, is_valid=1).outdated == {}
    with pytest.raises(UsageError, match=r"BiasFrame\.is_valit cannot be changed; did you mean 'is_valid'"):
        bias.impact(is_valit=0)
