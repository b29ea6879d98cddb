"""Is what stands told from what must be made again, and for what reason? And is only that made again?"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.errors import ForbiddenError, MissingInputError, NotFoundError, RecipeError, UsageError
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.session import Session
from processing import claims, defaults, plan, recipe, standing, standing_judge, waivers
from processing.activity import _key
from processing.bias_frame import BiasFrame
from processing.defaults import Place
from processing.hot_pixel_map import HotPixelMap
from processing.pars import Pars
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


@pytest.fixture
def no_recipes(session: Session, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, whoever runs a recipe fails."""

    class Idle:
        count = 2

        def submit(self, order: Any) -> Any:
            raise AssertionError(f"{order.class_name} was made")

    return lambda: monkeypatch.setitem(session.archive._resources, "workers", Idle())


@pytest.mark.thorough
def test_another_limit_judges_anew_and_makes_nothing(
    session: Session, no_recipes: Callable[[], None]
) -> None:
    hot = HotPixelMap.get(**NIGHT)
    bias = hot.bias
    no_recipes()
    strict = BiasFrame.get(**NIGHT, MAXIMUM_STDEV=500.0)
    assert (strict.filename, strict.content_digest) == (bias.filename, bias.content_digest)
    assert (strict.MAXIMUM_STDEV, strict.quality_flags, strict.imstat.stdev) == (500.0, 0, bias.imstat.stdev)
    assert strict.imstat is not bias.imstat
    assert hot.uptodate()
    assert HotPixelMap.get(**NIGHT) is hot
    with pytest.raises(RecipeError, match="STDEV_TOO_HIGH"):
        BiasFrame.get(**NIGHT, MAXIMUM_STDEV=0.001)
    assert BiasFrame.select(**NIGHT) is strict
    assert [str(r) for r in strict.why()] == []


def test_a_product_that_was_made_before_is_recalled(session: Session, no_recipes: Callable[[], None]) -> None:
    first = BiasFrame.get(**NIGHT)
    other = BiasFrame.get(**NIGHT, SIGMA_CLIP=0.8)
    assert other.content_digest != first.content_digest
    no_recipes()
    again = BiasFrame.get(**NIGHT, SIGMA_CLIP=3.0)
    assert again is not first
    assert (again.content_digest, again.filename) == (first.content_digest, first.filename)
    assert BiasFrame.select(**NIGHT) is again
    assert again.uptodate()


@pytest.mark.thorough
def test_each_status_is_told(session: Session) -> None:
    assert BiasFrame.plan(**NIGHT).status == "to be built"
    bias = BiasFrame.get(**NIGHT)
    assert (bias.status(), BiasFrame.plan(**NIGHT).status) == ("ok", "ok")
    hot = HotPixelMap.plan(**NIGHT)
    assert hot.status == "to be built"
    key = next(iter(_keys_to_make(hot)))
    claim = claims.Claim(session.archive, key)
    assert claim.acquire()
    assert HotPixelMap.plan(**NIGHT).status == "running"
    claim.release()
    bias.is_valid = 0
    bias.commit()
    assert bias.status() == "invalid"
    assert [str(r) for r in bias.why()] == ["invalid"]
    for raw in RawBiasFrame.chip == "A5382":
        raw.is_valid = 0
        raw.commit()
    blocked = HotPixelMap.plan(**NIGHT)
    assert blocked.status == "blocked"
    assert "0 RawBiasFrame" in blocked.missing[0]


def _keys_to_make(node: Any) -> list[str]:
    return [key for each in node.walk() if (key := _key(each)) is not None]


def test_a_recipe_that_failed_is_remembered(session: Session) -> None:
    ReadNoise.get(**NIGHT)
    with pytest.raises(RecipeError):
        BiasFrame.get(**NIGHT, SIGMA_CLIP=-1.0)
    node = BiasFrame.plan(**NIGHT, SIGMA_CLIP=-1.0)
    assert node.status == "failed"
    assert node.activity is not None
    assert node.activity[1]
    assert node.activity[1] in node.tree()
    assert BiasFrame.plan(**NIGHT).status == "to be built"


@pytest.mark.thorough
def test_a_get_goes_no_deeper_than_it_is_told(session: Session) -> None:
    with pytest.raises(MissingInputError, match=r"there is no ReadNoise of .* beyond the depth"):
        BiasFrame.get(**NIGHT, depth=0)
    bias = BiasFrame.get(**NIGHT, depth=1)
    noise = bias.read_noise
    noise.is_valid = 0
    noise.commit()
    assert [str(r) for r in bias.why(depth=0)] == []
    assert [str(r) for r in bias.why()] == ["obsolete:read_noise"]
    with pytest.raises(UsageError, match="depth is 'deep', expected 0, 1, 2"):
        BiasFrame.plan(**NIGHT, depth="deep")
    raw = (RawScienceFrame.chip == "A5382")[0]
    with pytest.raises(MissingInputError, match="beyond the depth"):
        ReducedScienceFrame.get(raw=raw, depth="pipeline")


def test_a_class_may_forgive(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    bias = BiasFrame.get(**NIGHT)
    frame = bias.raw_bias_frames[0]
    frame.is_valid = 0
    frame.commit()
    assert "obsolete:raw_bias_frames" in [str(r) for r in bias.why()]
    monkeypatch.setattr(BiasFrame, "forgives", classmethod(lambda _cls, reason, _product: True))
    assert bias.uptodate()


def test_a_waiver_lets_products_of_an_older_recipe_stand_until_it_is_revoked(
    session: Session, monkeypatch: pytest.MonkeyPatch, observatory: Archive
) -> None:
    hot = HotPixelMap.get(**NIGHT)
    old = hot.bias.recipe_digest
    today = "f" * 64
    digest = recipe.recipe_digest
    for module in (plan, waivers, standing, standing_judge):
        monkeypatch.setattr(module, "recipe_digest", lambda c: today if c is BiasFrame else digest(c))
    assert [str(r) for r in hot.bias.why()] == ["recipe"]
    assert [str(r) for r in hot.why()] == ["dep:bias"]
    with pytest.raises(UsageError, match="no one recipe of BiasFrame has the digest 'abc'; there are"):
        waivers.waive(session, BiasFrame, "abc", "why not")
    with pytest.raises(UsageError, match="needs a reason"):
        waivers.waive(session, BiasFrame, old, " ")
    with Session(observatory, ANONYMOUS), pytest.raises(ForbiddenError, match="log in first"):
        waivers.waive(Session(observatory, ANONYMOUS), BiasFrame, old, "why not")
    member = Session(observatory, replace(session.caller, managed=frozenset()))
    with pytest.raises(ForbiddenError, match="may not vouch for a recipe: it holds for everybody"):
        waivers.waive(member, BiasFrame, old, "why not")
    number = waivers.waive(session, BiasFrame, old[:12], "only its formatting changed")
    waived = session.archive.clock()
    assert hot.uptodate()
    assert [str(r) for r in ReadNoise.select(**NIGHT).why()] == []
    (told,) = waivers.waivers(session)
    assert (told["who"], told["reason"], told["old_digest"]) == (
        session.caller.user,
        "only its formatting changed",
        old,
    )
    with pytest.raises(ForbiddenError, match="may not end a waiver: it holds for everybody"):
        waivers.revoke(member, number)
    waivers.revoke(session, number)
    assert not hot.uptodate()
    with pytest.raises(NotFoundError, match=f"no waiver {number} in force"):
        waivers.revoke(session, number)
    with Session(observatory, session.caller.at(as_of=waived)) as before:
        assert waivers.equivalent(before, "BiasFrame", today) == {old, today}


def test_waivers_lead_from_one_to_the_next(archive: Archive) -> None:
    archive.prepare([waivers.waiver])
    rows = [("a", "b"), ("b", "c"), ("x", "y")]
    with archive.database.write() as connection:
        for old, new in rows:
            told = {"class_name": "C", "old_digest": old, "new_digest": new, "reason": "r", "who": "A"}
            connection.execute(waivers.waiver.insert(), told | {"at": archive.clock()})
    with Session(archive, archive.caller("A")) as session:
        assert waivers.equivalent(session, "C", "c") == {"a", "b", "c"}
        assert waivers.equivalent(session, "C", "z") == {"z"}
        assert waivers.equivalent(session, "D", "c") == {"c"}


@pytest.mark.thorough
def test_the_nearest_default_wins_and_a_call_over_all(session: Session, observatory: Archive) -> None:
    def effective(**given: Any) -> float:
        return float(BiasFrame.plan(**NIGHT, **given).parameters["SIGMA_CLIP"])

    assert effective() == 3.0
    defaults.set_default(
        session, BiasFrame, "SIGMA_CLIP", 3.1, defaults.EVERYBODY, Place(instrument="SIMCAM")
    )
    assert effective() == 3.1
    defaults.set_default(session, BiasFrame, "SIGMA_CLIP", 3.2, defaults.EVERYBODY, Place("SIMCAM", "A5382"))
    defaults.set_default(session, BiasFrame, "SIGMA_CLIP", 9.9, defaults.EVERYBODY, Place("SIMCAM", "B5382"))
    assert effective() == 3.2
    before = session.archive.clock()
    defaults.set_default(session, BiasFrame, "SIGMA_CLIP", 3.3, defaults.PROJECT)
    assert effective() == 3.3
    number = defaults.set_default(session, BiasFrame, "SIGMA_CLIP", 3.4, defaults.USER)
    assert effective() == 3.4
    assert effective(SIGMA_CLIP=5.0) == 5.0
    with Session(observatory, session.caller.at(project="ALL")):
        assert effective() == 3.4
    with Session(observatory, ANONYMOUS):
        assert effective() == 3.2
    assert effective(as_of=before) == 3.2
    defaults.unset_default(session, number)
    assert effective() == 3.3
    bias = BiasFrame.get(**NIGHT, SIGMA_CLIP=5.0)
    assert effective() == 5.0, "what was set on purpose stands"
    defaults.set_default(session, BiasFrame, "MAXIMUM_STDEV", 0.001, defaults.PROJECT)
    assert [str(r) for r in bias.why()] == ["limit:MAXIMUM_STDEV"]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (("SIGMA_CLAP", 1.0, "user"), UsageError, "no parameter 'SIGMA_CLAP'; did you mean 'SIGMA_CLIP'"),
        (("SIGMA_CLIP", "x", "user"), UsageError, "BiasFrame.SIGMA_CLIP is 'x', expected float"),
        (("SIGMA_CLIP", 1.0, "usr"), UsageError, "scope is 'usr', expected one of everybody, project, user"),
        (("SIGMA_CLIP", 1.0, "everybody"), UsageError, "needs an instrument, a chip or a filter"),
    ],
)
def test_a_wrong_default_is_refused(session: Session, given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        defaults.set_default(session, BiasFrame, *given)
    assert defaults.in_force(session) == []


def test_a_default_for_everybody_is_for_managers(session: Session, observatory: Archive) -> None:
    given = (BiasFrame, "SIGMA_CLIP", 3.1, defaults.EVERYBODY, Place(instrument="SIMCAM"))
    member = Session(observatory, replace(session.caller, managed=frozenset()))
    with pytest.raises(ForbiddenError, match="may not set or end a default for everybody"):
        defaults.set_default(member, *given)
    number = defaults.set_default(session, *given)
    with pytest.raises(ForbiddenError, match="is for managers of projects"):
        defaults.unset_default(member, number)
    defaults.unset_default(session, number)


def test_pars_show_change_and_keep_the_parameters_of_a_tree(session: Session, observatory: Archive) -> None:
    pars = Pars(HotPixelMap, instrument="SIMCAM", chip="A5382")
    assert pars.get() == {}
    pars.BiasFrame.process_params.SIGMA_CLIP = 5
    assert pars.get() == {"BiasFrame.process_params.SIGMA_CLIP": 5.0}
    plan = HotPixelMap.plan(**NIGHT, **pars.get())
    assert plan.inputs["bias"].parameters["SIGMA_CLIP"] == 5.0
    shown = str(pars)
    assert "SIGMA_CLIP = 5.0  (set here)" in shown
    assert "bias: BiasFrame" in shown
    assert "THRESHOLD = 6.0  (default)" in shown
    pars.save("project")
    again = Pars("HotPixelMap", instrument="SIMCAM", chip="A5382")
    assert again.BiasFrame.process_params.SIGMA_CLIP == 5.0
    assert "SIGMA_CLIP = 5.0  (project, SIMCAM A5382, by " in str(again)
    assert Pars(HotPixelMap).BiasFrame.process_params.SIGMA_CLIP == 3.0
    assert BiasFrame.plan(**NIGHT).parameters["SIGMA_CLIP"] == 5.0
    with pytest.raises(UsageError, match="BiasFrame has no parameter 'SIGMA'"):
        pars.BiasFrame.process_params.SIGMA = 1
    with pytest.raises(AttributeError, match="no class 'BiasFram' is part of it; did you mean 'BiasFrame'"):
        _ = pars.BiasFram
    with pytest.raises(UsageError, match="there is no chip 'A538'; did you mean 'A5382'"):
        Pars(HotPixelMap, chip="A538")
    with pytest.raises(UsageError, match="RawBiasFrame is not made"):
        Pars(RawBiasFrame)


def test_a_plan_says_what_it_costs_as_it_did_before(session: Session) -> None:
    assert HotPixelMap.plan(**NIGHT).total_cost_s is None
    bias = BiasFrame.get(**NIGHT)
    assert BiasFrame.plan(**NIGHT).cost_s is None, "it stays"
    bias.is_valid = 0
    bias.commit()
    plan = HotPixelMap.plan(**NIGHT)
    again = plan.inputs["bias"]
    assert again.cost_s is not None
    assert (again.cost_s > 0, plan.cost_s, plan.total_cost_s) == (True, None, again.cost_s)
    assert f"[about {again.cost_s:.1f} s]" in plan.tree()
    assert plan.as_json()["total_cost_s"] == again.cost_s
