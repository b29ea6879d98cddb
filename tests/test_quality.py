"""Do people's judgements and comments stand, under their names, and for those who may see them?"""

from typing import Any

import pytest
from flask.testing import FlaskClient

from datamodel import projects
from datamodel.archive import Archive
from datamodel.comments import LONGEST, Comment
from datamodel.context import ANONYMOUS
from datamodel.errors import ForbiddenError, UsageError
from datamodel.frames import RawBiasFrame
from datamodel.objects import DBObject
from datamodel.observatory import Chip
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.opening import operator
from vo_server import cli

NIGHT: dict[str, Any] = {"date": "2003-02-14", "chip": "A5382"}


def _said(found: Any) -> list[tuple[str, str]]:
    return [(remark.author, remark.text) for remark in found.comments]


def test_comments_stand_in_their_order_with_author_and_time(archive: Archive, clock: Any) -> None:
    with Session(archive, archive.caller("A", "P")):
        chip = Chip(name="c", _privileges=2)
        chip.commit()
        assert chip.comments == []
        chip.comment("  first\n")
    first = clock.advance(hours=1)
    with Session(archive, archive.caller("B", "P")):
        found = Chip(object_id=chip.object_id)
        found.comment("second")
        assert _said(found) == [("A", "first"), ("B", "second")]
        assert found.comments[-1].at == first
        with pytest.raises(ForbiddenError):
            (Comment.about == found)[0].text = "otherwise"
    with Session(archive, archive.caller("A", "P").at(as_of=first.replace(hour=0))):
        assert _said(Chip(object_id=chip.object_id)) == [("A", "first")]


def test_who_sees_the_object_sees_what_was_said_before_it_was_published(archive: Archive) -> None:
    projects.set_member(archive, "P", "A", is_manager=True)
    with Session(archive, archive.caller("A", "P")):
        chip = Chip(name="c", _privileges=1)
        chip.commit()
        chip.comment("not yet")
    with Session(archive, archive.caller("C", "Q")):
        assert len(Comment.select_all()) == 0
    with Session(archive, archive.caller("A", "P")):
        chip._privileges = 4
        chip.commit()
    with Session(archive, archive.caller("C", "Q")):
        Chip(object_id=chip.object_id).comment("from another project")
    with Session(archive, ANONYMOUS):
        chip = Chip(object_id=chip.object_id)
        assert [author for author, _ in _said(chip)] == ["A", "C"]
        assert [(each.text, each._privileges) for each in Comment.select_all()] == [
            ("not yet", 4),
            ("from another project", 4),
        ]
        with pytest.raises(ForbiddenError, match="log in first"):
            chip.comment("from a stranger")


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST + 1)])
def test_a_comment_that_says_nothing_or_too_much_is_refused(archive: Archive, text: str) -> None:
    with Session(archive, archive.caller("A", "P")):
        chip = Chip(name="c")
        with pytest.raises(UsageError, match=r"commit .* before"):
            chip.comment("too early")
        chip.commit()
        with pytest.raises(UsageError, match=f"expected 1 to {LONGEST}"):
            chip.comment(text)
        chip.comment("ü" * LONGEST)
        assert len(chip.comments) == 1


def test_a_judgement_and_its_comment_are_one_act(archive: Archive, clock: Any) -> None:
    projects.set_member(archive, "P", "A", is_manager=True)
    with Session(archive, archive.caller("A", "P")):
        chip = Chip(name="c", _privileges=3)
        chip.commit()
        chip.judge(2, "ready")
        assert (chip.is_valid, _said(chip)) == (2, [("A", "ready")])
        assert [c.name for c in Chip.is_valid == 2] == ["c"]
        with pytest.raises(UsageError, match="10001 characters"):
            chip.judge(0, "x" * (LONGEST + 1))
        assert (chip.is_valid, len(chip.comments)) == (2, 1)
    with Session(archive, archive.caller("C", "Q")):
        found = Chip(object_id=chip.object_id)
        with pytest.raises(ForbiddenError, match="C may not change"):
            found.judge(0, "I do not like it")
        assert found.is_valid == 2
    with Session(archive, archive.caller("B", "P")):
        found = Chip(object_id=chip.object_id)
        assert (found.is_valid, len(found.comments)) == (2, 1)


@pytest.mark.parametrize("wrong", [3, -1, 1.5, None, "1", True])
def test_a_judgement_that_there_is_not_is_refused(archive: Archive, wrong: Any) -> None:
    with Session(archive, archive.caller("A", "P")):
        chip = Chip(name="c")
        chip.commit()
        with pytest.raises(
            UsageError, match=r"expected one of 0 .bad., 1 .good., 2 .good, ready for delivery"
        ):
            chip.judge(wrong)
        assert chip.is_valid == 1
        with pytest.raises(UsageError, match=r"is_valid is 7, expected one of 0 .bad., 1 .good., 2"):
            chip.is_valid = 7


def test_a_product_knows_who_has_looked_at_it_and_since_when(session: Session) -> None:
    bias = BiasFrame.get(**NIGHT)
    assert (bias.is_made(), bias.is_verified(), bias.is_compared(), bias.is_inspected()) == (True,) * 3 + (
        False,
    )
    assert bias.get_qcflags_set() == []
    before = session.archive.clock()
    bias.judge(1)
    assert bias.is_inspected()
    with Session(session.archive, session.caller.at(as_of=before)):
        assert not BiasFrame(object_id=bias.object_id).is_inspected()
    judged_again = BiasFrame.get(**NIGHT, MAXIMUM_STDEV=900.0)
    assert judged_again is not bias
    assert not judged_again.is_inspected()
    raw = RawBiasFrame.select_all()[0]
    raw.judge(0, "a lamp was on")
    assert (raw.is_valid, len(raw.comments)) == (0, 1)


def test_objects_are_judged_and_discussed_in_a_shell(
    observatory: Archive,
    client: FlaskClient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", observatory.config.database_url)

    def run(*words: str) -> tuple[int, str]:
        code = cli.main([*words, "--archive", str(observatory.config.archive)])
        told = capsys.readouterr()
        return code, told.out + told.err

    with Session(observatory, operator(observatory)):
        raw = RawBiasFrame.select_all()[0].object_id
    assert run("comment", raw) == (0, "no previous comments\n")
    assert "no previous comments" in client.get(f"/object/{raw}").text
    assert run("judge", raw, "0", "--comment", "clouds <b>") == (0, f"<RawBiasFrame {raw}> is judged bad\n")
    assert run("comment", raw, "really") == (0, "")
    assert [line.rpartition(": ")[2] for line in run("comment", raw)[1].splitlines()] == [
        "clouds <b>",
        "really",
    ]
    assert run("judge", raw, "3") == (2, "vo-server: IS_VALID is '3', expected one of 0, 1, 2\n")
    assert run("comment", "nothing")[0] == 2
    page = client.get(f"/object/{raw}").text
    assert "clouds &lt;b&gt;" in page
    assert "no previous comments" not in page
    with Session(observatory, ANONYMOUS):
        assert DBObject(object_id=raw).is_valid == 0
