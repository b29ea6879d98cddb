"""Do the cases of the domain specification come out the same when they are driven through the database?

The screen of calibrations in time is in `test_timeline`, visibility in `test_visibility`, ``and`` and ``or`` in
`test_awe`; here is the tree of the seed's target processor.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.frames import BaseFrame, RawScienceFrame
from datamodel.observatory import Chip, Instrument
from datamodel.session import Session
from processing.asking import looking
from processing.declarations import IF_ASKED, parameter, role
from processing.keys import keys_of_raw
from processing.node import Node
from processing.plan import Depth, Planner
from processing.process_status import MADE
from processing.recipe import recipe_digest
from processing.site import instruments_of
from processing.target import CalibrationTarget, ProcessTarget
from tests import templates

archive = templates.complete_archive

SEEN = datetime(2002, 3, 17, 23, 48, 24)
FAR = (datetime(1990, 1, 1), datetime(1999, 1, 1)), (datetime(2002, 1, 1), datetime(2003, 1, 1))


class OracleBias(CalibrationTarget, BaseFrame):
    """A master bias."""


class OracleCold(CalibrationTarget, BaseFrame):
    """Cold pixels."""


class OracleDome(CalibrationTarget, BaseFrame):
    """A dome flat."""


class OracleTwilight(CalibrationTarget, BaseFrame):
    """A twilight flat."""


class OracleFringe(CalibrationTarget, BaseFrame):
    """Fringes."""


class OracleIllumination(CalibrationTarget, BaseFrame):
    """Illumination."""


class OracleExtinction(CalibrationTarget, BaseFrame):
    """Extinction."""


class OracleFlat(CalibrationTarget, BaseFrame):
    """A master flat."""

    dome = role("The dome flat", OracleDome)
    twilight = role("The twilight flat", OracleTwilight)

    COMBINE = parameter("How they are combined", int, 1)


class OracleHot(CalibrationTarget, BaseFrame):
    """Hot pixels."""

    bias = role("The bias", OracleBias)


class OracleReduced(ProcessTarget, BaseFrame):
    """A reduced frame."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    bias = role("The bias", OracleBias)
    cold = role("Cold pixels", OracleCold)
    flat = role("The flat", OracleFlat)
    fringe = role("Fringes", OracleFringe, planned=IF_ASKED)
    hot = role("Hot pixels", OracleHot)
    illumination = role("Illumination", OracleIllumination, planned=IF_ASKED)


class OracleCatalog(ProcessTarget, BaseFrame):
    """Standard stars."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    frame = role("The frame", OracleReduced)


class OracleAstrometry(ProcessTarget, BaseFrame):
    """An astrometric solution."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    reduced = role("The frame", OracleReduced)


class OraclePhotometry(ProcessTarget, BaseFrame):
    """A zeropoint."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    extinction = role("Extinction", OracleExtinction)
    catalog = role("Standard stars", OracleCatalog)


class OracleRegridded(ProcessTarget, BaseFrame):
    """A regridded frame."""

    of_exposure = True

    raw = role("The exposure", RawScienceFrame)
    astrometry = role("Astrometry", OracleAstrometry)
    reduced = role("The frame", OracleReduced)
    photometry = role("Photometry", OraclePhotometry)


@pytest.fixture
def raw(archive: Archive) -> Iterator[Any]:
    """An exposure of the night of the seed's page, and what there is of it when the page is shown."""
    with Session(archive, archive.caller("A", "P", level=2)):
        camera = Instrument(name="SIMCAM")
        chip = Chip(name="ccd50", instrument=camera)
        made = RawScienceFrame(instrument=camera, chip=chip, DATE_OBS=SEEN, content_digest="raw")
        made.commit()
        yield made


@pytest.fixture
def page(raw: Any, clock: Any) -> dict[str, Any]:
    """The objects, oldest first; a bias and a twilight flat were made again after they were used."""

    def make(cls: Any, content: str = "", **inputs: Any) -> Any:
        clock.advance(days=1)
        valid = (
            {} if cls.of_exposure else dict(zip(("timestamp_start", "timestamp_end"), FAR[1], strict=True))
        )
        if not cls.of_exposure:
            valid["date_obs"] = SEEN
        made = cls(
            instrument=raw.instrument,
            chip=raw.chip,
            recipe_digest=recipe_digest(cls),
            content_digest=content or cls.__name__,
            process_status=MADE,
            **valid,
            **inputs,
        )
        made.commit()
        return made

    old_bias = make(OracleBias, "old bias")
    hot = make(OracleHot, bias=old_bias)
    bias, cold = make(OracleBias), make(OracleCold)
    dome, twilight = make(OracleDome), make(OracleTwilight)
    flat = make(OracleFlat, dome=dome, twilight=twilight)
    reduced = make(OracleReduced, raw=raw, bias=bias, cold=cold, flat=flat, hot=hot)
    extinction = make(OracleExtinction)
    catalog = make(OracleCatalog, raw=raw, frame=reduced)
    make(OracleAstrometry, raw=raw, reduced=reduced)
    make(OraclePhotometry, raw=raw, extinction=extinction, catalog=catalog)
    return {"make": make, "twilight": twilight, "flat": flat}


def tree(raw: Any, depth: Depth = None, **overrides: Any) -> Node:
    """The plan of the regridded frame."""
    with looking({}) as (_, demands):
        planner = Planner(instruments_of(raw.__state__.session.archive), overrides, demands, depth)
        return planner.node(OracleRegridded, keys_of_raw(raw))


def statuses(node: Node) -> dict[str, str]:
    return {each.cls.__name__.removeprefix("Oracle"): each.status for each in node.walk()}


def test_the_tree_of_the_seeds_target_processor(raw: Any, page: dict[str, Any]) -> None:
    page["make"](OracleTwilight, "better twilight")
    found = tree(raw)
    assert statuses(found) == {
        "Regridded": "to be built",
        **dict.fromkeys(("Astrometry", "Reduced", "Photometry", "Catalog", "Flat", "Hot"), "outdated"),
        **dict.fromkeys(("Bias", "Cold", "Dome", "Twilight", "Extinction"), "ok"),
    }
    reduced = found.inputs["reduced"]
    assert (reduced.inputs["fringe"], reduced.inputs["illumination"]) == (None, None)
    assert {str(r) for r in reduced.reasons} == {"dep:flat", "dep:hot"}
    assert [str(r) for r in reduced.inputs["flat"].reasons] == ["newer:twilight"]
    assert [str(r) for r in reduced.inputs["hot"].reasons] == ["newer:bias"]


def test_a_newer_input_of_equal_content_makes_nothing_stale(raw: Any, page: dict[str, Any]) -> None:
    page["make"](OracleTwilight, page["twilight"].content_digest)
    found = statuses(tree(raw))
    assert (found["Flat"], found["Hot"]) == ("ok", "outdated")


def test_what_is_beyond_the_depth_is_not_checked(raw: Any, page: dict[str, Any]) -> None:
    shallow = tree(raw, depth=0)
    assert {child.status for child in shallow.children()} == {"not checked"}
    assert shallow.status == "to be built"
    deeper = statuses(tree(raw, depth=1))
    assert (deeper["Astrometry"], deeper["Bias"]) == ("ok", "not checked")
    pipeline = statuses(tree(raw, depth="pipeline"))
    assert (pipeline["Reduced"], pipeline["Flat"], pipeline["Hot"]) == ("ok", "not checked", "not checked")


def test_another_parameter_is_the_one_reason(raw: Any, page: dict[str, Any]) -> None:
    found = tree(raw, **{"OracleFlat.COMBINE": 3})
    flat = found.inputs["reduced"].inputs["flat"]
    assert [str(r) for r in flat.reasons] == ["param:COMBINE"]
