"""Is there a figure of every class to judge its products by, within bounds, and only for those who may see them?"""

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from datamodel.archive import Archive
from datamodel.context import WORLD
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.hot_pixel_map import HotPixelMap
from processing.inspecting import HEIGHT_PX, LONGEST_PX, WIDTH_PX
from processing.opening import operator
from processing.read_noise import ReadNoise
from processing.source_list import SourceList

NIGHT: dict[str, Any] = {"date": "2003-02-14", "chip": "A5382"}


@pytest.mark.thorough
def test_every_class_has_a_figure_that_is_within_bounds(session: Session) -> None:
    SourceList.get(raw=(RawScienceFrame.chip == "A5382").order_by("DATE_OBS")[0])
    for cls in TARGET_CLASSES:
        product = cls.select_all()[0]
        figure = product.inspect()
        assert cls.__name__ in figure.get_suptitle()
        assert len(figure.axes) >= 2
        picture = product.inspect_png()
        assert Image.open(io.BytesIO(picture)).size == (WIDTH_PX, HEIGHT_PX)
        for axes in figure.axes:
            assert all(max(image.get_array().shape) <= LONGEST_PX for image in axes.get_images())


def test_what_a_figure_says_is_so(session: Session) -> None:
    hot = HotPixelMap.get(**NIGHT)
    _, counts = hot.inspect().axes
    assert [int(line.get_ydata().sum()) for line in counts.get_lines()] == [hot.count, hot.count]
    noise = hot.bias.read_noise
    curve, _ = noise.inspect().axes
    assert [list(line.get_ydata()) for line in curve.get_lines()] == [
        [noise.read_noise],
        [],
        [noise.read_noise],
    ]
    bad = hot.verify_again(MAXIMUM_COUNT=-1)
    assert "COUNT_TOO_HIGH" in bad.inspect().get_suptitle()


@pytest.fixture
def constant(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Has all images read as what is appended to it."""
    found: list[Any] = []
    monkeypatch.setattr("processing.inspecting.read_image", lambda _path: (found[-1], None))
    return found


@pytest.mark.parametrize(
    "value", [np.nan, *(pytest.param(value, marks=pytest.mark.thorough) for value in (1.0, -1e38))]
)
def test_images_of_one_value_or_of_none_are_drawn(
    session: Session, constant: list[Any], value: float
) -> None:
    bias, hot = BiasFrame.get(**NIGHT), HotPixelMap.get(**NIGHT)
    constant.append(np.full((3, 2000), value, np.float32))
    assert bias.inspect_png().startswith(b"\x89PNG")
    assert hot.inspect_png().startswith(b"\x89PNG")


def test_names_are_not_taken_for_formulas(session: Session) -> None:
    noise = ReadNoise.get(**NIGHT)
    figure = noise.inspect()
    assert noise.inspect_png() == noise.inspect_png(), "the same values are drawn alike"
    assert not figure._suptitle.get_parse_math()


@pytest.mark.thorough
def test_the_page_leads_to_the_figure_for_those_who_see_the_object(
    client: FlaskClient, observatory: Archive
) -> None:
    with Session(observatory, operator(observatory).at(level=WORLD)):
        bias = BiasFrame.get(**NIGHT)
        noise, chip = bias.read_noise.object_id, bias.chip.object_id
    with Session(observatory, operator(observatory).at(level=2)):
        hidden = HotPixelMap.get(**NIGHT)
    where = f"/object/{bias.object_id}/inspect.png"
    assert where in client.get(f"/object/{bias.object_id}").text
    assert f"/object/{chip}/inspect.png" not in client.get(f"/object/{chip}").text
    answer = client.get(where)
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.data)).size == (WIDTH_PX, HEIGHT_PX)
    tag = answer.headers["ETag"]
    assert client.get(where, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"/object/{noise}/inspect.png").status_code == 200
    for unknown in (chip, hidden.object_id, "nothing"):
        assert client.get(f"/object/{unknown}/inspect.png").status_code == 404
