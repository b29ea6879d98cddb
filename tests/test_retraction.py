"""Does what was retracted stay with its reason, and is it given to nobody any more?"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, Caller
from datamodel.dataobject import DataObject
from datamodel.errors import ForbiddenError, UsageError
from datamodel.frames import RawBiasFrame
from datamodel.observatory import Chip, Instrument
from datamodel.session import Session
from tests import published
from tests.accounts import bearer
from tests.published import PublishMade, chain, killed
from tests.templates import FrozenClock

clock, shared, mine = published.clock, published.shared, published.mine
client, secrets, run = published.client, published.secrets, published.run


@pytest.mark.killing
def test_a_retraction_killed_before_its_end_is_none(mine: Session) -> None:
    made = chain()
    assert killed(mine.archive, made.object_id, "retract", "retract.written") == 137
    with Session(mine.archive, mine.caller):
        found = PublishMade(object_id=made.object_id)
        assert (found.is_valid, found.retracted) == (1, None)


def test_what_is_retracted_stays_with_its_reason_for_ever(mine: Session, clock: FrozenClock) -> None:
    made = chain(level=4)
    then = clock()
    now = clock.advance(days=1)
    made.retract("  the wrong filter was in the beam ")
    assert (made.is_valid, made.retracted.at, made.retracted.who) == (0, now, "A")
    assert str(made.retracted) == f"retracted on {now:%Y-%m-%d} by A: the wrong filter was in the beam"
    with pytest.raises(ForbiddenError, match="was retracted, and stays bad: the wrong filter"):
        made.judge(1)
    assert made.is_valid == 0
    with pytest.raises(UsageError, match="has been retracted already"):
        made.retract("once more")
    with Session(mine.archive, Caller(as_of=then)):
        assert PublishMade(object_id=made.object_id).retracted is None
    with Session(mine.archive, ANONYMOUS):
        assert PublishMade(object_id=made.object_id).retracted == made.retracted


@pytest.mark.parametrize("by_another", [True, False])
def test_what_others_judged_good_meanwhile_is_bad_once_it_is_retracted(
    mine: Session, by_another: bool
) -> None:
    made = chain(level=2)
    if by_another:
        made.judge(0)
        with Session(mine.archive, mine.archive.caller("Z", "P")):
            PublishMade(object_id=made.object_id).judge(1)
    else:
        made.is_valid = 0  # and not committed
    made.retract("it was never observed")
    with Session(mine.archive, mine.archive.caller("Z", "P")):
        assert PublishMade(object_id=made.object_id).is_valid == made.is_valid == 0


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_that_says_nothing_or_too_much_is_refused(mine: Session, reason: str) -> None:
    made = PublishMade(name="x")
    with pytest.raises(UsageError, match=r"the reason has \d+ characters, expected 1 to 1000"):
        made.retract(reason)
    with pytest.raises(UsageError, match="before it is retracted"):
        made.retract("too early")


def test_only_who_may_judge_may_retract(shared: Archive) -> None:
    with Session(shared, shared.caller("A", "P")):
        made = chain(level=4)
    for caller in (shared.caller("B", "P"), shared.caller("C", "Q"), ANONYMOUS):
        with Session(shared, caller), pytest.raises(ForbiddenError):
            PublishMade(object_id=made.object_id).retract("I do not like it")
    with Session(shared, shared.caller("Z", "P")):
        PublishMade(object_id=made.object_id).retract("a manager says so")


def filed(session: Session, tmp_path: Path, level: int) -> Any:
    """An object with a file."""
    path = tmp_path / f"{datetime.now().timestamp()}.txt"
    path.write_text(path.name)
    thing = DataObject(pathname=path, _privileges=level)
    thing.store()
    thing.commit()
    return thing


def test_what_was_retracted_is_gone_for_those_who_see_it_and_absent_for_others(
    mine: Session, client: Any, secrets: dict[str, str], tmp_path: Path
) -> None:
    bad, gone, hidden = (filed(mine, tmp_path, level) for level in (4, 4, 2))
    bad.judge(0)
    gone.retract("it was never observed")
    hidden.retract("nor was this")
    assert client.get(f"/data/{bad.object_id}").status_code == 200
    told = client.get(f"/data/{gone.object_id}")
    assert (told.status_code, "it was never observed" in told.text) == (410, True)
    assert client.head(f"/data/{gone.object_id}").status_code == 410
    assert client.get(f"/data/{hidden.object_id}").status_code == 404
    assert client.get(f"/data/{hidden.object_id}", headers=bearer(secrets["B"])).status_code == 410
    page = client.get(f"/object/{gone.object_id}")
    assert (page.status_code, "it was never observed" in page.text) == (200, True)
    assert "Download the file" not in page.text
    camera = Instrument(name="CAM", _privileges=4)
    frame = RawBiasFrame(
        instrument=camera, chip=Chip(name="c", instrument=camera, _privileges=4), _privileges=4
    )
    frame.DATE_OBS = datetime(2026, 1, 1)
    frame.commit()
    frame.retract("nor its pixels")
    for picture in ("thumbnail.png", "preview.png", "inspect.png"):
        assert client.get(f"/object/{frame.object_id}/{picture}").status_code == 410
    did = f"ivo://example.org/archive?object/{gone.object_id}"
    links = client.get("/datalink/links", query_string={"ID": did})
    assert (links.status_code, "NotFoundFault: it was retracted on" in links.text) == (200, True)
    assert f"/data/{gone.object_id}" not in links.text


def test_an_unknown_object_is_not_retracted(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, told = run("retract", "0193a5e2-0000-7000-8000-000000000000", "x")
    assert (code, "there is no DBObject" in told) == (2, True)
