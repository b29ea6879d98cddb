"""Which files belong to an archive, and how do they get from one folder to another?

Those of the store that rows name, and whatever else lies in its folder but for what is made anew: see `OURS`. Bytes of
the store never change, so that a backup on the same disk need not have them twice.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from datamodel.custody import BELONGS, IN_USE, MOVING, sync
from datamodel.errors import DataLostError
from datamodel.store import digest

Progress = Callable[[str, int, int | None, str], object]
"""Called with what is being done, how much is done, of how much if that is known, and of what: rows, files."""

OURS = (
    "files",
    "staging",
    "notices",
    "catalogues",
    "demo",
    IN_USE,
    BELONGS,
    "archive.sqlite",
    MOVING,
)
"""In an archive's folder: the store, of which rows say what is needed, and what is made anew or stands for a process.

``demo`` has the frames of the demo, which are in the store as well.
"""

_WORKERS = Path("jobs", "workers")
_UNFINISHED = (".part", ".partial")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file that belongs to an archive.

    Attributes
    ----------
    path
        Where it lies.
    sha256
        What its row says; None where there is none.
    fixed
        Whether it never changes.
    """

    path: Path
    sha256: str | None = None
    fixed: bool = False


def file_of(url: str) -> Path | None:
    """The file of a database, if that is one."""
    read = sa.make_url(url)
    in_file = read.get_backend_name() == "sqlite" and read.database not in (None, "", ":memory:")
    return Path(str(read.database)) if in_file else None


def others(folder: Path, database: Path | None) -> Iterator[tuple[str, Source]]:
    """The files of an archive that are not in its store, by their paths below it.

    Parameters
    ----------
    folder
        Of the archive.
    database
        The file of its database, if it has one.
    """
    for top in sorted(folder.iterdir()):
        if top.name in OURS or top.name.startswith("archive.sqlite") or _is_of(top, database):
            continue
        for path in [top] if not top.is_dir() else sorted(top.rglob("*")):
            below = path.relative_to(folder)
            if not below.is_relative_to(_WORKERS) and path.suffix not in _UNFINISHED and _is_plain(path):
                yield below.as_posix(), Source(path)


def _is_of(path: Path, database: Path | None) -> bool:
    """Whether a file is the database, or one that SQLite has beside it."""
    return database is not None and path.parent == database.parent and path.name.startswith(database.name)


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def brought(source: Path, target: Path, *, link: bool, mode: int) -> tuple[int, str]:
    """Have a file at a place where there is none yet; gives its size and SHA-256.

    Parameters
    ----------
    source, target
        From where to where.
    link
        Whether both may be the same file on disk, where that can be.
    mode
        Who may do what with a copy.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if link and _linked(source, target):
        return digest(target)
    aside = target.with_name(f"{target.name}.partial")
    sha256, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with source.open("rb") as stream, os.fdopen(descriptor, "wb") as written:
            while chunk := stream.read(_CHUNK):
                sha256.update(chunk)
                size += len(chunk)
                written.write(chunk)
            os.fchmod(written.fileno(), mode)
            written.flush()
            os.fsync(written.fileno())
        shutil.copystat(source, aside)
        os.chmod(aside, mode)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    sync(target.parent)
    return size, sha256.hexdigest()


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False  # another disk, one without links, or another's file
    return True


def require(path: Path, size: int, sha256: str, name: str) -> None:
    """See that a file is what is said of it.

    Raises
    ------
    DataLostError
        It is not there, or has other bytes.
    """
    try:
        found = digest(path)
    except OSError as error:
        raise DataLostError(f"{name}: '{path}' cannot be read: {error.strerror}") from None
    if found != (size, sha256):
        raise DataLostError(
            f"{name}: '{path}' has changed: {found[0]} bytes with SHA-256 {found[1]}, expected {size} with {sha256}"
        )
