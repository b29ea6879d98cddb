"""Where bytes are kept: written aside, digested, renamed; located by their global file name.

A file is complete under its final name or it is not there; it is never overwritten and never
writable. Rows that point at it are written afterwards. Who stores bytes that are there already makes their file young
again, for old files that no row names are removed: see `datamodel.vacuum`.
"""

import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datamodel import crash
from datamodel.errors import BusyError, DataLostError, UsageError

STAGED = crash.declare("store.staged", "the bytes lie aside, digested and on disk, under no name yet")
NAMED = crash.declare("store.named", "the bytes have their name, but no row points at them")

_NAME = re.compile(r"[A-Za-z0-9#][A-Za-z0-9#._+-]{0,199}")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stored:
    """A file in the store: its global name, size in bytes and SHA-256 as 64 hexadecimal digits."""

    filename: str
    size: int
    sha256: str


class Store:
    """The data server of one archive, in a local folder.

    Parameters
    ----------
    folder
        Holds ``files/`` and ``staging/``; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.staging = folder / "staging"
        for place in (self.files, self.staging):
            place.mkdir(parents=True, exist_ok=True)

    def aside(self, suffix: str = "") -> Path:
        """A path that nobody else uses, on the same file system, to write a new file at."""
        return self.staging / f"{os.getpid()}-{uuid.uuid4().hex}{suffix}"

    def put(self, path: Path, filename: str, *, keep: bool = False) -> Stored:
        """Take a file into the store under its global name.

        Parameters
        ----------
        path
            The file; moved if it was written at `aside`, else copied there first.
        filename
            Global name. ``{digest}`` in it stands for the first 16 digits of the SHA-256.
        keep
            Copy instead of move.

        Raises
        ------
        UsageError
            The name is not a plain file name, or exists with other bytes.
        """
        source = path
        if keep or path.parent != self.staging:
            path = self.aside()
        try:
            if path is not source:
                shutil.copyfile(source, path)
            size, sha256 = digest(path)
            _sync(path)
            crash.reach(STAGED)
            name = filename.replace("{digest}", sha256[:16])
            with _locked(self.files, fcntl.LOCK_SH):  # nobody removes the file between a look and a touch
                self._link(path, self._place(name), sha256)
        finally:
            path.unlink(missing_ok=True)
        crash.reach(NAMED)
        return Stored(name, size, sha256)

    def _link(self, path: Path, target: Path, sha256: str) -> None:
        target.parent.mkdir(exist_ok=True)
        _sync(self.files)
        path.chmod(0o444)
        os.utime(path)  # it was written as long ago as the making took
        try:
            os.link(path, target)  # never overwrites
        except FileExistsError:
            if digest(target)[1] != sha256:
                raise UsageError(
                    f"the store already has other bytes under the name '{target.name}'"
                ) from None
            _renew(target, path)
        _sync(target.parent)

    def _place(self, filename: str) -> Path:
        if not _NAME.fullmatch(filename):
            raise UsageError(
                f"'{filename[:100]}' is not a file name of the store: expected letters, digits and # . _ + -"
            )
        return self.files / hashlib.sha256(filename.encode()).hexdigest()[:2] / filename

    def path(self, filename: str, sha256: str = "") -> Path:
        """Where the file lies; read only.

        Raises
        ------
        DataLostError
            It is not there, or (when `sha256` is given) its bytes have changed.
        """
        place = self._place(filename)
        if not place.is_file():
            raise DataLostError(f"the bytes of '{filename}' are not in the store")
        if sha256 and digest(place)[1] != sha256:
            raise DataLostError(f"the bytes of '{filename}' have changed in the store")
        return place

    def has(self, filename: str) -> bool:
        """Whether the store has a file of that name."""
        return self._place(filename).is_file()

    def sweep(self, older_than_s: float) -> int:
        """Remove what killed processes left aside; gives how many files that were.

        Parameters
        ----------
        older_than_s
            Files touched since then may still be written to, and stay.
        """
        limit = time.time() - older_than_s
        removed = 0
        for path in self.staging.iterdir():
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # it has just got its name
        return removed

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Nothing is removed within the block, by whoever is going to read what rows have named before.

        Raises
        ------
        BusyError
            Something is being removed.
        """
        with _locked(self.staging, fcntl.LOCK_SH, "files that nobody needs are being removed"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody is within `kept` while the block lasts.

        Raises
        ------
        BusyError
            Somebody is.
        """
        with _locked(self.staging, fcntl.LOCK_EX, "a backup is being made, or files are being removed"):
            yield

    def untouched(self, limit: float) -> Iterator[Path]:
        """The files that were stored last before an instant, in seconds since 1970."""
        for folder in sorted(self.files.iterdir()):
            for path in sorted(folder.iterdir()):
                try:
                    if path.stat().st_mtime < limit:
                        yield path
                except FileNotFoundError:
                    continue  # somebody else removes files, too

    def remove(self, filename: str, limit: float) -> int | None:
        """Remove a file unless somebody has stored it since an instant; gives its size, or None where it stays.

        Parameters
        ----------
        filename
            Global name of a file that no row names, and none can begin to name meanwhile.
        limit
            The instant, in seconds since 1970.
        """
        place = self._place(filename)
        with _locked(self.files, fcntl.LOCK_EX):
            try:
                there = place.stat()
            except FileNotFoundError:
                return None
            if there.st_mtime >= limit:
                return None
            place.unlink()
        return there.st_size

    def names(self) -> Iterator[str]:
        """Every global file name in the store."""
        for folder in sorted(self.files.iterdir()):
            yield from sorted(p.name for p in folder.iterdir())


def digest(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file, read in pieces."""
    sha256, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            size += len(chunk)
    return size, sha256.hexdigest()


def _renew(target: Path, equal: Path) -> None:
    """Have a file be of now; where another account owns it, by one with equal bytes in its place."""
    try:
        os.utime(target)
    except PermissionError:
        os.replace(equal, target)


@contextmanager
def _locked(folder: Path, how: int, busy: str = "") -> Iterator[None]:
    """A lock on a folder for a block; where `busy` says why others may have it, it is not waited for."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, how | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise BusyError(f"{busy}; try again later") from None
        yield
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    """Have the kernel put a file, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
