"""Does the index of standings say what a walk of every plan says, whatever happens?"""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.errors import UsageError
from datamodel.frames import RawBiasFrame, RawDomeFlatFrame, RawScienceFrame, RawTwilightFlatFrame
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import standing
from processing import standing as module
from processing import standing_keeping
from processing.bias_frame import BiasFrame
from processing.bootstrap import bootstrap
from processing.classes import TARGET_CLASSES
from processing.impact import impact
from processing.master_flat_frame import MasterFlatFrame
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.standing import kept
from processing.standing_check import check_some, differences
from processing.standing_keeping import FOLLOWED, STEPPED, distrust, follow, renew
from processing.upkeep import keep_up
from tests.happenings import NIGHT, killed_at, something


@pytest.mark.thorough
def test_what_is_made_stands(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    SourceList.get(raw=raw)
    renew(session)
    assert differences(session) == []
    assert follow(session)


@pytest.mark.parametrize(
    ("seed", "steps"), [(0, 1), *(pytest.param(seed, 10, marks=pytest.mark.thorough) for seed in range(3))]
)
def test_the_index_says_what_a_walk_says_whatever_happens(session: Session, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    raws = list((RawScienceFrame.chip == "A5382").limit(3))
    for raw in raws[:2]:
        SourceList.get(raw=raw)
    renew(session)
    assert differences(session) == []
    for step in range(steps):
        what = something(session, chance, raws)
        renew(session)
        assert differences(session) == [], (step, what)


@pytest.mark.thorough
def test_nominal_calibrations_and_what_lacks_something_are_told_of(session: Session) -> None:
    for cls in (RawBiasFrame, RawDomeFlatFrame, RawTwilightFlatFrame):
        for raw in cls.chip == "A5382":
            raw.is_valid = 0
            raw.commit()
    list(bootstrap(session, "SIMCAM"))
    raw = (RawScienceFrame.chip == "A5382")[0]
    reduced = ReducedScienceFrame.get(raw=raw)
    renew(session)
    assert differences(session) == []
    for frame in RawBiasFrame.chip == "A5382":
        frame.is_valid = 1
        frame.commit()
    renew(session)
    assert differences(session) == []
    flat = MasterFlatFrame.select_all()[0]
    flat.is_valid = 0
    flat.commit()
    renew(session)
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


@pytest.mark.thorough
def test_the_index_is_made_anew_in_steps_of_which_any_may_be_the_last(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SourceList.get(raw=(RawScienceFrame.chip == "A5382")[0])
    monkeypatch.setattr(standing_keeping, "FEW", 0)
    monkeypatch.setattr(standing_keeping, "_STEP", 1)
    assert kept(session, made) == []
    distrust(session)
    assert not follow(session)
    for visit in (1, 4, 2):
        with killed_at(STEPPED, visit):
            renew(session)
        assert kept(session, made) is None
        assert made.uptodate()  # by a walk
    told: list[tuple[str, int]] = []
    renew(session, lambda *each: told.append(each))
    assert 0 < sum(count for _, count in told) < sum(len(cls.select_all()) for cls in TARGET_CLASSES)
    assert kept(session, made) == []
    assert differences(session) == []


def test_what_happened_is_taken_in_again_where_that_was_killed(session: Session) -> None:
    made = SourceList.get(raw=(RawScienceFrame.chip == "A5382")[0])
    bias = BiasFrame.select(**NIGHT)
    bias.is_valid = 0
    with killed_at(FOLLOWED, 1):
        bias.commit()
    assert kept(session, made) is None
    assert follow(session)
    assert kept(session, made)
    assert differences(session) == []


@pytest.mark.thorough
def test_workers_compare_the_index_with_plans_some_every_day(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = session.archive
    made = SourceList.get(raw=(RawScienceFrame.chip == "A5382")[0])
    monkeypatch.setattr(archive, "config", replace(archive.config, standings_checked=4))
    total = sum(len(cls.select_all()) for cls in TARGET_CLASSES)
    assert 4 < total < 12
    assert _compared_today(archive) == 4
    with session.transaction() as connection:
        wrong = sa.update(standing).where(standing.c.object_id == made.object_id)
        connection.execute(wrong.values(own='[["recipe", "", 0, ""]]'))
    assert not made.uptodate()
    for days in (1, 2):
        later = archive.clock() + timedelta(days=days)
        monkeypatch.setattr(archive, "clock", lambda later=later: later)
        _compared_today(archive)
    assert made.object_id in caplog.text
    keep_up(archive)
    assert kept(session, made) == []


def _compared_today(archive: Archive) -> int:
    count = 0
    while compared := check_some(archive):
        count += compared
    return count


@pytest.mark.thorough
def test_an_invalid_exposure_lacks_what_cannot_be_made_of_it(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    sources = SourceList.get(raw=raw)
    for each in (raw, sources.frame):
        each.is_valid = 0
        each.commit()
    assert differences(session) == []
    assert "missing:frame" in [str(reason) for reason in kept(session, sources) or ()]


def test_a_product_without_a_place_in_the_survey_is_not_in_the_index_and_stops_nobody(
    session: Session,
) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    reduced = ReducedScienceFrame.get(raw=raw)
    BiasFrame(_privileges=4).commit()
    root = table_of(DBObject)
    with session.transaction() as connection:
        hidden = sa.update(root).where(root.c.object_id == raw.object_id)
        connection.execute(hidden.values(privileges=1, creator="x"))
    distrust(session)
    keep_up(session.archive)
    assert follow(session)
    with Session(session.archive, Caller(None, level=4)) as stranger:
        assert kept(stranger, reduced) is None
    assert differences(session) == []


@pytest.mark.thorough
def test_bytes_that_are_gone_are_no_difference(session: Session) -> None:
    reduced = ReducedScienceFrame.get(raw=(RawScienceFrame.chip == "A5382")[0])
    session.archive.store.path(reduced.bias.filename).unlink()
    assert [str(reason) for reason in reduced.bias.why()] == ["data missing"]
    assert differences(session) == []


@pytest.mark.thorough
def test_an_index_that_others_have_begun_to_make_anew_is_not_believed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SourceList.get(raw=(RawScienceFrame.chip == "A5382")[0])
    monkeypatch.setattr(standing_keeping, "FEW", 0)
    monkeypatch.setattr(standing_keeping, "_STEP", 1)
    now = module.VERSION
    monkeypatch.setattr(module, "VERSION", now + 1)
    with killed_at(STEPPED, 4):
        renew(session)
    monkeypatch.setattr(module, "VERSION", now)
    assert kept(session, made) is None
    renew(session)
    assert kept(session, made) == []
