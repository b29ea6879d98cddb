"""Does each class find fault with what is beyond its limits, and with nothing that is not known?"""

import math
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from datamodel.errors import RecipeError
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.cold_pixel_map import ColdPixelMap
from processing.comparing import change, ratio
from processing.cosmic_map import CosmicMap
from processing.declarations import flags, parameters
from processing.dome_flat_frame import DomeFlatFrame
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.read_noise import ReadNoise
from processing.reasons import NOMINAL_RECIPE
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.twilight_flat_frame import TwilightFlatFrame
from processing.weight_frame import WeightFrame
from processing.work import Parameters

NIGHT: dict[str, Any] = {"date": "2003-02-14", "chip": "A5382"}

_FLAT = {
    "MEDIAN_RATIO_TOO_HIGH": ({"median": 1.0}, {"median": 0.4}),
    "STDEV_DIFFERENCE_TOO_HIGH": ({"stdev": 0.5}, {"stdev": 11.0}),
    "STDEV_TOO_HIGH": ({"stdev": 11.0}, None),
}
_COUNT = {
    "COUNT_TOO_HIGH": ({"count": 10_000_001}, None),
    "COUNT_DIFFERENCE_TOO_HIGH": ({"count": 0}, {"count": 10_000_001}),
}

FAULTY: dict[Any, dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    ReadNoise: {
        "READNOISE_TOO_HIGH": ({"read_noise": 1000.1}, None),
        "READNOISE_DIFFERENCE_TOO_HIGH": ({"read_noise": 5.0}, {"read_noise": 15.1}),
    },
    BiasFrame: {
        "STDEV_TOO_HIGH": ({"stdev": 1000.1}, None),
        "SUBWIN_FLATNESS_TOO_HIGH": ({"flatness": 100_000.1}, None),
        "SUBWIN_STDEV_TOO_HIGH": ({"subwin_stdev": 100_000.1}, None),
        "LEVEL_DIFFERENCE_TOO_HIGH": ({"median": 10_300.0}, {"median": 200.0}),
        "STDEV_DIFFERENCE_TOO_HIGH": ({"stdev": 5.0}, {"stdev": 1005.1}),
    },
    HotPixelMap: _COUNT,
    ColdPixelMap: _COUNT,
    DomeFlatFrame: _FLAT,
    TwilightFlatFrame: _FLAT,
    MasterFlatFrame: _FLAT,
    CosmicMap: _COUNT,
    ReducedScienceFrame: {
        "STDEV_TOO_HIGH": ({"stdev": 100_000.1}, None),
        "BACKGROUND_DIFFERENCE_TOO_HIGH": ({"median": 100.0}, {"median": 100_100.1}),
    },
    WeightFrame: {
        "MEAN_TOO_LOW": ({"mean": -0.1}, None),
        "MEAN_RATIO_TOO_HIGH": ({"mean": 1e-8}, {"mean": 0.1}),
    },
    SourceList: {
        "TOO_FEW_SOURCES": ({"number_of_sources": -1}, None),
        "NUMBER_DIFFERENCE_TOO_HIGH": ({"number_of_sources": 0}, {"number_of_sources": 10_000_001}),
    },
}
"""For each class and flag: values, and those of the version before, that raise it by the defaults of the limits."""

CASES = [
    pytest.param(cls, flag, *values, id=f"{cls.__name__}-{flag}")
    for cls, flagged in FAULTY.items()
    for flag, values in flagged.items()
]


def _raised(cls: Any, values: dict[str, Any], previous: dict[str, Any] | None, **limits: Any) -> set[str]:
    defaults = {name: p.attribute.default for name, p in parameters(cls, "qc").items()}
    given = Parameters(defaults | limits)
    found: set[str] = cls.verify(values, given) | cls.compare(values, previous, given)
    return found


@pytest.mark.parametrize("cls", TARGET_CLASSES, ids=lambda c: c.__name__)
def test_every_class_is_verified_and_compared_and_every_flag_can_be_raised(cls: Any) -> None:
    assert set(FAULTY[cls]) == set(flags(cls))
    assert sorted(flag.bit for flag in flags(cls).values()) == list(range(len(flags(cls))))


@pytest.mark.parametrize(("cls", "flag", "values", "previous"), CASES)
def test_what_is_beyond_its_limit_is_flagged_and_what_is_at_it_is_not(
    cls: Any, flag: str, values: dict[str, Any], previous: dict[str, Any] | None
) -> None:
    assert flag in _raised(cls, values, previous)
    (name,) = values
    assert _raised(cls, values | {name: None}, previous) == set()
    assert _raised(cls, {}, previous) == set()
    if previous is None:
        assert flag in _raised(cls, values | {name: math.nan}, None)
        return
    for unknown in (None, {}, {name: None}, {name: math.nan}, previous | {"recipe_digest": NOMINAL_RECIPE}):
        assert flag not in _raised(cls, values, unknown)
    assert _raised(cls, values, values) == set()


def test_differences_have_no_sign_and_ratios_no_order() -> None:
    assert change({"x": 3}, {"x": 5.5}, "x") == change({"x": 5.5}, {"x": 3}, "x") == 2.5
    assert ratio({"x": 2.0}, {"x": 5.0}, "x") == ratio({"x": -5.0}, {"x": -2.0}, "x") == 2.5
    assert ratio({"x": 0.0}, {"x": 5.0}, "x") == math.inf
    assert ratio({"x": 0}, {"x": 0}, "x") == 1.0
    assert ratio({"x": -1.0}, {"x": 1.0}, "x") is None


def test_a_bias_knows_how_even_it_is_and_is_judged_by_it(session: Session) -> None:
    bias = BiasFrame.get(**NIGHT)
    image = fits.getdata(bias.path()).astype(float)
    ny, nx = image.shape
    windows = [
        image[ny * j // 8 : ny * (j + 1) // 8, nx * i // 8 : nx * (i + 1) // 8]
        for j in range(8)
        for i in range(8)
    ]
    medians = [np.median(window) for window in windows]
    assert bias.imstat.flatness == pytest.approx(np.ptp(medians))
    assert bias.imstat.subwin_stdev == pytest.approx(max(window.std() for window in windows))
    assert HotPixelMap.get(**NIGHT).imstat.flatness is None
    with pytest.raises(RecipeError, match="SUBWIN_FLATNESS_TOO_HIGH, SUBWIN_STDEV_TOO_HIGH"):
        BiasFrame.get(**NIGHT, MAXIMUM_SUBWIN_FLATNESS=0.0, MAXIMUM_SUBWIN_STDEV=0.0)
    assert BiasFrame.select(**NIGHT) is bias


def test_a_nominal_calibration_is_no_standard_to_compare_with(session: Session) -> None:
    tight: dict[str, Any] = {"MAXIMUM_LEVEL_DIFFERENCE": 0.0, "MAXIMUM_STDEV_DIFFERENCE": 0.0}
    first = BiasFrame.get(**NIGHT, **tight)
    assert first.get_qcflags_set() == []
    with pytest.raises(RecipeError, match="STDEV_DIFFERENCE_TOO_HIGH"):
        BiasFrame.get(**NIGHT, **tight, SIGMA_CLIP=1.0)
