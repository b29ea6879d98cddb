"""How does a backup become an archive again, on either database?

It is made in a folder of another name, which gets its own at the very end. Killed before that, there is no archive of
that name, and beginning anew removes what was left: the folder has the identifier that the database gets.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from datamodel import crash, custody
from datamodel.clock import new_object_id
from datamodel.config import Config
from datamodel.custody import Custody, Use
from datamodel.dialect import facts_of
from datamodel.errors import ArchiveError, BusyError, DataLostError, UsageError
from datamodel.keeping import manifest as manifests
from datamodel.keeping import parquet
from datamodel.keeping.digests import Content
from datamodel.keeping.files import Progress, brought, file_of, require
from datamodel.keeping.filling import Filling, Place, filling
from datamodel.keeping.manifest import Manifest, StoredTable

FILES_BROUGHT = crash.declare(
    "restore.files", "the files of a restored archive are there, its tables are not"
)
FILLED = crash.declare("restore.filled", "all rows are in the new database, the transaction is not committed")
COMMITTED = crash.declare("restore.committed", "the new database is there, the folder has not got its name")
NAMED = crash.declare("restore.named", "a restored archive is there")


@dataclass(frozen=True)
class Restored:
    """What was restored, and the URL of its database, without a password."""

    manifest: Manifest
    database: str


def restore(
    folder: Path, config: Config, progress: Progress, *, now: datetime, link: bool = True
) -> Restored:
    """Make an archive of a backup; every byte is compared with the manifest on the way, every row afterwards.

    Parameters
    ----------
    folder
        The backup.
    config
        Says where the archive is to be, and its database.
    progress
        Is told now and then.
    now
        The present instant, naive UTC.
    link
        Whether bytes of the store may be the same on disk, where that can be.

    Raises
    ------
    UsageError
        It is no backup, or there is something already where the archive is to be.
    BusyError
        Another restore to the same place is under way.
    DataLostError
        The backup has changed; the message names what.
    """
    backup = manifests.read(folder)
    facts_of(config.database)
    archive = config.archive
    if archive.exists() and (not archive.is_dir() or any(archive.iterdir())):
        raise UsageError(f"there is something at '{archive}' already, expected a new or an empty folder")
    shown = sa.make_url(config.database).render_as_string(hide_password=True)
    with _beside(archive) as aside:
        left = custody.read(aside / custody.BELONGS)
        told = Custody(left.id if left else new_object_id(), shown, now.isoformat(timespec="seconds"))
        custody.write(aside / custody.BELONGS, told)
        is_full = False
        try:
            place = Place(config.database, told.id, _moved(config, aside))
            with filling(place, tuple(each.table for each in backup.tables.values())) as filled:
                _bring(folder, backup, aside, progress, link)
                crash.reach(FILES_BROUGHT)
                _fill(folder, backup, filled, progress)
                filled.complete(told.id)
                compare(filled, backup.tables, progress)
                crash.reach(FILLED)
                is_full = True
        except BaseException:
            if left is None and not is_full:  # else the identifier is needed to know what the database has
                shutil.rmtree(aside)
            raise
        crash.reach(COMMITTED)
        _name(aside, archive)
        crash.reach(NAMED)
    return Restored(backup, shown)


def aside_of(archive: Path) -> Path:
    """Where an archive is restored to before it gets its name."""
    return archive.with_name(f"{archive.name}.partial")


@contextmanager
def _beside(archive: Path) -> Iterator[Path]:
    """The folder of another name, with nothing in it but its identifier, if a killed process has left one there."""
    aside = aside_of(archive.absolute())
    try:
        aside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the archive cannot be at '{archive}': {error.strerror}") from None
    try:
        use = Use(aside, alone=True)
    except BusyError:
        raise BusyError(f"another restore to '{archive}' is under way") from None
    try:
        for path in aside.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (custody.IN_USE, custody.BELONGS):
                path.unlink()
        yield aside
    finally:
        use.end()


def _bring(folder: Path, backup: Manifest, aside: Path, progress: Progress, link: bool) -> None:
    for name in ("files", "staging"):
        (aside / name).mkdir()
    for done, (name, stored) in enumerate(sorted(backup.files.items()), 1):
        source, target = folder / stored.file, _below(aside, name)
        if not source.is_file():
            raise DataLostError(f"the backup at '{folder}' does not have '{stored.file}' any more")
        fixed = not stored.changed_ns
        size, sha256 = brought(source, target, link=link and fixed, mode=stored.mode)
        if (size, sha256) != (stored.size, stored.sha256):
            require(source, stored.size, stored.sha256, f"file '{name}'")
            require(target, stored.size, stored.sha256, f"file '{name}'")
        if not fixed:
            os.utime(target, ns=(stored.changed_ns, stored.changed_ns))
        progress("bringing files", done, len(backup.files), "file")


def _below(folder: Path, name: str) -> Path:
    """A path of a manifest, which may not lead out of the archive."""
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ArchiveError(f"the manifest names a file outside of the archive: '{name}'")
    return path


def _moved(config: Config, aside: Path) -> Path | None:
    """Where the file of an embedded database is while the archive has another name; None where it stays."""
    file = file_of(config.database)
    archive = config.archive.absolute()
    if file is None or not file.absolute().is_relative_to(archive):
        return None
    return aside / file.absolute().relative_to(archive)


def _fill(folder: Path, backup: Manifest, filled: Filling, progress: Progress) -> None:
    done = 0
    total = sum(each.rows for each in backup.tables.values())
    for name, stored in backup.tables.items():
        path = _below(folder, stored.file)
        require(path, stored.size, stored.sha256, f"table '{name}'")
        content = Content(stored.table)
        for batch in parquet.batches(path, stored.table):
            content.add(batch)
            filled.put(stored.table, batch)
            done += batch.num_rows
            progress("filling tables", done, total, "row")
        _same(name, content, stored, f"the backup at '{folder}'")


def compare(filled: Filling, tables: dict[str, StoredTable], progress: Progress) -> None:
    """See that a database that was filled has the rows that it was given.

    Raises
    ------
    DataLostError
        It has others; the message names the table.
    """
    done, total = 0, sum(each.rows for each in tables.values())
    for name, stored in tables.items():
        _same(name, filled.content(stored.table), stored, "the new database")
        done += stored.rows
        progress("comparing tables", done, total, "row")


def _same(name: str, content: Content, stored: StoredTable, where: str) -> None:
    if (content.rows, content.digest) != (stored.rows, stored.digest):
        raise DataLostError(
            f"the table '{name}' of {where} has {content.rows} rows with digest {content.digest},"
            f" expected {stored.rows} with {stored.digest}"
        )


def _name(aside: Path, archive: Path) -> None:
    try:
        os.rename(aside, archive)  # which may be there and empty
    except OSError as error:
        raise ArchiveError(
            f"the archive is restored at '{aside}', but cannot be called '{archive}': {error.strerror}"
        ) from None
    custody.sync(archive.absolute().parent)
