"""Ask, and it is made: selection, reasons, plans and execution on a simulated survey."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.io import fits

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.errors import MissingInputError, NotFoundError, RecipeError, UsageError
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observations import observation
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.sources import SOURCES
from processing.bias_frame import BiasFrame
from processing.claims import claim
from processing.classes import TARGET_CLASSES
from processing.cosmic_map import CosmicMap
from processing.declarations import roles
from processing.dome_flat_frame import DomeFlatFrame
from processing.hot_pixel_map import HotPixelMap
from processing.ingest import ingest
from processing.keys import keys_of_raw
from processing.opening import operator
from processing.plan import Planner
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.site import instruments_of
from processing.source_list import SourceList
from processing.standing_keeping import distrust

NIGHT = {"date": "2003-02-14", "chip": "A5382"}
MADE_CLASSES = TARGET_CLASSES


def made() -> dict[str, int]:
    """How many objects of each target class there are."""
    counts = {c.__name__: len(c.select_all()) for c in MADE_CLASSES}
    return {name: count for name, count in counts.items() if count}


def outdated() -> set[str]:
    """The classes of which a stored object is not up to date."""
    return {c.__name__ for c in MADE_CLASSES for o in c.select_all() if o.status() == "outdated"}


def test_asking_for_a_hot_pixel_map_makes_its_chain_and_asking_again_makes_nothing(session: Session) -> None:
    assert not HotPixelMap.exist(**NIGHT)
    hot = HotPixelMap.get(date="2003-02-14", chip="A5382")
    assert made() == {"ReadNoise": 1, "BiasFrame": 1, "HotPixelMap": 1}
    assert hot.bias.read_noise.raw_bias_frames[0].chip.name == "A5382"
    assert hot.uptodate()
    assert HotPixelMap.get(**NIGHT) is hot
    assert made() == {"ReadNoise": 1, "BiasFrame": 1, "HotPixelMap": 1}


def test_the_bytes_of_a_product_are_fits_that_astropy_reads(session: Session) -> None:
    bias = BiasFrame.get(**NIGHT)
    with fits.open(bias.path()) as hdus:
        assert hdus[0].data.shape == (bias.chip.naxis2, bias.chip.naxis1) or hdus[0].data.ndim == 2
        assert hdus[0].data.mean() == pytest.approx(bias.imstat.mean, rel=1e-5)


def test_roles_of_all_classes_form_a_graph_without_cycles() -> None:
    seen: set[type] = set()

    def visit(cls: type, above: tuple[type, ...]) -> None:
        assert cls not in above, f"{cls} is made from itself"
        if cls not in seen:
            for declared in roles(cls).values():
                visit(declared.attribute.target_class(), (*above, cls))
            seen.add(cls)

    for cls in TARGET_CLASSES:
        visit(cls, ())


@pytest.mark.thorough
def test_one_more_raw_bias_gives_new_raw_bias_frames(
    session: Session, another_bias: Callable[[], Path]
) -> None:
    bias, noise = BiasFrame.get(**NIGHT), ReadNoise.get(**NIGHT)
    assert bias.why() == ()
    ingest(session, [another_bias()])
    assert [str(r) for r in bias.why()] == ["new:raw_bias_frames"]
    assert noise.why() == ()  # two frames are enough for it
    newer = BiasFrame.get(**NIGHT)
    assert newer is not bias
    assert newer.uptodate()
    assert bias.status() == "eclipsed"


@pytest.mark.thorough
def test_a_bias_with_another_clipping_outdates_exactly_its_users(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382").order_by("DATE_OBS")[0]
    ReducedScienceFrame.get(raw=raw)
    other = BiasFrame.get(date="2003-02-14", chip="ccd50")
    assert outdated() == set()
    BiasFrame.get(**NIGHT, SIGMA_CLIP=0.8)
    users = {"HotPixelMap", "DomeFlatFrame", "TwilightFlatFrame", "MasterFlatFrame", "ReducedScienceFrame"}
    assert outdated() - {"ColdPixelMap"} == users  # the cold map through its dome flat
    assert other.uptodate()
    assert "newer:bias" in [str(r) for r in ReducedScienceFrame.select(raw=raw).why()]
    again = ReducedScienceFrame.get(raw=raw)
    assert again.bias.SIGMA_CLIP == 0.8
    assert again.uptodate()
    assert outdated() == set()


def test_a_bias_with_another_quality_limit_is_new_with_the_same_content_and_outdates_nothing(
    session: Session,
) -> None:
    hot = HotPixelMap.get(**NIGHT)
    other = BiasFrame.get(**NIGHT, MAXIMUM_STDEV=500.0)
    assert other is not hot.bias
    assert other.content_digest == hot.bias.content_digest
    assert outdated() == set()
    assert hot.uptodate()


@pytest.mark.thorough
def test_invalidating_a_bias_brings_the_older_one_back(session: Session) -> None:
    first = BiasFrame.get(**NIGHT)
    second = BiasFrame.get(**NIGHT, SIGMA_CLIP=0.8)
    assert BiasFrame.select(**NIGHT) is second
    second.is_valid = 0
    second.commit()
    assert BiasFrame.select(**NIGHT) is first
    assert "invalid" in [str(r) for r in second.why()]


def test_a_product_whose_bytes_are_lost_is_made_again_with_the_same_content(session: Session) -> None:
    bias = BiasFrame.get(**NIGHT)
    bias.path().unlink()
    assert "data missing" in [str(r) for r in bias.why()]
    again = BiasFrame.get(**NIGHT)
    assert again.content_digest == bias.content_digest
    assert again.path().is_file()


def test_two_makers_at_once_make_one(observatory: Archive) -> None:
    found: list[str] = []

    def make() -> None:
        with Session(observatory, operator(observatory)):
            found.append(HotPixelMap.get(**NIGHT).object_id)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    with Session(observatory, operator(observatory)):
        assert made() == {"ReadNoise": 1, "BiasFrame": 1, "HotPixelMap": 1}


@pytest.mark.usefixtures("recipes_run")
@pytest.mark.thorough
def test_products_do_not_depend_on_when_they_are_made(session: Session) -> None:
    raw = (RawScienceFrame.chip == "ccd53").order_by("DATE_OBS")[0]
    first = CosmicMap.get(raw=raw)
    first.path().unlink()
    assert CosmicMap.get(raw=raw).content_digest == first.content_digest


@pytest.mark.thorough
def test_a_source_list_has_its_sources_in_the_table(session: Session) -> None:
    raw = (RawScienceFrame.chip == "ccd53").order_by("DATE_OBS")[0]
    listed = SourceList.get(raw=raw)
    seen = SOURCES.selectable(session.caller)
    with session.connection() as connection:
        rows = connection.execute(sa.select(seen.c.slid, seen.c.ra, seen.c.dec)).all()
    assert len(rows) == listed.number_of_sources > 0
    assert {r.slid for r in rows} == {listed.SLID}
    east = (np.array([r.ra for r in rows]) - raw.ra) * np.cos(np.radians(raw.dec))
    distance = np.hypot(east, [r.dec - raw.dec for r in rows])
    assert distance.max() < 1.0


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda: HotPixelMap.get(date="2003-02-14", chip="A5381"), NotFoundError, "did you mean 'A5382'"),
        (lambda: HotPixelMap.get(date="14-02-2003", chip="A5382"), UsageError, "'14-02-2003'"),
        (lambda: HotPixelMap.get(chip="A5382"), UsageError, "a date is needed"),
        (lambda: HotPixelMap.get(date="2003-02-14"), UsageError, "SIMCAM/A5382"),
        (lambda: HotPixelMap.get(**NIGHT, SIGMA=3), UsageError, "no key or parameter 'SIGMA'"),
        (lambda: HotPixelMap.get(**NIGHT, THRESHOLD="hot"), UsageError, "'hot'"),
        (lambda: HotPixelMap.get(**NIGHT, **{"BiasFram.SIGMA_CLIP": 5}), UsageError, "BiasFram"),
        (lambda: BiasFrame.get(**NIGHT, OVERSCAN_CORRECTION=0.5), UsageError, "expected int"),
        (lambda: BiasFrame.get(**NIGHT, SIGMA_CLIP=True), UsageError, "'True', expected float"),
        (lambda: BiasFrame.get(**NIGHT, SIGMA_CLIP=float("nan")), UsageError, "'nan', expected float"),
        (lambda: BiasFrame.get(**NIGHT, only_good=False), UsageError, "only_good=False is for select"),
        (
            lambda: BiasFrame.get(**NIGHT, compatibility={"nights": 1}),
            UsageError,
            "has no 'nights'; raw frames of A5382 have none",
        ),
        (lambda: SourceList.get(raw="x", chip="A5382"), UsageError, "chip beside raw has no meaning"),
        (lambda: HotPixelMap.get(**NIGHT, instrument="OCAM"), NotFoundError, "no instrument 'OCAM'"),
        (lambda: DomeFlatFrame.get(**NIGHT), UsageError, "needs a filter"),
        (lambda: DomeFlatFrame.get(**NIGHT, filter="#849"), NotFoundError, "did you mean"),
        (lambda: BiasFrame.get(date="1999-01-01", chip="A5382"), MissingInputError, "RawBiasFrame"),
        (lambda: ReducedScienceFrame.get(date="2003-02-14", chip="A5382"), UsageError, "one exposure"),
    ],
)
def test_a_wrong_question_is_answered_with_what_was_wrong(
    session: Session, ask: Callable[[], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ask()
    assert made() == {}


def test_a_product_that_fails_its_limits_is_kept_flagged_and_not_used(session: Session) -> None:
    with pytest.raises(RecipeError, match="STDEV_TOO_HIGH"):
        BiasFrame.get(**NIGHT, MAXIMUM_STDEV=0.001)
    assert BiasFrame.select(**NIGHT) is None
    (flagged,) = BiasFrame.select_all()
    assert flagged.quality_flags == 1
    with pytest.raises(RecipeError, match="found faulty"):
        BiasFrame.get(**NIGHT, MAXIMUM_STDEV=0.001)
    assert len(BiasFrame.select_all()) == 1
    assert BiasFrame.get(**NIGHT).quality_flags == 0


@pytest.mark.thorough
def test_obscore_lists_a_reduced_frame_for_exactly_the_exposures_whose_plan_has_nothing_missing(
    session: Session,
) -> None:
    def listed() -> set[str]:
        mine = observation.c.class_name == "ReducedScienceFrame"
        with session.connection() as connection:
            return set(connection.scalars(sa.select(observation.c.raw_id).where(mine)))

    def complete() -> set[str]:
        planner = Planner(instruments_of(session.archive))
        raws = list(RawScienceFrame.select_all())
        return {r.object_id for r in raws if planner.node(ReducedScienceFrame, keys_of_raw(r)).can_be_had}

    assert listed() == complete() == {r.object_id for r in RawScienceFrame.select_all()}
    biases = list(RawBiasFrame.chip == "ccd50")

    def judge(is_valid: int) -> None:
        with session.transaction():
            for frame in biases:
                frame.is_valid = is_valid
                frame.commit()

    judge(0)
    assert listed() == complete() < {r.object_id for r in RawScienceFrame.select_all()}
    judge(1)
    assert listed() == complete() == {r.object_id for r in RawScienceFrame.select_all()}


@pytest.fixture
def another_bias(survey: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a file with one more bias exposure of the first night."""

    def write() -> Path:
        source = sorted((survey / "raw").glob("*"))[0]
        with fits.open(source) as hdus:
            assert hdus[0].header["OBSTYPE"] == "BIAS"
            hdus[0].header["OBSID"] = "ONE_MORE"
            for hdu in hdus[1:]:
                hdu.data[0, 0] += 1
            hdus.writeto(tmp_path / "one_more.fits")
        return tmp_path / "one_more.fits"

    return write


@pytest.mark.thorough
def test_a_parameter_that_was_set_on_purpose_stands_when_the_product_is_made_again(
    session: Session, another_bias: Callable[[], Path]
) -> None:
    BiasFrame.get(**NIGHT, SIGMA_CLIP=0.8)
    ingest(session, [another_bias()])
    again = BiasFrame.get(**NIGHT)
    assert (again.SIGMA_CLIP, again.parameters_given) == (0.8, "SIGMA_CLIP")
    assert again.uptodate()


def test_an_input_agrees_with_what_it_is_made_for_in_the_parameters_they_share(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    plan = ReducedScienceFrame.plan(raw=raw, OVERSCAN_CORRECTION=6)
    flat = plan.inputs["flat"].inputs["dome"]
    assert plan.inputs["bias"].parameters["OVERSCAN_CORRECTION"] == 6
    assert flat.inputs["bias"].parameters["OVERSCAN_CORRECTION"] == 0
    bias = BiasFrame.get(**NIGHT)
    assert ReducedScienceFrame.plan(raw=raw).inputs["bias"].existing is bias
    assert ReducedScienceFrame.plan(raw=raw, OVERSCAN_CORRECTION=6).inputs["bias"].existing is None
    with pytest.raises(
        UsageError, match=r"BiasFrame\.OVERSCAN_CORRECTION is 0, but what is made from it has"
    ):
        ReducedScienceFrame.plan(raw=raw, **{"OVERSCAN_CORRECTION": 6, "BiasFrame.OVERSCAN_CORRECTION": 0})


def test_an_interrupted_get_gives_its_claims_up(session: Session) -> None:
    def interrupt(_steps: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BiasFrame.get(**NIGHT, progress=interrupt)
    with session.connection() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(claim)) == 0
    assert BiasFrame.get(**NIGHT).uptodate()


def test_a_flagged_product_is_answered_the_same_way_twice(session: Session) -> None:
    BiasFrame.get(**NIGHT)
    for _ in range(2):
        with pytest.raises(RecipeError, match="STDEV_TOO_HIGH"):
            BiasFrame.get(**NIGHT, MAXIMUM_STDEV=0.001)


def test_a_hidden_input_makes_a_product_obsolete_and_no_error(session: Session, observatory: Archive) -> None:
    bias = BiasFrame.get(**NIGHT)
    hidden = bias.raw_bias_frames[0].object_id
    with observatory.database.write() as connection:
        table = table_of(DBObject)
        connection.execute(
            sa.update(table).where(table.c.object_id == hidden).values(privileges=1, creator="x")
        )
    distrust(session)  # no event has told of it
    with Session(observatory, Caller("someone", level=4)):
        stored = BiasFrame(object_id=bias.object_id)
        assert [str(r) for r in stored.why()] == ["obsolete:raw_bias_frames"]


def test_a_product_made_from_a_hidden_input_is_as_hidden(session: Session, observatory: Archive) -> None:
    frame = RawBiasFrame.chip == "A5382"
    with observatory.database.write() as connection:
        table = table_of(DBObject)
        change = sa.update(table).where(table.c.object_id == frame[0].object_id).values(privileges=2)
        connection.execute(change)
    with Session(observatory, operator(observatory).at(level=2)):
        bias = BiasFrame.get(**NIGHT)
        assert (bias._privileges, bias._project) == (2, observatory.config.project)
    with Session(observatory, Caller("someone", level=4)):
        assert bias.object_id not in {b.object_id for b in BiasFrame.select_all()}


def test_an_instant_with_a_time_zone_is_that_instant(session: Session) -> None:
    plan = BiasFrame.plan(chip="A5382", date="2003-02-15T07:00:00+12:00")
    assert plan.keys.instant.isoformat() == "2003-02-15T00:00:00"
    assert plan.validity[0].isoformat() == "2003-02-14T12:00:00"
