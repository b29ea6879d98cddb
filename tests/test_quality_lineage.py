"""What is suspect for its ancestors, judged again without being made, and how do values go over the years?"""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, WORLD
from datamodel.errors import NotFoundError, UsageError
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.session import Session
from datamodel.state import Restricted
from processing.bias_frame import BiasFrame
from processing.hot_pixel_map import HotPixelMap
from processing.opening import operator
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.trends import trend
from tests.sent import sent_to
from vo_server import cli
from vo_server.awe_telling import tell_me_everything

NIGHT: dict[str, Any] = {"date": "2003-02-14", "chip": "A5382"}


@pytest.fixture
def hot(session: Session) -> Any:
    """A map of hot pixels: made from a bias, and that from raw biases and a read noise."""
    return HotPixelMap.get(**NIGHT)


@pytest.fixture
def sent(session: Session) -> Iterator[list[str]]:
    """The statements that the database is sent."""
    with sent_to(session.archive) as found:
        yield found


@pytest.mark.thorough
def test_what_rests_on_something_bad_is_suspect_as_long_as_it_is_bad(
    session: Session, hot: Any, client: FlaskClient
) -> None:
    raw = hot.bias.raw_bias_frames[1]
    assert hot.suspect() == hot.bias.suspect() == []
    before = session.archive.clock()
    raw.judge(0, "a lamp was on")
    assert hot.suspect() == hot.bias.suspect() == [raw]
    hot.bias.judge(0)
    assert hot.suspect() == [hot.bias, raw]
    assert hot.is_valid == 1
    page = client.get(f"/object/{hot.object_id}").text
    assert "It is suspect" in page
    assert page.count(f"/object/{raw.object_id}") == 1
    told = io.StringIO()
    tell_me_everything(hot, told)
    assert f"suspect, for this is faulty: {raw!r}" in told.getvalue()
    with Session(session.archive, session.caller.at(as_of=before)):
        assert HotPixelMap(object_id=hot.object_id).suspect() == []
    raw.judge(1)
    hot.bias.judge(1)
    assert hot.suspect() == []
    assert "It is suspect" not in client.get(f"/object/{hot.object_id}").text


def test_what_is_hidden_makes_suspect_as_well_and_is_not_shown(session: Session, hot: Any) -> None:
    raw = hot.bias.raw_bias_frames[0]
    raw.judge(0)
    objects = sa.table("dbobject", sa.column("object_id"), sa.column("privileges"))
    with session.transaction() as connection:
        here = objects.c.object_id == raw.object_id
        connection.execute(sa.update(objects).where(here).values(privileges=1))
    with Session(session.archive, ANONYMOUS):
        (found,) = HotPixelMap(object_id=hot.object_id).suspect()
        assert isinstance(found, Restricted)
        assert found.class_name == "RawBiasFrame"


@pytest.mark.thorough
def test_one_statement_is_sent_for_each_level_of_the_lineage(session: Session, sent: list[str]) -> None:
    exposure = RawScienceFrame.chip == "A5382"
    frame = ReducedScienceFrame.get(raw=exposure[0])
    sent.clear()
    assert frame.suspect() == []
    walked = [statement for statement in sent if "UNION ALL" in statement or "quality_flags" in statement]
    assert len(walked) == len(sent) <= _depth(frame)


def _depth(product: Any) -> int:
    """The longest way down, by following links."""
    used: list[Any] = []
    for name, attribute in type(product).__attributes__.items():
        if attribute.kind == "role":
            value = getattr(product, name)
            used += value if attribute.many else [value] if value is not None else []
    return 1 + max(map(_depth, used)) if used else 0


@pytest.mark.thorough
def test_a_product_is_judged_again_without_being_made(session: Session, hot: Any) -> None:
    assert hot.verify_again() is hot
    assert hot.verify_again(MAXIMUM_COUNT=hot.MAXIMUM_COUNT) is hot
    again = hot.verify_again(MAXIMUM_COUNT=-1)
    assert again.get_qcflags_set() == ["COUNT_TOO_HIGH"]
    assert again.content_digest == hot.content_digest
    assert (again.filename, again.bias, again.MAXIMUM_COUNT) == (hot.filename, hot.bias, -1)
    assert (again.timestamp_start, again.selection_grades) == (hot.timestamp_start, hot.selection_grades)
    assert HotPixelMap.select(**NIGHT) is hot
    assert again.verify_again() is again, "what was set on purpose stands"
    hot.judge(0)
    assert hot.verify_again(MAXIMUM_COUNT=99_999).is_valid == 0
    with pytest.raises(UsageError, match="no quality limit 'THRESHOLD'"):
        hot.verify_again(THRESHOLD=3.0)
    with pytest.raises(UsageError, match="expected int"):
        hot.verify_again(MAXIMUM_COUNT="few")


def test_a_product_judged_again_is_compared_with_what_came_before_it(session: Session) -> None:
    first = BiasFrame.get(**NIGHT)
    second = BiasFrame.get(**NIGHT, SIGMA_CLIP=1.0)
    assert first.content_digest != second.content_digest
    tight = {"MAXIMUM_STDEV_DIFFERENCE": 0.0}
    assert first.verify_again(**tight).get_qcflags_set() == []
    assert second.verify_again(**tight).get_qcflags_set() == ["STDEV_DIFFERENCE_TOO_HIGH"]


def test_a_trend_is_the_values_in_their_order_and_one_statement(session: Session, sent: list[str]) -> None:
    frames = RawBiasFrame.select_all()
    expected = sorted((f.DATE_OBS, f.object_id, f.MJD_OBS) for f in frames if f.chip.name == "A5382")
    sent.clear()
    found = trend(RawBiasFrame, "MJD_OBS", chip="A5382")
    assert len(sent) == 2, "one of them asks whether there is such a chip"
    assert (
        list(zip(found["time"].astype(object), found["object_id"], found["value"], strict=True)) == expected
    )
    assert (found["value"].unit, set(found["is_valid"])) == ("d", {1})
    first = expected[0][0]
    assert len(trend(RawBiasFrame, "MJD_OBS", chip="A5382", until=first)) == 0
    assert len(trend(RawBiasFrame, "MJD_OBS", chip="A5382", since=first)) == len(expected)
    assert len(trend(RawBiasFrame, "MJD_OBS")) == len(frames)


def test_a_trend_leaves_out_what_is_faulty_unless_everything_is_asked_for(session: Session, hot: Any) -> None:
    assert list(HotPixelMap.trend("count")["value"]) == [hot.count]
    again = hot.verify_again(MAXIMUM_COUNT=-1)
    assert list(HotPixelMap.trend("count")["object_id"]) == [hot.object_id]
    everything = HotPixelMap.trend("count", every=True)
    assert list(everything["quality_flags"]) == [0, again.quality_flags]
    assert everything["time"][0] == np.datetime64(hot.date_obs)
    assert list(BiasFrame.trend("imstat.stdev")["value"]) == [hot.bias.imstat.stdev]
    frame = ReadNoise.trend("read_noise", instrument="SIMCAM", chip="A5382", since="2003-01-01")
    assert list(frame["value"]) == [hot.bias.read_noise.read_noise]
    assert len(SourceList.trend("number_of_sources")) == 0


@pytest.mark.parametrize(
    ("name", "keys", "error", "words"),
    [
        ("read_noice", {}, UsageError, "read_noise"),
        ("grade", {}, UsageError, "ReadNoise.grade is not a number"),
        ("chip", {}, UsageError, "is not a number"),
        ("raw_bias_frames", {}, UsageError, "is a list"),
        ("read_noise", {"chip": "A5383"}, NotFoundError, "did you mean 'A5382'"),
        ("read_noise", {"colour": "red"}, UsageError, "no key 'colour'"),
        ("read_noise", {"since": "yesterday"}, UsageError, "since is 'yesterday'"),
    ],
)
def test_a_trend_of_what_there_is_not_is_refused(
    session: Session, name: str, keys: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ReadNoise.trend(name, **keys)


def test_trends_and_judgements_are_asked_for_in_a_shell(
    observatory: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", observatory.config.database_url)

    def run(*words: str) -> tuple[int, str]:
        code = cli.main([*words, "--archive", str(observatory.config.archive)])
        told = capsys.readouterr()
        return code, told.out + told.err

    with Session(observatory, operator(observatory).at(level=WORLD)):
        hot = HotPixelMap.get(**NIGHT)
    code, told = run("trend", "HotPixelMap.count", "--chip", "A5382", "--json")
    answer = json.loads(told)
    assert (code, answer["trend"]) == (0, "HotPixelMap.count")
    assert answer["unit"].startswith("pix")
    assert answer["rows"][0]["time"].startswith("2003-02-15T00:00:00")
    assert [(r["value"], r["object_id"]) for r in answer["rows"]] == [(hot.count, hot.object_id)]
    assert hot.object_id in run("trend", "HotPixelMap.count", "--all")[1]
    assert run("trend", "HotPixelMap")[0] == run("trend", "HotPixelMaps.count")[0] == 2
    assert "COUNT_TOO_HIGH" in run("judge-again", hot.object_id, "--set", "MAXIMUM_COUNT=-1")[1]
    assert run("judge-again", hot.object_id, "--set", "MAXIMUM_COUNT")[0] == 2
    assert run("judge-again", hot.chip.object_id)[0] == 2
