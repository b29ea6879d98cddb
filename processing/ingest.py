"""Files from a telescope become raw frames: one object per chip, the bytes kept for ever.

What cannot be understood is put into quarantine with its reason, and the rest goes on. The same bytes
twice change nothing.
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.attributes import class_named, snake_case
from datamodel.errors import NotFoundError, UsageError
from datamodel.frames import RawFrame
from datamodel.healpix import hpx29
from datamodel.observatory import Astrom, Chip, Filter, Instrument
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.unique_names import one_of_a_kind, take_name
from processing.algorithms.sky_positions import sky_positions
from processing.bounded_bytes import FitsLimits, open_regular, sha256_of
from processing.fits_reading import RawFile, RawImage, open_raw
from processing.header_facts import RawFacts, facts
from processing.instrument_file import InstrumentFile
from processing.site import instruments_of
from processing.upkeep import catch_up

log = logging.getLogger("vo_server.ingest")

STORED = crash.declare("ingest.stored", "the chips of a file are in the store, their rows are not")
FILE_DONE = crash.declare("ingest.file", "one file is ingested, the next is not begun")
SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz", ".fz")


@dataclass
class Summary:
    """What became of the files.

    Attributes
    ----------
    ingested, known
        How many files were new, and how many were there already.
    frames
        How many raw frames were made, by class.
    quarantined
        Path and reason of each file that was not understood.
    """

    ingested: int = 0
    known: int = 0
    frames: dict[str, int] = field(default_factory=dict)
    quarantined: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        made = ", ".join(f"{count} {name}" for name, count in sorted(self.frames.items())) or "nothing new"
        lines = [f"{self.ingested} files ingested ({made}), {self.known} known already, "]
        lines[0] += f"{len(self.quarantined)} in quarantine"
        lines += [f"  {path}: {reason}" for path, reason in self.quarantined]
        return "\n".join(lines)


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The FITS files among and below the paths, in order of their names.

    Raises
    ------
    UsageError
        A path does not exist.
    """
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
        elif path.exists():
            yield path
        else:
            raise UsageError(f"there is no file or folder '{path}'")


def ingest(
    session: Session,
    paths: Sequence[Path],
    *,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Ingest every FITS file among and below the paths.

    Parameters
    ----------
    session
        Whose the raw frames become; their level is the caller's.
    paths
        Files and folders.
    progress
        Told the name of each file when it is done.
    """
    summary = Summary()
    for path in find_files(paths):
        try:
            _ingest_file(session, path, summary)
        except (UsageError, NotFoundError) as error:
            _quarantine(session, path, str(error))
            summary.quarantined.append((str(path), str(error)))
        crash.reach(FILE_DONE)
        if progress:
            progress(path.name)
    catch_up(session)
    return summary


def _ingest_file(session: Session, path: Path, summary: Summary) -> None:
    limits = FitsLimits(max_bytes=session.archive.config.raw_bytes)
    if _is_known(session, path, limits):
        summary.known += 1
        return
    with open_raw(path, limits) as raw:
        file = instruments_of(session.archive).recognise(raw.header)
        understood = [(image, facts(file, raw.header, image.header, path.name)) for image in raw.images]
        frames = [_frame(session, file, raw, image, known) for image, known in understood]
    crash.reach(STORED)
    if not _commit(session, frames):
        summary.known += 1
        return
    summary.ingested += 1
    for frame in frames:
        name = type(frame).__name__
        summary.frames[name] = summary.frames.get(name, 0) + 1


def _is_known(session: Session, path: Path, limits: FitsLimits) -> bool:
    """Whether a file with these bytes was ingested, by anybody."""
    with open_regular(path, limits) as file:
        sha256 = sha256_of(file)
    raw = table_of(RawFrame)
    with session.connection() as connection:
        same = sa.select(raw.c.object_id).where(raw.c.source_sha256 == sha256)
        return connection.scalar(same.limit(1)) is not None


def _commit(session: Session, frames: list[Any]) -> bool:
    """Commit the frames of a file unless somebody else has just done it; whether it was done here."""
    first = frames[0]
    with session.transaction() as connection:
        if not take_name(connection, f"file {first.source_sha256}", first.object_id):
            return False
        for frame in frames:
            frame.commit()
    return True


def _frame(session: Session, file: InstrumentFile, raw: RawFile, image: RawImage, known: RawFacts) -> Any:
    """The object of one chip, its bytes stored, not yet committed."""
    cls = class_named(known.frame_class)
    instrument = _instrument(session, file)
    frame = cls(
        instrument=instrument,
        chip=_chip(session, file, instrument, known.chip),
        filter=_filter(session, file, instrument, known.filter) if known.filter else None,
        DATE_OBS=known.date_obs,
        MJD_OBS=known.mjd_obs,
        EXPTIME=known.exptime_s,
        OBJECT=known.object,
        OBSERVER=known.observer,
        AIRMASS=known.airmass,
        obs_id=known.obs_id,
        source_name=raw.path.name,
        source_sha256=raw.sha256,
        extension=image.hdu_index,
        compatibility=json.dumps(known.compatibility, sort_keys=True) if known.compatibility else "",
    )
    if known.wcs and "astrom" in cls.__attributes__:
        _place(frame, known.wcs, image.shape)
    aside = session.archive.store.aside(image.suffix)
    raw.extract(image.hdu_index, aside)
    stored = session.archive.store.put(aside, _file_name(known, image.suffix))
    frame.filename, frame.file_size, frame.file_sha256 = stored.filename, stored.size, stored.sha256
    frame.content_digest = stored.sha256
    return frame


def _place(frame: Any, wcs: dict[str, Any], shape: tuple[int, int]) -> None:
    ny, nx = shape
    ra, dec = sky_positions((nx + 1) / 2, (ny + 1) / 2, wcs)
    frame.ra, frame.dec = float(ra), float(dec)
    frame.hpx29 = int(hpx29(frame.ra, frame.dec))
    frame.wcs = json.dumps(wcs, sort_keys=True)
    names = [a for a in Astrom.__own__ if a in wcs]
    frame.astrom = Astrom(**{n: wcs[n] for n in names} | {"NAXIS1": nx, "NAXIS2": ny})


def _file_name(known: RawFacts, suffix: str) -> str:
    named = [snake_case(known.frame_class), known.instrument, known.chip, known.filter or ""]
    parts = [*(n for n in named if n), f"{known.mjd_obs:.7f}", "{digest}"]
    return "-".join(re.sub(r"[^A-Za-z0-9._+{}]", "", part) for part in parts) + suffix


def _instrument(session: Session, file: InstrumentFile) -> Any:
    def make() -> Any:
        return Instrument(name=file.name, telescope=file.telescope, longitude=file.site.longitude_deg)

    return one_of_a_kind(session, Instrument, file.name, make)


def _chip(session: Session, file: InstrumentFile, instrument: Any, name: str) -> Any:
    def make() -> Any:
        facts = file.chip(name)
        return Chip(
            name=facts.name,
            instrument=instrument,
            pixel_scale=facts.pixel_scale_arcsec,
            naxis1=facts.size[0],
            naxis2=facts.size[1],
            gain=facts.gain_e_per_adu,
            read_noise=facts.read_noise_adu,
            saturation=facts.saturation_adu,
            trim_section=str(facts.trim_section or ""),
            overscan_section=str(facts.overscan_section or ""),
        )

    return one_of_a_kind(session, Chip, f"{file.name}/{name}", make)


def _filter(session: Session, file: InstrumentFile, instrument: Any, name: str) -> Any:
    def make() -> Any:
        facts = file.filter(name)
        wavelengths = {"em_min": facts.em_min_m, "em_max": facts.em_max_m}
        return Filter(name=facts.name, mag_id=facts.mag_id, instrument=instrument, **wavelengths)

    return one_of_a_kind(session, Filter, f"{file.name}/{name}", make)


def _quarantine(session: Session, path: Path, reason: str) -> None:
    """Keep a copy of a file that was not understood beside the reason; big ones are only named."""
    folder = session.archive.quarantine
    folder.mkdir(exist_ok=True)
    where = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()[:12]
    name = f"{where}-{re.sub(r'[^A-Za-z0-9._-]', '_', path.name)[-100:]}"
    log.warning("quarantined %s: %s", path, reason)
    (folder / f"{name}.reason.txt").write_text(f"{path}\n{session.archive.clock().isoformat()}Z\n{reason}\n")
    if path.is_file() and not path.is_symlink() and path.stat().st_size <= session.archive.config.raw_bytes:
        shutil.copyfile(path, folder / name)
