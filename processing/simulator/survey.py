"""How do the simulated exposures become files?"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from astropy.io import fits

from processing.simulator.camera import CHIPS, SATURATION_ADU, Chip, linear_wcs, nominal_pointing
from processing.simulator.frames import pixels
from processing.simulator.plan import Exposure, SurveyPlan, exposures
from processing.simulator.truth import check_place, write_truth

Progress = Callable[[int, int], None]
"""Called with the number of files there are and the number there will be."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def write_survey(
    plan: SurveyPlan,
    folder: Path,
    truth_path: Path | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write all exposures that are not there yet, in processes of their own.

    Parameters
    ----------
    folder
        Where the raw files go; made when it is missing.
    truth_path
        A folder for what is known of the truth, outside the raw folder; None writes none.
    workers
        Number of processes; with 1 the work is done in this one.

    Returns
    -------
    tuple
        The files of the survey, in order of time.

    Raises
    ------
    UsageError
        When the truth is to lie inside the raw folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if truth_path is not None:
        check_place(truth_path, folder)
        write_truth(plan, truth_path)
    taken = exposures(plan)
    missing = [e for e in taken if not exposure_path(e, folder).exists()]
    for done, _ in enumerate(_written(plan, missing, folder, workers), start=len(taken) - len(missing) + 1):
        if progress is not None:
            progress(done, len(taken))
    return tuple(exposure_path(e, folder) for e in taken)


def write_exposure(plan: SurveyPlan, exposure: Exposure, folder: Path) -> Path:
    """Write one exposure beside its name and rename it, so that a file that exists is whole."""
    path = exposure_path(exposure, folder)
    aside = folder / f".{path.name}.{os.getpid()}.part"
    try:
        exposure_hdus(plan, exposure).writeto(aside, overwrite=True)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def exposure_path(exposure: Exposure, folder: Path) -> Path:
    """The file of an exposure."""
    return folder / f"{exposure.obsid}.fits"


def exposure_hdus(plan: SurveyPlan, exposure: Exposure) -> fits.HDUList:
    """A primary HDU without data and an image extension for each chip (FITS 4.0 section 7.1)."""
    hdus = fits.HDUList([fits.PrimaryHDU(header=primary_header(exposure))])
    for chip in CHIPS.values():
        data = pixels(plan, exposure, chip.name)
        hdu = fits.ImageHDU(data, header=chip_header(plan, exposure, chip))
        hdu.header["EXTNAME"] = chip.name  # the constructor would write it in capitals
        hdus.append(hdu)
    return hdus


def primary_header(exposure: Exposure) -> fits.Header:
    """What the telescope and the observer knew."""
    header = fits.Header()
    header["ORIGIN"] = "SIMULATION"
    header["TELESCOP"] = "SIMTEL"
    header["INSTRUME"] = "SIMCAM"
    header["OBSERVER"] = "The Simulator"
    header["OBSID"] = (exposure.obsid, "unique name of the exposure")
    header["OBJECT"] = exposure.object
    header["OBSTYPE"] = (exposure.obstype, "BIAS, DARK, DOMEFLAT, TWIFLAT or SCIENCE")
    if exposure.filter is not None:
        header["FILTER"] = exposure.filter
    header["EXPTIME"] = (exposure.exptime_s, "[s] exposure time")
    header["TIMESYS"] = "UTC"
    start = exposure.start.replace(tzinfo=None).isoformat(timespec="milliseconds")
    header["DATE-OBS"] = (start, "UTC at the start")
    header["MJD-OBS"] = (round(exposure.mjd, 8), "[d] UTC at the start")
    header["RA"] = (round(exposure.ra_deg, 7), "[deg] ICRS, where the telescope was sent")
    header["DEC"] = (round(exposure.dec_deg, 7), "[deg] ICRS, where the telescope was sent")
    if exposure.airmass is not None:
        header["AIRMASS"] = (round(exposure.airmass, 4), "at the middle of the exposure")
    return header


def chip_header(plan: SurveyPlan, exposure: Exposure, chip: Chip) -> fits.Header:
    """What is known of a chip; for science the linear projection about where the telescope was sent."""
    header = fits.Header()
    header["CHIP"] = (chip.name, "name of the detector")
    header["BUNIT"] = "adu"
    header["SATURATE"] = (float(SATURATION_ADU), "[adu] level of the full converter")
    if exposure.obstype == "SCIENCE":
        header.update(linear_wcs(plan, chip, nominal_pointing(exposure)))
    return header


def _written(plan: SurveyPlan, missing: list[Exposure], folder: Path, workers: int) -> Iterator[Path]:
    """Yield each file when it is there."""
    if workers <= 1:
        yield from (write_exposure(plan, e, folder) for e in missing)
        return
    with _single_threaded(), ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        futures = [pool.submit(write_exposure, plan, e, folder) for e in missing]
        for future in as_completed(futures):
            yield future.result()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let the processes spawned meanwhile start with one thread each for array arithmetic."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
