"""Do the cells near a position hold all that lies within the angle, everywhere on the sky?"""

import math

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from cdshealpix.nested import neighbours

from datamodel.archive import Archive
from datamodel.near_cells import FINE, _cell, near_cells, order_near, width
from datamodel.sky import hpx29

EDGES = [
    (45.0, 41.81),
    (0.0, 0.0),
    (90.0, 0.0),
    (45.0, 0.0),
    (22.5, 20.0),
    (0.0, 41.8103),
    (0.0, 89.99),
    (90.0, 66.0),
]


def _centres(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    ra, dec = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    for lon, lat in EDGES:
        for quarter in range(4):
            for sign in (1, -1):
                near = random.normal(0, 0.02, (2, count // 20))
                ra = np.concatenate(
                    [ra, (lon + 90 * quarter + near[0] / math.cos(math.radians(min(lat, 89.9)))) % 360]
                )
                dec = np.concatenate([dec, np.clip(sign * lat + near[1], -90, 90)])
    return ra, dec


@pytest.mark.parametrize("radius_deg", [1.8, 0.3, 0.01, 1 / 3600, 1e-6])
def test_all_that_is_near_is_in_the_cells(radius_deg: float) -> None:
    order = order_near(radius_deg)
    assert order is not None
    ra, dec = _centres(400)
    centre = SkyCoord(ra * u.deg, dec * u.deg)
    cells = [set(near_cells(int(p), order)) for p in np.asarray(hpx29(ra, dec)).astype("i8")]
    assert max(map(len, cells)) == 4 or radius_deg > 1
    for bearing in range(0, 360, 10):
        around = centre.directional_offset_by(Angle(bearing * u.deg), radius_deg * u.deg)
        pixels = np.asarray(hpx29(around.ra.deg, around.dec.deg)).astype("i8")
        starts = pixels // width(order) * width(order)
        missed = [
            i for i, (start, own) in enumerate(zip(starts.tolist(), cells, strict=True)) if start not in own
        ]
        assert not missed, (bearing, [(ra[i], dec[i]) for i in missed[:5]])


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_step_over_an_edge_leads_to_the_neighbour(order: int) -> None:
    side = 1 << order
    for cell in range(12 * side**2):
        known = {int(n) for n in neighbours(cell, order)[0] if n >= 0}
        face, inner = cell >> 2 * order, cell & side**2 - 1
        x = sum((inner >> 2 * bit & 1) << bit for bit in range(order))
        y = sum((inner >> 2 * bit + 1 & 1) << bit for bit in range(order))
        steps = {_cell(face, x + dx, y + dy, order) for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
        assert steps - {-1} == known


def test_an_angle_too_wide_has_no_cells() -> None:
    assert order_near(8.0) is None
    assert order_near(0.0) is not None
    assert order_near(0.0) + FINE <= 29


def test_both_databases_find_the_same_cells(archive: Archive) -> None:
    ra, dec = _centres(100)
    pixels = np.asarray(hpx29(ra, dec)).astype("i8").tolist()
    texts = {
        "sqlite": "value FROM json_each(vo_near_cells({}, {}))",
        "postgresql": "vo_near_cells({}, {})",
    }
    text = texts[archive.database.speech.name]
    with archive.database.read() as connection:
        for order in (0, 5, 14, 24):
            for pixel in pixels[::17]:
                found = connection.exec_driver_sql(f"SELECT {text.format(pixel, order)}").scalars().all()
                assert sorted(found) == sorted(near_cells(pixel, order))
