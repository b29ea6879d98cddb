"""A reduced frame has the world coordinates of its own pixels, in its file and in its table."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from datamodel.frames import RawScienceFrame
from datamodel.observatory import Astrom
from datamodel.session import Session
from processing.reduced_science_frame import ReducedScienceFrame


def _header(astrom: Astrom) -> fits.Header:
    cards = {name: getattr(astrom, name) for name in Astrom.__own__}
    return fits.Header({name: value for name, value in cards.items() if value is not None})


def test_the_world_coordinates_of_a_reduced_frame_are_those_of_its_file(session: Session) -> None:
    raw = RawScienceFrame.select_all().order_by("DATE_OBS")[0]
    reduced = ReducedScienceFrame.get(raw=raw)
    with fits.open(reduced.path()) as hdus:
        of_file, (ny, nx) = WCS(hdus[0].header, fix=False), hdus[0].data.shape
    again = session.load(ReducedScienceFrame, reduced.object_id)
    assert (nx, ny) == (again.astrom.NAXIS1, again.astrom.NAXIS2)
    x, y = np.array([0.0, nx - 1.0, nx / 2]), np.array([0.0, ny - 1.0, ny / 3])
    here, there = WCS(_header(again.astrom)).all_pix2world(x, y, 0), of_file.all_pix2world(x, y, 0)
    assert np.allclose(here, there, rtol=0, atol=1e-9)


def test_what_is_trimmed_has_world_coordinates_of_the_part_that_is_left(session: Session) -> None:
    nominal = RawScienceFrame.select_all()[0].astrom
    chip = SimpleNamespace(trim_section="[11:110,21:70]")
    product = SimpleNamespace(
        raw=SimpleNamespace(astrom=nominal), chip=chip, _privileges=3, _project="a project", astrom=None
    )
    ReducedScienceFrame.keep(product, None, None)
    part: Astrom = product.astrom
    assert (part.NAXIS1, part.NAXIS2) == (100, 50)
    assert (part._privileges, part._project) == (3, "a project")
    whole_sky = WCS(_header(nominal)).all_pix2world([[10 + 4.0, 20 + 7.0]], 0)
    assert np.allclose(WCS(_header(part)).all_pix2world([[4.0, 7.0]], 0), whole_sky, rtol=0, atol=1e-10)


@pytest.mark.parametrize("trim", ["", "[1:10,1:10]"])
def test_what_is_not_of_the_sky_has_none(trim: str) -> None:
    product = SimpleNamespace(raw=SimpleNamespace(astrom=None), chip=SimpleNamespace(trim_section=trim))
    ReducedScienceFrame.keep(product, None, None)
    assert product.astrom is None
