"""What is true of the simulated survey, written where no recipe will look?

The folder holds

truth.json
    Numbers: chips, filters, distortion, exposures, and the conventions they follow.
maps.npz
    Arrays ``(ny, nx)``: ``bias/<chip>`` [ADU], ``dark/<chip>`` [electrons/s], ``hot/<chip>`` and
    ``cold/<chip>`` (True is bad), ``response/<chip>/<filter>``; and ``cosmics/<obsid>/<chip>``, the flat
    indices ``y * nx + x`` of the pixels hit.
stars.ecsv
    The stars: true positions, magnitudes, and whether they are real.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.table import Table

from datamodel.errors import UsageError
from processing.simulator.camera import CHIPS, DISTORTION_PER_DEG2, Chip
from processing.simulator.detector import (
    DOME_BULGE,
    DOME_TILT,
    VIGNETTING,
    bias_map,
    dark_map,
    defects,
    response_map,
)
from processing.simulator.frames import (
    EXTINCTION,
    SKY_E_PER_S,
    ZEROPOINT_E,
    conditions,
    cosmic_ray_pixels,
    true_pointing,
)
from processing.simulator.plan import FILTERS, Exposure, SurveyPlan, exposures
from processing.simulator.stars import COLOUR_TERMS, star_field

CONVENTIONS = {
    "gain": "electrons = gain * ADU",
    "zeropoint": "m = zeropoint_adu - 2.5 log10(ADU/s) - extinction * airmass, m above the atmosphere, for all "
    "the light of a star at response 1. A frame divided by (flat / n), where n is what the true response is "
    "divided by to make the flat, has the zeropoint zeropoint_adu + 2.5 log10(n).",
    "response": "1 on the optical axis of a chip of efficiency 1; sky and twilight are even per pixel, not "
    "per solid angle",
    "pixels": "0-based, integers at pixel centres, (x, y) is array[y, x]; add 1 for FITS",
    "distortion": "east, north [deg] about the axis = ideal offsets * (1 + k r^2), r the ideal distance [deg]; "
    "then turned by rotation_deg from north towards east; then a gnomonic projection about the true axis",
    "colour": "magnitude = G + c (BP - RP)",
    "dome": "dome flats see response * (1 + a e + b n - bulge (e^2 + n^2) / 2), e and n in half mosaics",
    "psf": "Moffat, beta 3, sampled at pixel centres",
}


def write_truth(plan: SurveyPlan, folder: Path) -> None:
    """Write the three files of the truth into a folder, made when it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.json").write_text(json.dumps(truth_numbers(plan), indent=1) + "\n", encoding="utf-8")
    arrays: dict[str, Any] = dict(truth_maps(plan))
    np.savez(folder / "maps.npz", **arrays)
    star_table(plan).write(folder / "stars.ecsv", overwrite=True)


def check_place(truth: Path, raw: Path) -> None:
    """Refuse to write the truth among the raw files.

    Raises
    ------
    UsageError
        When the truth is to lie in the raw folder or below it.
    """
    if truth.resolve().is_relative_to(raw.resolve()):
        raise UsageError(
            f"the truth would lie in {str(truth)!r}, inside the raw folder; expected a folder outside"
        )


def truth_numbers(plan: SurveyPlan) -> dict[str, Any]:
    """Everything in truth.json."""
    return {
        "conventions": CONVENTIONS,
        "plan": asdict(plan) | {"nights": [asdict(n) | {"date": f"{n.date}"} for n in plan.nights]},
        "chips": {chip.name: _chip_numbers(plan, chip) for chip in CHIPS.values()},
        "filters": {name: _filter_numbers(band) for name, band in FILTERS.items()},
        "distortion_per_deg2": DISTORTION_PER_DEG2,
        "dome_bulge": DOME_BULGE,
        "exposures": {e.obsid: _exposure_numbers(plan, e) for e in exposures(plan)},
    }


def zeropoint_adu(chip: Chip, filter_name: str) -> float:
    """Magnitude of a star giving one ADU a second at response 1 on a chip, above the atmosphere."""
    return float(ZEROPOINT_E[FILTERS[filter_name]] - 2.5 * np.log10(chip.gain_e_per_adu))


def truth_maps(plan: SurveyPlan) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the names and arrays of maps.npz."""
    for name in CHIPS:
        hot, cold = defects(plan, name)
        yield f"bias/{name}", bias_map(plan, name)
        yield f"dark/{name}", dark_map(plan, name)
        yield f"hot/{name}", hot
        yield f"cold/{name}", cold
        yield from ((f"response/{name}/{f}", response_map(plan, name, f)) for f in FILTERS)
        for e in exposures(plan):
            if e.obstype in ("SCIENCE", "DARK"):
                yield f"cosmics/{e.obsid}/{name}", cosmic_ray_pixels(plan, e, name)


def star_table(plan: SurveyPlan) -> Table:
    """The stars of the field with true positions (ICRS) and magnitudes above the atmosphere."""
    stars = star_field(plan)
    table = Table(
        {
            "source_id": stars.source_id,
            "ra": stars.ra_deg * u.deg,
            "dec": stars.dec_deg * u.deg,
            "g": stars.g * u.mag,
            "bp_rp": stars.bp_rp * u.mag,
            "real": stars.real,
        }
    )
    for band in COLOUR_TERMS:
        table[band] = stars.magnitude(band) * u.mag
    return table


def _chip_numbers(plan: SurveyPlan, chip: Chip) -> dict[str, Any]:
    hot, cold = defects(plan, chip.name)
    return asdict(chip) | {
        "hot_pixels": int(hot.sum()),
        "cold_pixels": int(cold.sum()),
        "zeropoint_adu": {name: zeropoint_adu(chip, name) for name in FILTERS},
        "response_median": {name: float(np.median(response_map(plan, chip.name, name))) for name in FILTERS},
    }


def _filter_numbers(band: str) -> dict[str, Any]:
    return {
        "mag_id": band,
        "zeropoint_e": ZEROPOINT_E[band],
        "extinction": EXTINCTION[band],
        "sky_e_per_s": SKY_E_PER_S[band],
        "colour_term": COLOUR_TERMS[band],
        "vignetting": VIGNETTING[band],
        "dome_tilt": DOME_TILT[band],
    }


def _exposure_numbers(plan: SurveyPlan, exposure: Exposure) -> dict[str, Any]:
    told = {"obstype": exposure.obstype, "filter": exposure.filter, "airmass": exposure.airmass}
    if exposure.obstype != "SCIENCE":
        return told | {"light_e": conditions(plan, exposure).light_e}
    return told | asdict(conditions(plan, exposure)) | {"true_axis": asdict(true_pointing(plan, exposure))}
