"""How is an archive backed up while it is used? First its tables, as they are at one moment; then what they name.

Bytes are always there before a row names them, so that all that the tables of that moment name can be had after it.
What an earlier backup in the same folder has already stays where it is, and belongs to that one until the new manifest
stands in its place: a backup that is killed leaves the one before as it was.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from datamodel import crash, custody
from datamodel.config import Config
from datamodel.database import Database
from datamodel.errors import BusyError, DataLostError, UsageError
from datamodel.keeping import manifest as manifests
from datamodel.keeping import parquet
from datamodel.keeping.digests import content_of
from datamodel.keeping.files import Progress, Source, brought, file_of, others
from datamodel.keeping.manifest import Manifest, StoredFile, StoredTable
from datamodel.keeping.reading import OF_CATALOGUE, Snapshot, snapshot
from datamodel.keeping.tables import KeptTable
from datamodel.store import Store, digest

TABLES_WRITTEN = crash.declare("backup.tables", "the tables of a backup are written, its files are not")
FILES_BROUGHT = crash.declare("backup.files", "all of a backup is there but its manifest")
NAMED = crash.declare("backup.named", "a backup is whole, what the one before it had more is still there")

_LOCK = "lock"
_TABLES, _FILES, _OTHERS = "tables", "files", "others"
_FIXED_MODE = 0o444


@dataclass(frozen=True)
class Made:
    """What a backup was.

    Attributes
    ----------
    manifest
        What is in it.
    new_bytes
        How much of that was not there before.
    """

    manifest: Manifest
    new_bytes: int


def backup(
    config: Config, folder: Path, progress: Progress, *, now: datetime, program: str, link: bool = True
) -> Made:
    """Make a folder a backup of an archive as it is now.

    Parameters
    ----------
    config
        Says where the archive is; others may use it.
    folder
        New, or with an earlier backup, of which what has not changed is used again.
    progress
        Is told now and then.
    now
        The present instant, naive UTC.
    program
        The version of the program.
    link
        Whether bytes of the store may be the same on disk, where that can be.

    Raises
    ------
    UsageError
        The folder is none for a backup, or the database not that of the archive.
    BusyError
        Another backup into this folder is under way, or files of the store are being removed.
    DataLostError
        What was written cannot be read back as it was.
    """
    _refuse(config.archive, folder)
    with _alone(folder):
        making = _Making(config, folder, manifests.last(folder), progress, link)
        database = Database(config.database)
        try:
            with making.store.kept():
                with snapshot(database) as taken:
                    custody.require(taken.connection, config.archive)
                    revision = taken.revision
                    tables = {table.name: making.table(taken, table) for table in taken.tables}
                    named = dict(making.named(taken))
                crash.reach(TABLES_WRITTEN)
                making.bring(named | dict(others(config.archive, file_of(config.database))))
        finally:
            database.close()
        crash.reach(FILES_BROUGHT)
        made = Manifest(
            now.isoformat(timespec="seconds"), program, revision, tables, making.files, tuple(making.lost)
        )
        manifests.write(folder, made)
        crash.reach(NAMED)
        prune(folder, made)
    return Made(made, making.new_bytes)


def _refuse(archive: Path, folder: Path) -> None:
    here, there = archive.resolve(), folder.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise UsageError(f"a backup of '{archive}' cannot be at '{folder}', expected a folder beside it")
    ours = {manifests.NAME, f"{manifests.NAME}.partial", _LOCK, _TABLES, _FILES, _OTHERS}
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file, expected a folder for the backup")
    strange = sorted({path.name for path in folder.iterdir()} - ours) if folder.is_dir() else []
    if strange:
        raise UsageError(
            f"'{folder}' has something else in it ('{strange[0]}'), expected a new folder or an earlier backup"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        for name in (_TABLES, _FILES, _OTHERS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # it has all that the archive hides
    except OSError as error:
        raise UsageError(f"the backup cannot be at '{folder}': {error.strerror}") from None
    with (folder / _LOCK).open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another backup into '{folder}' is under way") from None
        yield


class _Making:
    """One backup that is being made."""

    def __init__(
        self, config: Config, folder: Path, last: Manifest | None, progress: Progress, link: bool
    ) -> None:
        self._archive = config.archive
        self.store = Store(config.archive)
        self._folder = folder
        self._last = last or Manifest("", "", None, {}, {})
        self._progress = progress
        self._link = link
        self._rows = 0
        self.files: dict[str, StoredFile] = {}
        self.lost: list[str] = []
        self.new_bytes = 0

    def table(self, taken: Snapshot, table: KeptTable) -> StoredTable:
        """Write a table, and read it back; that of a catalogue which is there stays, as it never changes."""
        before = self._last.tables.get(table.name)
        is_fixed = before is not None and before.table == table and OF_CATALOGUE.fullmatch(table.name)
        if before is not None and is_fixed and _has(self._folder, before.file, before.size):
            self._count(before.rows)
            return before
        aside = self._folder / _TABLES / f"{table.name[:60]}.partial"
        written = parquet.write(aside, taken, table, lambda batch: self._count(batch.num_rows))
        read_back = content_of(table, parquet.batches(aside, table))
        if (read_back.rows, read_back.digest) != (written.rows, written.digest):
            raise DataLostError(
                f"the table '{table.name}' cannot be read back from '{aside}' as it was written"
            )
        size, sha256 = digest(aside)
        final = self._folder / _TABLES / f"{_plain(table.name)}-{sha256[:16]}.parquet"
        self.new_bytes += 0 if final.exists() else size
        os.replace(aside, final)
        custody.sync(final.parent)
        return StoredTable(table, f"{_TABLES}/{final.name}", size, sha256, written.rows, written.digest)

    def _count(self, rows: int) -> None:
        self._rows += rows
        self._progress("reading tables", self._rows, None, "row")

    def named(self, taken: Snapshot) -> Iterator[tuple[str, Source]]:
        """The files of the store that rows name, by their paths below the archive."""
        for filename, sha256 in files_of_rows(taken):
            try:
                path = self.store.path(filename)
            except (DataLostError, UsageError) as error:
                self.lost.append(str(error))
                continue
            yield path.relative_to(self._archive).as_posix(), Source(path, sha256, fixed=True)

    def bring(self, wanted: dict[str, Source]) -> None:
        """Have all files in the backup."""
        for done, (name, source) in enumerate(sorted(wanted.items()), 1):
            found = self._fixed(name, source) if source.fixed else self._other(name, source)
            if found is not None:
                self.files[name] = found
            self._progress("bringing files", done, len(wanted), "file")

    def _fixed(self, name: str, source: Source) -> StoredFile | None:
        before = self._last.files.get(name)
        if (
            before is not None
            and before.sha256 == source.sha256
            and _has(self._folder, before.file, before.size)
        ):
            return before
        target = self._folder / name
        try:
            size, sha256 = digest(target) if target.exists() else self._bring(source, target)
            if source.sha256 not in (None, sha256) and target.exists():
                target.unlink()  # what another backup has left: the store may have it as its row says
                size, sha256 = self._bring(source, target)
        except FileNotFoundError:
            self.lost.append(f"the bytes of '{source.path.name}' are not in the store any more")
            return None
        if source.sha256 not in (None, sha256):
            self.lost.append(f"the bytes of '{source.path.name}' have changed in the store")
        return StoredFile(name, size, sha256, _FIXED_MODE)

    def _other(self, name: str, source: Source) -> StoredFile | None:
        """A file that may change, under the name of its digest; None where it has just gone."""
        before = self._last.files.get(name)
        try:
            there = source.path.stat()
            known = before is not None and (before.size, before.changed_ns, before.mode) == _state(there)
            if before is not None and known and _has(self._folder, before.file, before.size):
                return before
            aside = self._folder / _OTHERS / "new.partial"
            aside.unlink(missing_ok=True)
            size, sha256 = brought(source.path, aside, link=False, mode=0o600)
        except FileNotFoundError:
            return None
        final = self._folder / _OTHERS / sha256
        self.new_bytes += 0 if final.exists() else size
        os.replace(aside, final)
        custody.sync(final.parent)
        _, changed_ns, mode = _state(there)
        return StoredFile(f"{_OTHERS}/{sha256}", size, sha256, mode, changed_ns)

    def _bring(self, source: Source, target: Path) -> tuple[int, str]:
        size, sha256 = brought(source.path, target, link=self._link, mode=_FIXED_MODE)
        self.new_bytes += size
        return size, sha256


def _state(there: os.stat_result) -> tuple[int, int, int]:
    return there.st_size, there.st_mtime_ns, there.st_mode & 0o777


def _has(folder: Path, file: str, size: int) -> bool:
    try:
        return (folder / file).stat().st_size == size
    except OSError:
        return False


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)[:100]


def files_of_rows(taken: Snapshot) -> Iterator[tuple[str, str | None]]:
    """The names of files that rows have, each once, with their SHA-256 as far as it is known."""
    if not any(table.name == "data_object" for table in taken.tables):
        return
    rows = sa.table("data_object", sa.column("filename"), sa.column("file_sha256"))
    select = sa.select(rows.c.filename, sa.func.max(rows.c.file_sha256)).where(rows.c.filename != "")
    for row in taken.connection.execute(select.group_by(rows.c.filename)):
        yield row[0], row[1]


def prune(folder: Path, made: Manifest) -> None:
    """Remove what does not belong to a backup: what an earlier one had more, or one that was killed."""
    kept = made.stored
    for place in (_TABLES, _FILES, _OTHERS):
        for path in sorted((folder / place).rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(folder).as_posix() not in kept:
                path.unlink()
