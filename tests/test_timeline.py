"""Is what is used at each instant what the timeline says, and what the screen of the seed shows?"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.errors import ForbiddenError, UsageError
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.session import Session
from processing.asking import looking
from processing.bias_frame import BiasFrame
from processing.keys import Keys
from processing.process_status import INSPECTED, MADE, VERIFIED
from processing.selection import choose, select

SCREEN = [
    ("1990-01-01", "2030-01-01", "1990-01-01"),
    ("2000-08-01", "2000-08-02", "2005-01-07"),
    ("2000-08-03", "2000-08-07", "2005-01-07"),
    ("2000-08-07", "2000-08-08", "2005-01-07"),
    ("2000-08-08", "2000-08-20", "2005-01-10"),
    *((f"2000-08-{day}", f"2000-08-{day + 1}", "2005-01-10") for day in range(20, 26)),
    *(("2000-08-02", "2000-08-03", "2005-01-14"),) * 2,
]
"""Start, end and creation of the 13 master biases of WFI's ccd51 in the seed: 541, third quarter of 2000."""


def turn(clock: Any, instant: datetime) -> None:
    clock.advance(days=(instant - clock()) / timedelta(days=1))


@pytest.fixture
def chip(archive: Archive, clock: Any) -> Iterator[Any]:
    """A chip of WFI, in a session of account A in project P, in 1990."""
    turn(clock, datetime(1990, 1, 1))
    with Session(archive, archive.caller("A", "P", level=2)):
        telescope = Instrument(name="WFI", telescope="MPG/ESO 2.2 m")
        made = Chip(name="ccd51", instrument=telescope)
        Filter(name="#842", instrument=telescope).commit()
        made.commit()
        yield made


@pytest.fixture
def screen(chip: Any, clock: Any) -> list[Any]:
    """The biases of the seed's screen, each made when it says."""
    made = []
    for start, end, creation in SCREEN:
        turn(clock, datetime.fromisoformat(creation))
        made.append(bias(chip, datetime.fromisoformat(start), datetime.fromisoformat(end)))
    return made


def bias(chip: Any, start: datetime, end: datetime, **values: Any) -> Any:
    valid = {"timestamp_start": start, "timestamp_end": end}
    made = BiasFrame(**{"instrument": chip.instrument, "chip": chip, "process_status": MADE} | valid | values)
    made.commit()
    return made


def keys(chip: Any, instant: datetime, **more: Any) -> Keys:
    return Keys(chip.instrument, chip, None, instant, **more)


def winner(chip: Any, text: str) -> Any:
    return select(BiasFrame, keys(chip, datetime.fromisoformat(text)))


def test_the_screen_of_the_seed_has_thirteen_segments_and_twelve_winners(
    chip: Any, screen: list[Any]
) -> None:
    found = BiasFrame.timeline(chip=chip)
    forever, twin, other_twin = screen[0], screen[11], screen[12]
    assert len(found) == 13
    assert {s.winner for s in found} == {*screen} - {twin}
    assert [s.grade for s in found if s.winner is forever] == ["fallback-forever"] * 2
    assert (found[0].end, found[-1].start) == (datetime(2000, 8, 1), datetime(2000, 8, 26))
    eclipsed = [s for s in found if forever in s.eclipsed]
    assert sum((s.end - s.start for s in eclipsed), timedelta()) == timedelta(days=25)
    both = found.at(datetime(2000, 8, 2, 12))
    assert both is not None
    assert (both.winner, both.eclipsed, both.grade) == (other_twin, (twin, forever), "eclipsing")
    assert not [s for s in found if other_twin in s.eclipsed]


def test_selection_agrees_with_the_screen_at_borders_and_in_between(chip: Any, screen: list[Any]) -> None:
    found = BiasFrame.timeline(chip=chip)
    for each in screen:
        for instant in (
            each.timestamp_start,
            (each.timestamp_start + (each.timestamp_end - each.timestamp_start) / 2),
        ):
            segment, choice = found.at(instant), choose(BiasFrame, keys(chip, instant))
            assert segment is not None
            assert choice is not None
            assert (segment.winner, segment.grade) == (choice.winner, choice.grade)
    assert winner(chip, "2030-01-01") is None
    assert winner(chip, "1989-12-31T23:59:59.999999") is None


def test_judging_the_winner_bad_brings_the_older_one_back_and_the_past_stays(
    chip: Any, screen: list[Any], clock: Any
) -> None:
    forever, twin, other_twin = screen[0], screen[11], screen[12]
    turn(clock, datetime(2005, 2, 1))
    other_twin.is_valid = 0
    other_twin.commit()
    assert winner(chip, "2000-08-02T12:00:00") is twin
    turn(clock, datetime(2005, 3, 1))
    noon = {"chip": chip, "date": "2000-08-02T12:00:00"}
    assert BiasFrame.get(**noon, as_of="2005-01-12").object_id == forever.object_id
    assert BiasFrame.get(**noon, as_of="2005-01-20").object_id == other_twin.object_id
    assert BiasFrame.get(**noon, as_of="2005-01-20").is_valid == 1
    assert BiasFrame.timeline(chip=chip, as_of="2005-01-20").at(
        datetime(2000, 8, 2, 12)
    ).winner.object_id == (  # type: ignore[union-attr]
        other_twin.object_id
    )
    with pytest.raises(Exception, match="as of 1989-05-01T00:00:00 there was no BiasFrame of WFI ccd51"):
        BiasFrame.get(**noon, as_of="1989-05-01")


def test_a_validity_does_not_end_before_it_begins(chip: Any, screen: list[Any]) -> None:
    with pytest.raises(UsageError, match="ends 2000-01-01 00:00:00, before it begins, 2001-01-01"):
        bias(chip, datetime(2001, 1, 1), datetime(2000, 1, 1))
    screen[4].timestamp_end = datetime(1980, 1, 1)
    with pytest.raises(UsageError, match="before it begins"):
        screen[4].commit()


def test_what_is_not_made_eclipses_nothing(chip: Any, screen: list[Any]) -> None:
    screen_before = [(s.start, s.winner) for s in BiasFrame.timeline(chip=chip)]
    start, end, _ = SCREEN[4]
    unfinished = bias(
        chip, datetime.fromisoformat(start), datetime.fromisoformat(end), process_status=VERIFIED | INSPECTED
    )
    assert winner(chip, start) is screen[4]
    assert [(s.start, s.winner) for s in BiasFrame.timeline(chip=chip)] == screen_before
    unfinished.process_status |= MADE
    unfinished.commit()
    assert winner(chip, start) is unfinished
    assert BiasFrame.timeline(chip=chip).at(datetime.fromisoformat(start)).winner is unfinished


def test_who_allows_no_forever_gets_none_or_one_of_its_time(chip: Any, screen: list[Any]) -> None:
    assert BiasFrame.choose(chip=chip, date="2000-07-31T00:00:00").grade == "fallback-forever"
    assert BiasFrame.choose(chip=chip, date="2000-07-31T00:00:00", allow_forever=False) is None
    only = BiasFrame.choose(chip=chip, date="2000-08-09T00:00:00", allow_forever=False)
    assert (only.winner, only.grade, only.eclipsed) == (screen[4], "exact", 0)
    assert len(BiasFrame.timeline(chip=chip, allow_forever=False)) == 11


def test_a_favourite_of_the_project_wins_there_and_nowhere_else(
    chip: Any, screen: list[Any], archive: Archive, clock: Any
) -> None:
    twin, other_twin = screen[11], screen[12]
    before = clock()
    turn(clock, datetime(2006, 1, 1))
    twin.pin()
    twin.pin()
    at = {"chip": chip, "date": "2000-08-02T12:00:00"}
    choice = BiasFrame.choose(**at)
    assert (choice.winner, choice.grade, choice.eclipsed) == (twin, "favourite", 2)
    segment = BiasFrame.timeline(chip=chip).at(datetime(2000, 8, 2, 12))
    assert segment is not None
    assert (segment.winner, segment.grade) == (twin, "favourite")
    with Session(archive, archive.caller("A")):
        assert BiasFrame.select(**at).object_id == other_twin.object_id
        with pytest.raises(UsageError, match="'ALL' has none"):
            BiasFrame.select(**at).pin()
        foreign = BiasFrame.select(**at)
    with (
        Session(archive, archive.caller("C", "P")),
        pytest.raises(ForbiddenError, match="C is not a member of"),
    ):
        foreign.pin()
    pinned = clock()
    turn(clock, datetime(2007, 1, 1))
    twin.unpin()
    assert BiasFrame.select(**at) is other_twin
    turn(clock, datetime(2008, 1, 1))
    assert BiasFrame.select(**at, as_of=pinned).object_id == twin.object_id
    assert BiasFrame.select(**at, as_of=before).object_id == other_twin.object_id


def test_the_nearest_scope_is_ones_own_then_the_project_then_everybody(
    chip: Any, archive: Archive, clock: Any
) -> None:
    night = (datetime(2000, 8, 1), datetime(2000, 8, 2))
    made = {}
    for level in (1, 2, 3):
        clock.advance(days=1)
        made[level] = bias(chip, *night, _privileges=level)
    at = {"chip": chip, "date": "2000-08-01T12:00:00"}
    assert BiasFrame.select(**at) is made[3]
    assert BiasFrame.select(**at, policy="newest") is made[3]
    with Session(archive, archive.caller("A", "P")):
        assert BiasFrame.select(**at, policy="nearest-scope").object_id == made[1].object_id
        line = BiasFrame.timeline(chip=chip, policy="nearest-scope")
        assert [each.object_id for each in (line[0].winner, *line[0].eclipsed)] == [
            made[level].object_id for level in (1, 2, 3)
        ]
    with pytest.raises(UsageError, match=r"policy is 'nearest', expected one of newest, nearest-scope"):
        BiasFrame.select(**at, policy="nearest")


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.thorough) for s in (1, 2))])
def test_selection_is_the_timeline_at_every_instant(
    chip: Any, archive: Archive, clock: Any, seed: int
) -> None:
    """Half-open borders, flags, judgements, favourites, scopes, twins, empty validities, two sets of parameters."""
    chance = random.Random(seed)
    start = datetime(2000, 1, 1)
    for _ in range(12):
        first = chance.randint(0, 20)
        days = chance.choice((0, 1, 1, 3, 12, 4000))
        clock.advance(days=chance.choice((0, 0, 1)))
        made = bias(
            chip,
            start + timedelta(days=first),
            start + timedelta(days=first + days),
            is_valid=chance.choice((0, 1, 1, 2)),
            quality_flags=chance.choice((0, 0, 0, 5)),
            OVERSCAN_CORRECTION=chance.choice((0, 0, 6)),
            _privileges=chance.choice((2, 2, 3)),
        )
        if chance.random() < 0.2:
            made.pin()
    for options in (
        {},
        {"OVERSCAN_CORRECTION": 6},
        {"allow_forever": False},
        {"only_good": False},
        {"policy": "nearest-scope"},
    ):
        line = BiasFrame.timeline(chip=chip, **options)
        assert all(a.end <= b.start for a, b in pairwise(line))
        choosing = {k: v for k, v in options.items() if k != "OVERSCAN_CORRECTION"}
        shared = (("OVERSCAN_CORRECTION", 6),) if "OVERSCAN_CORRECTION" in options else ()
        for hours in range(0, 24 * 36, 12):
            instant = start + timedelta(hours=hours)
            with looking(choosing) as (_, demands):
                choice = choose(BiasFrame, keys(chip, instant, shared=shared), demands)
            segment = line.at(instant)
            assert (choice and choice.winner.object_id) == (segment and segment.winner.object_id), (
                instant,
                options,
            )


def test_a_class_of_exposures_has_no_timeline_and_a_timeline_no_date(chip: Any) -> None:
    with pytest.raises(UsageError, match="a timeline is of all times"):
        BiasFrame.timeline(chip=chip, date="2000-08-01")
    with pytest.raises(UsageError, match="no key or parameter 'chips'; did you mean 'chip'"):
        BiasFrame.timeline(chips=chip)
