"""Is everything still there as it was? Every table and file of a backup or an archive, compared by its digests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from datamodel import custody
from datamodel.config import Config
from datamodel.database import Database
from datamodel.errors import DataLostError, UsageError
from datamodel.keeping import manifest as manifests
from datamodel.keeping import parquet
from datamodel.keeping.backup import files_of_rows
from datamodel.keeping.digests import Content, content_of
from datamodel.keeping.files import Progress, file_of, others, require
from datamodel.keeping.manifest import Manifest, StoredFile, StoredTable
from datamodel.keeping.reading import Snapshot, snapshot
from datamodel.store import Store, digest


def verify_backup(folder: Path, progress: Progress) -> list[str]:
    """Read all of a backup; gives what is wrong with it, a sentence each.

    Raises
    ------
    UsageError
        It is no backup.
    ArchiveError
        Its manifest was changed, so that nothing can be said of the rest.
    """
    backup = manifests.read(folder)
    wrong = list(_lost(backup))
    for done, (name, stored) in enumerate(backup.tables.items(), 1):
        wrong += _wrong_with_table(folder, name, stored)
        progress("reading tables", done, len(backup.tables), "table")
    for done, (name, stored_file) in enumerate(backup.files.items(), 1):
        wrong += _wrong_with_file(folder / stored_file.file, name, stored_file)
        progress("reading files", done, len(backup.files), "file")
    return wrong


def _lost(backup: Manifest) -> Iterator[str]:
    for each in backup.lost:
        yield f"when the backup was made: {each}"


def _wrong_with_table(folder: Path, name: str, stored: StoredTable) -> list[str]:
    path = folder / stored.file
    try:
        require(path, stored.size, stored.sha256, f"table '{name}'")
        content = content_of(stored.table, parquet.batches(path, stored.table))
    except DataLostError as error:
        return [str(error)]
    return _differing(name, content, stored, "the backup")


def _wrong_with_file(path: Path, name: str, stored: StoredFile) -> list[str]:
    try:
        require(path, stored.size, stored.sha256, f"file '{name}'")
    except DataLostError as error:
        return [str(error)]
    return []


def _differing(name: str, content: Content, stored: StoredTable, where: str) -> list[str]:
    if (content.rows, content.digest) == (stored.rows, stored.digest):
        return []
    found = f"{content.rows} rows with digest {content.digest[:16]}"
    return [f"table '{name}': {where} has {found}, expected {stored.rows} with {stored.digest[:16]}"]


def verify_archive(config: Config, progress: Progress) -> list[str]:
    """Read every file that the rows of an archive name; gives what is wrong, a sentence each."""
    store, wrong = Store(config.archive), []
    with _opened(config) as taken:
        named = dict(files_of_rows(taken))
    for done, (filename, sha256) in enumerate(sorted(named.items()), 1):
        try:
            store.path(filename, sha256 or "")
        except (DataLostError, UsageError) as error:
            wrong.append(str(error))
        progress("reading files", done, len(named), "file")
    return wrong


@contextmanager
def _opened(config: Config) -> Iterator[Snapshot]:
    """The tables of an archive at one moment."""
    database = Database(config.database)
    try:
        with snapshot(database) as taken:
            custody.require(taken.connection, config.archive)
            yield taken
    finally:
        database.close()


def compare_with_archive(folder: Path, config: Config, progress: Progress) -> list[str]:
    """Compare a backup with an archive as it is now; gives what differs, a sentence each.

    Raises
    ------
    UsageError
        It is no backup.
    ArchiveError
        Its manifest was changed.
    """
    backup = manifests.read(folder)
    with _opened(config) as taken:
        differing = _compared_tables(backup, taken, progress)
        named = {
            path.relative_to(config.archive).as_posix(): path
            for path in _present(Store(config.archive), taken)
        }
    named |= {name: each.path for name, each in others(config.archive, file_of(config.database))}
    differing += [f"file '{name}': only in the archive" for name in sorted(set(named) - set(backup.files))]
    for done, (name, stored) in enumerate(backup.files.items(), 1):
        if name not in named:
            differing.append(f"file '{name}': only in the backup")
        elif digest(named[name]) != (stored.size, stored.sha256):
            differing.append(f"file '{name}': other bytes in the archive than in the backup")
        progress("comparing files", done, len(backup.files), "file")
    return differing


def _compared_tables(backup: Manifest, taken: Snapshot, progress: Progress) -> list[str]:
    here = {table.name: table for table in taken.tables}
    differing = [f"table '{name}': only in the archive" for name in sorted(set(here) - set(backup.tables))]
    done = 0
    for name, stored in backup.tables.items():
        if name not in here:
            differing.append(f"table '{name}': only in the backup")
            continue
        content = Content(here[name])

        def hand(batch: pa.RecordBatch, content: Content = content) -> None:
            nonlocal done
            content.add(batch)
            done += batch.num_rows
            progress("comparing tables", done, None, "row")

        taken.read(here[name], hand)
        differing += _differing(name, content, stored, "the archive")
    return differing


def _present(store: Store, taken: Snapshot) -> Iterator[Path]:
    for filename, _ in files_of_rows(taken):
        try:
            yield store.path(filename)
        except (DataLostError, UsageError):
            continue
