"""What is in a backup? Its manifest says: each table and each file, with size and SHA-256, and a digest of itself.

It is written last: a folder without one is no backup, and what it does not name does not belong to it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datamodel.custody import sync
from datamodel.errors import ArchiveError, UsageError
from datamodel.keeping.tables import KeptTable

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class StoredTable:
    """A table in a backup.

    Attributes
    ----------
    table
        What it is like.
    file, size, sha256
        The Parquet file with its rows, below the backup, and what that is.
    rows, digest
        How many rows there are, and what stands for them: see `datamodel.keeping.digests`.
    """

    table: KeptTable
    file: str
    size: int
    sha256: str
    rows: int
    digest: str


@dataclass(frozen=True)
class StoredFile:
    """A file in a backup.

    Attributes
    ----------
    file
        Where it lies, below the backup.
    size, sha256
        What it is.
    mode
        Who may do what with it in the archive.
    changed_ns
        When it was changed, as the file system says; 0 for a file that never changes.
    """

    file: str
    size: int
    sha256: str
    mode: int
    changed_ns: int = 0


@dataclass(frozen=True)
class Manifest:
    """A backup.

    Attributes
    ----------
    made
        When, ISO 8601, UTC: the state of the archive is that of this moment.
    program
        The version of the program that made it.
    revision
        Which form the tables have; see `datamodel.revisions`.
    tables
        By name; each after those it refers to.
    files
        By their paths below the archive.
    lost
        Files that rows name and that the archive did not have, or had with other bytes.
    """

    made: str
    program: str
    revision: str | None
    tables: dict[str, StoredTable]
    files: dict[str, StoredFile]
    lost: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all that is named."""
        return sum(each.size for each in self.tables.values()) + sum(e.size for e in self.files.values())

    @property
    def stored(self) -> set[str]:
        """Every file that belongs to the backup, below it."""
        return {each.file for each in self.tables.values()} | {each.file for each in self.files.values()}


def write(folder: Path, manifest: Manifest) -> None:
    """Have a folder be this backup: at once and on disk, or not at all."""
    aside = folder / f"{NAME}.partial"
    with aside.open("w", encoding="utf-8") as stream:
        json.dump(_told(manifest), stream, indent=1, sort_keys=True, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(aside, folder / NAME)
    sync(folder)


def _told(manifest: Manifest) -> dict[str, Any]:
    ordered = list(manifest.tables)
    told = {
        "format": FORMAT,
        "order": ordered,
        **asdict(replace(manifest, lost=tuple(sorted(manifest.lost)))),
    }
    return {**told, "digest": _digest(told)}


def _digest(told: Mapping[str, Any]) -> str:
    written = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def read(folder: Path) -> Manifest:
    """The backup that a folder is.

    Raises
    ------
    UsageError
        It is none, or a newer program's.
    ArchiveError
        Its manifest was changed.
    """
    path = folder / NAME
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        given = told.pop("digest")
        order, format = told.pop("order"), told.pop("format")
    except FileNotFoundError:
        raise UsageError(f"there is no backup at '{folder}': it has no {NAME}") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ArchiveError(f"'{path}' has changed, it cannot be read any more: {error}") from None
    if format != FORMAT:
        raise UsageError(f"the backup at '{folder}' is of form {format}, this program knows form {FORMAT}")
    if _digest({"format": format, "order": order, **told}) != given:
        raise ArchiveError(f"'{path}' has changed: its digest is not the one that it says")
    tables = {
        name: StoredTable(**{**told["tables"][name], "table": KeptTable.of(told["tables"][name]["table"])})
        for name in order
    }
    files = {name: StoredFile(**each) for name, each in told["files"].items()}
    return Manifest(told["made"], told["program"], told["revision"], tables, files, tuple(told["lost"]))


def last(folder: Path) -> Manifest | None:
    """The backup that a folder is, or None where it is none yet.

    Raises
    ------
    ArchiveError
        Its manifest was changed.
    """
    return read(folder) if (folder / NAME).exists() else None
