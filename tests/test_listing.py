"""Is what ObsCore lists true after everything that happened, whoever wrote beside whom?"""

import threading
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from astropy import units as u
from astropy.coordinates import SkyCoord

from datamodel.archive import Archive
from datamodel.errors import UsageError
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.history import event
from datamodel.observations import listing_state, observation
from datamodel.session import Session
from processing import listing
from processing.bias_frame import BiasFrame
from processing.listing import refresh
from processing.opening import operator
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server.obscore import obscore


def listed(session: Session, class_name: str = "ReducedScienceFrame") -> set[str]:
    """The exposures for which a product is listed."""
    with session.connection() as connection:
        rows = sa.select(observation.c.raw_id).where(observation.c.class_name == class_name)
        return set(connection.scalars(rows))


def told_of(session: Session, raw: Any) -> dict[str, tuple[str | None, str | None]]:
    """By class, what ObsCore says of how the products of an exposure stand, and were chosen for."""
    table = obscore(session.archive.config).selectable(session.caller)
    columns = (table.c.row, table.c.product_status, table.c.selection_grade)
    with session.connection() as connection:
        rows = connection.execute(sa.select(*columns).where(table.c.row.endswith(raw.object_id)))
        return {row.split("/")[0]: (status, grade) for row, status, grade in rows}


def judge(frame: Any, is_valid: int) -> None:
    frame.is_valid = is_valid
    frame.commit()


def is_waiting(archive: Archive) -> bool:
    """Whether somebody waits for a lock of the database."""
    statement = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with archive.database.read() as connection:
        return bool(connection.scalar(statement))


def is_served(archive: Archive) -> bool:
    return archive.database.engine.dialect.name == "postgresql"


def test_obscore_says_how_products_stand_and_how_their_calibrations_were_chosen(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    raw_row = {"RawScienceFrame": ("ok", None)}
    to_build = ("to be built", None)
    assert told_of(session, raw) == raw_row | {"ReducedScienceFrame": to_build, "SourceList": to_build}
    reduced = ReducedScienceFrame.get(raw=raw)
    assert told_of(session, raw) == raw_row | {
        "ReducedScienceFrame": ("ok", reduced.selection_grade),
        "SourceList": to_build,
    }
    judge(BiasFrame.select(date="2003-02-14", chip="A5382"), 0)
    assert told_of(session, raw)["ReducedScienceFrame"] == ("outdated", reduced.selection_grade)
    judge(reduced, 0)
    assert told_of(session, raw)["ReducedScienceFrame"] == to_build


@pytest.mark.thorough
def test_a_long_past_is_looked_at_in_pieces(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: listed(session, name) for name in listing.LISTED}
    with session.transaction() as connection:
        connection.execute(sa.update(listing_state).values(last_event=0))
        connection.execute(sa.delete(observation))
    monkeypatch.setattr(listing, "_EVENTS", 60)
    assert refresh(session) >= len(before["ReducedScienceFrame"])
    assert {name: listed(session, name) for name in listing.LISTED} == before


@pytest.mark.thorough
def test_judging_a_frame_relists_what_it_matters_for(session: Session) -> None:
    everything = listed(session)
    mine = {r.object_id for r in RawScienceFrame.select_all() if r.chip.name == "A5382"}
    biases = [f for f in RawBiasFrame.select_all() if f.chip.name == "A5382"]
    with session.transaction():
        for frame in biases:
            judge(frame, 0)
        assert listed(session) == everything
    assert listed(session) == everything - mine
    for frame in biases:
        judge(frame, 1)
    assert listed(session) == everything


def test_a_calibration_that_is_made_ends_or_is_judged_relists_its_chip(session: Session) -> None:
    everything = listed(session)
    mine = {r.object_id for r in RawScienceFrame.select_all() if r.chip.name == "A5382"}
    session.archive.listeners.clear()
    bias = BiasFrame.get(date="2003-02-14", chip="A5382")
    bias._privileges = 4
    bias.commit()
    for frame in RawBiasFrame.select_all():
        if frame.chip.name == "A5382":
            judge(frame, 0)
    session.archive.listeners.append(refresh)
    judge(bias, 0)
    assert listed(session) == everything - mine
    judge(bias, 1)
    kept = listed(session)
    assert everything - mine <= kept
    bias.timestamp_end = bias.timestamp_start + timedelta(seconds=1)
    bias.commit()
    assert listed(session) == everything - mine


def test_what_comes_to_nothing_tells_nobody_and_a_failing_listener_fails_no_commit(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Session] = []

    def fail(_session: Session) -> None:
        raise UsageError("a listener failed")

    session.archive.listeners[:] = [fail, told.append]
    frame = next(iter(RawBiasFrame.select_all()))

    def judge_in_vain() -> None:
        with session.transaction():
            judge(frame, 0)
            raise LookupError("something else failed")

    with pytest.raises(LookupError):
        judge_in_vain()
    assert told == []
    judge(frame, 0)
    assert told == [session]
    assert "a listener failed" in caplog.text
    with Session(session.archive, session.caller):
        assert RawBiasFrame(object_id=frame.object_id).is_valid == 0


def test_no_event_is_passed_over_that_is_committed_after_a_later_one(session: Session) -> None:
    archive = session.archive
    if not is_served(archive):
        pytest.skip("SQLite has one writer at a time")
    first, second = list(RawScienceFrame.select_all())[:2]
    archive.listeners.clear()

    def other() -> None:
        with Session(archive, operator(archive)) as mine:
            judge(RawScienceFrame(object_id=second.object_id), 0)
            refresh(mine)

    beside = threading.Thread(target=other)
    with session.transaction():
        judge(first, 0)
        beside.start()
        while beside.is_alive() and not is_waiting(archive):
            pass
    beside.join()
    refresh(session)
    assert not listed(session, "RawScienceFrame") & {first.object_id, second.object_id}


def test_a_slow_refresh_that_was_overtaken_starts_over(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = session.archive
    first, second = list(RawScienceFrame.select_all())[:2]
    archive.listeners.clear()
    judge(first, 0)
    write, overtaken = listing._write, list[bool]()

    def slowly(*arguments: Any) -> Any:
        if not overtaken:
            overtaken.append(True)
            judge(first, 1)
            judge(second, 0)
            with Session(archive, session.caller) as other:
                refresh(other)
        return write(*arguments)

    monkeypatch.setattr(listing, "_write", slowly)
    refresh(session)
    assert first.object_id in listed(session, "RawScienceFrame")
    assert second.object_id not in listed(session, "RawScienceFrame")
    with session.connection() as connection:
        newest = connection.scalar(sa.select(sa.func.max(event.c.id)))
        assert connection.scalar(sa.select(listing_state.c.last_event)) == newest


@pytest.mark.postgresql
@pytest.mark.thorough
def test_two_that_list_for_the_first_time_together_list_once(session: Session) -> None:
    archive, before = session.archive, listed(session)
    with session.transaction() as connection:
        connection.execute(sa.delete(listing_state))
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def list_all() -> None:
        start.wait()
        try:
            with Session(archive, operator(archive)) as mine:
                refresh(mine)
        except BaseException as failure:
            failures.append(failure)

    both = [threading.Thread(target=list_all) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert failures == []
    assert listed(session) == before


def test_the_field_of_view_is_the_largest_distance_in_the_footprint(session: Session) -> None:
    with session.connection() as connection:
        rows = connection.execute(sa.select(observation.c.s_fov, observation.c.s_region)).all()
    for fov, region in rows:
        numbers = np.array(region.split()[2:], float).reshape(-1, 2)
        corners = SkyCoord(numbers * u.deg)
        widest = max(c.separation(corners).max().deg for c in corners)
        assert fov == pytest.approx(widest, rel=1e-9)
