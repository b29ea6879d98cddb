"""How many frames a second does the demonstration simulate, ingest and reduce, and what does reading alone cost?

The reference is reading and writing the same pixels with astropy, in the same run.
"""

import argparse
import tempfile
import time
from datetime import date
from pathlib import Path

from astropy.io import fits

from datamodel.config import Config
from datamodel.frames import RawScienceFrame
from processing.ingest import ingest
from processing.opening import session_of
from processing.reduced_science_frame import ReducedScienceFrame
from processing.simulator import Night, SurveyPlan, write_survey
from processing.source_list import SourceList


def main() -> None:
    """Run the chain on one night and print each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sciences", type=int, default=2, help="science exposures a filter")
    chosen = parser.parse_args()
    night = Night(
        date(2003, 2, 14), biases=10, darks=0, domeflats=5, twilightflats=5, sciences=chosen.sciences
    )
    with tempfile.TemporaryDirectory() as folder:
        run(SurveyPlan(nights=(night,)), Path(folder))


def run(plan: SurveyPlan, folder: Path) -> None:
    """Simulate, copy, ingest, calibrate, reduce, extract."""
    seconds: dict[str, tuple[float, int]] = {}

    def clock(name: str, frames: int, began: float) -> None:
        seconds[name] = (time.perf_counter() - began, frames)

    began = time.perf_counter()
    files = write_survey(plan, folder / "raw", folder / "truth", workers=2)
    clock("simulate", 4 * len(files), began)
    began = time.perf_counter()
    for path in files:
        with fits.open(path) as hdus:
            for hdu in hdus[1:]:
                fits.PrimaryHDU(hdu.data, hdu.header).writeto(
                    folder / f"{path.stem}-{hdu.header['CHIP']}.fits"
                )
    clock("reference: split with astropy", 4 * len(files), began)
    with session_of(Config(archive=folder / "archive", log_level="ERROR")) as session:
        began = time.perf_counter()
        ingest(session, [folder / "raw"])
        clock("ingest", 4 * len(files), began)
        raws = list(RawScienceFrame.select_all())
        began = time.perf_counter()
        ReducedScienceFrame.get(raw=raws[0])
        clock("first reduced frame, workers and calibrations included", 1, began)
        began = time.perf_counter()
        for raw in raws:
            ReducedScienceFrame.get(raw=raw)
        clock("reduced frames with their calibrations", len(raws), began)
        began = time.perf_counter()
        for raw in raws:
            SourceList.get(raw=raw)
        clock("cosmics, weights and source lists", len(raws), began)
        began = time.perf_counter()
        for raw in raws:
            SourceList.get(raw=raw)
        clock("asked again, nothing made", len(raws), began)
    for name, (taken, frames) in seconds.items():
        print(f"{name:55s} {taken:8.2f} s  {frames:4d} frames  {frames / taken:8.1f} frames/s")


if __name__ == "__main__":
    main()
