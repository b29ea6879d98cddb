"""Does ObsCore list the exposures that few see, for these and nobody else, and tell how their products stand?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import projects
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, MYDB, PROJECT, VO, WORLD
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.observations import observation
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.ingest import ingest
from processing.listing import refresh
from processing.reduced_science_frame import ReducedScienceFrame
from processing.upkeep import keep_up
from tests.hidden import NAME, another_exposure
from vo_server.obscore import obscore

DATE, CHIP = "2003-02-14", "A5382"

Told = dict[str, str]
"""How the products of the hidden exposure of one chip stand, by class."""


@pytest.fixture
def archive(observatory: Archive) -> Archive:
    """The tiny survey; A and B are in its project, C is in another."""
    for user in "AB":
        observatory.add_account(user, observatory.config.project)
    projects.add(observatory, "other")
    observatory.add_account("C", "other")
    return observatory


@pytest.fixture
def file(survey: Path, tmp_path: Path) -> Path:
    return another_exposure(survey, tmp_path / "hidden.fits")


@contextmanager
def at_work(archive: Archive, level: int) -> Iterator[Session]:
    """A, who is a manager of the project, at work in it at a level."""
    caller = archive.caller("A", archive.config.project, level)
    with Session(archive, replace(caller, managed=caller.projects)) as session:
        yield session


def told(archive: Archive, user: str | None, level: int = MYDB) -> Told:
    """What ObsCore tells somebody of the exposure."""
    caller = archive.caller(user, level=level) if user else ANONYMOUS
    if user == "C":
        caller = archive.caller(user, "other", level)
    table = obscore(archive.config).selectable(caller)
    with at_work(archive, MYDB):
        one = table.c.row.endswith(exposure().object_id)
    mine = sa.select(table.c.row, table.c.product_status).where(table.c.target_name == NAME, one)
    with archive.database.read() as connection:
        return {row.split("/")[0]: status for row, status in connection.execute(mine)}


def exposure() -> RawScienceFrame:
    """That of one chip."""
    (raw,) = (raw for raw in RawScienceFrame.OBJECT == NAME if raw.chip.name == CHIP)
    return raw


def others(archive: Archive) -> list[Told]:
    return [told(archive, None), told(archive, "C"), told(archive, "A", WORLD)]


def judge(frame: Any, is_valid: int) -> None:
    frame.is_valid = is_valid
    frame.commit()


TO_BUILD = {"RawScienceFrame": "ok", "ReducedScienceFrame": "to be built", "SourceList": "to be built"}


def test_members_find_what_their_project_took_and_are_told_how_it_stands(
    archive: Archive, file: Path
) -> None:
    with at_work(archive, PROJECT):
        ingest_alone(archive, file, PROJECT)
        assert told(archive, "A") == told(archive, "B") == TO_BUILD
        assert others(archive) == [{}, {}, {}]
        raw = exposure()
        reduced = ReducedScienceFrame.get(raw=raw)
        assert reduced._privileges == PROJECT
        keep_up(archive)
        assert told(archive, "B") == TO_BUILD | {"ReducedScienceFrame": "ok"}
        judge(BiasFrame.select(date=DATE, chip=CHIP), 0)
        assert told(archive, "B")["ReducedScienceFrame"] in ("outdated", "not checked")
        keep_up(archive)
        assert told(archive, "B")["ReducedScienceFrame"] == "outdated"
        reduced.delete()
        assert told(archive, "B") == TO_BUILD
    assert others(archive) == [{}, {}, {}]


def ingest_alone(archive: Archive, file: Path, level: int) -> None:
    with at_work(archive, level) as session:
        ingest(session, [file])


def test_what_is_in_a_mydb_is_listed_for_its_owner_until_it_is_published(
    archive: Archive, file: Path
) -> None:
    ingest_alone(archive, file, MYDB)
    assert told(archive, "A") == TO_BUILD
    assert [told(archive, "B"), *others(archive)] == [{}, {}, {}, {}]
    with at_work(archive, MYDB):
        raw = exposure()
        ReducedScienceFrame.get(raw=raw)
        assert told(archive, "A")["ReducedScienceFrame"] == "not checked"
        raw.publish(VO)
    assert told(archive, None) == TO_BUILD


@pytest.mark.thorough
def test_what_the_world_does_not_see_makes_a_difference_for_those_who_do(
    archive: Archive, file: Path
) -> None:
    ingest_alone(archive, file, PROJECT)
    with at_work(archive, PROJECT) as session:
        biases = [f for f in RawBiasFrame.select_all() if f.chip.name == CHIP]
        public = world_rows(session, CHIP)
        bias = BiasFrame.get(date=DATE, chip=CHIP)
    with at_work(archive, WORLD) as session:
        for frame in biases:
            judge(RawBiasFrame(object_id=frame.object_id), 0)
        refresh(session)
        assert world_rows(session, CHIP) < public
    assert told(archive, "B") == TO_BUILD  # there is the bias of the project
    with at_work(archive, PROJECT):
        BiasFrame(object_id=bias.object_id).delete()
    assert told(archive, "B") == {"RawScienceFrame": "ok"}


def world_rows(session: Session, chip: str) -> set[str]:
    """What is listed of the exposures of a chip that the world sees."""
    with at_work(session.archive, WORLD):
        raws = [raw.object_id for raw in RawScienceFrame.chip == chip]
    with session.connection() as connection:
        found = sa.select(observation.c.row).where(observation.c.raw_id.in_(raws))
        return set(connection.scalars(found))
