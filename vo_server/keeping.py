"""The commands that keep an archive: ``backup``, ``restore``, ``move`` and ``verify``, and what they print."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodel.clock import utc_now
from datamodel.config import Config
from datamodel.errors import ArchiveError, DataLostError, UsageError
from vo_server import __version__
from vo_server.arguments import add_verb
from vo_server.begun import require_archive
from vo_server.catalogue.progress import Shown

if TYPE_CHECKING:
    from datamodel.keeping.manifest import Manifest

_DATABASE = "--database-url"
_URL = "SQLAlchemy URL of the database"


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add these commands to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    add = partial(add_verb, commands, shared)

    backing_up = add("backup", _backup, "Back the archive up as it is now, while it is used.")
    backing_up.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="a new one, or an earlier backup, to which only what is new is added",
    )
    _add_copy(backing_up)
    restoring = add("restore", _restore, "Make a new archive of a backup, on either database.")
    restoring.add_argument("folder", type=Path, metavar="FOLDER", help="the backup")
    restoring.add_argument(_DATABASE, help=f"{_URL}, which is empty (default: the setting database_url)")
    _add_copy(restoring)
    moving = add("move", _move, "Have the archive have its rows in another database; its bytes stay.")
    moving.add_argument(_DATABASE, required=True, help=f"{_URL} to move to, which is empty")
    verifying = add("verify", _verify, "Compare every table and file with its digest.")
    verifying.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="a backup (default: the files of the archive)"
    )
    verifying.add_argument(
        "--compare", action="store_true", help="compare the backup with the archive as it is now"
    )


def _add_copy(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--copy", action="store_true", help="copy files also where both can be the same on one disk"
    )


def _backup(config: Config, parsed: argparse.Namespace) -> int:
    from datamodel.keeping.backup import backup

    require_archive(config)
    with _shown("the backup was not made") as shown:
        made = backup(config, parsed.folder, shown, now=utc_now(), program=__version__, link=not parsed.copy)
    found = made.manifest
    told = {**_counted(found), "new_bytes": made.new_bytes, "lost": list(found.lost)}
    _tell(
        parsed, told, f"'{parsed.folder}' is a backup: {_in_words(found)}, {made.new_bytes:,} bytes of it new"
    )
    return _blame("the archive has lost bytes that the backup cannot have", list(found.lost))


def _restore(config: Config, parsed: argparse.Namespace) -> int:
    from datamodel.keeping.restoring import restore

    wanted = replace(config, database_url=parsed.database_url or config.database_url)
    with _shown("the archive was not restored") as shown:
        made = restore(parsed.folder, wanted, shown, now=utc_now(), link=not parsed.copy)
    words = (
        f"'{config.archive}' is restored as it was at {made.manifest.made} (UTC): {_in_words(made.manifest)}"
    )
    if wanted.database_url:
        words += f"\nset database_url to the URL of its database, {made.database}"
    lost = list(made.manifest.lost)
    if lost:
        words += f"\n{len(lost)} files were lost when the backup was made; the command verify names them"
    _tell(parsed, {**_counted(made.manifest), "database": made.database, "lost": lost}, words)
    return 0


def _move(config: Config, parsed: argparse.Namespace) -> int:
    from datamodel.keeping.moving import move

    require_archive(config)
    with _shown("the archive was not moved") as shown:
        made = move(config, parsed.database_url, shown, now=utc_now())
    rows = sum(made.rows.values())
    setting = "" if parsed.database_url == Config(archive=config.archive).database else made.database
    words = f"{rows:,} rows of {len(made.rows)} tables are in {made.database}\n"
    words += (
        f"set database_url (or $VO_DATABASE_URL) to it before the archive is used again: {setting}\n"
        if setting
        else "remove the setting database_url (or $VO_DATABASE_URL) before the archive is used again\n"
    )
    words += f"the old database is kept: {made.old}"
    told = {"tables": len(made.rows), "rows": rows, "database": made.database, "old": made.old}
    _tell(parsed, {**told, "database_url": setting}, words)
    return 0


def _verify(config: Config, parsed: argparse.Namespace) -> int:
    from datamodel.keeping.verifying import compare_with_archive, verify_archive, verify_backup

    if parsed.compare and parsed.folder is None:
        raise UsageError("--compare: expected the FOLDER of a backup besides")
    if parsed.folder is None or parsed.compare:
        require_archive(config)
    with _shown("not all could be read") as shown:
        if parsed.folder is None:
            wrong = verify_archive(config, shown)
        elif parsed.compare:
            wrong = compare_with_archive(parsed.folder, config, shown)
        else:
            wrong = verify_backup(parsed.folder, shown)
    what = f"'{parsed.folder or config.archive}'"
    _tell(parsed, {"differences": wrong}, "\n".join(wrong) or f"{what} is as it should be")
    return 1 if wrong else 0


@contextmanager
def _shown(failing: str) -> Iterator[Shown]:
    """Tells how far it has come, and what the system refuses, such as a disk that is full.

    Raises
    ------
    ArchiveError
        It refuses something.
    """
    try:
        with Shown() as shown:
            yield shown
    except OSError as error:
        where = f": '{error.filename}'" if error.filename else ""
        raise ArchiveError(f"{failing}: {error.strerror or error}{where}") from None


def _counted(found: "Manifest") -> dict[str, Any]:
    return {
        "made": found.made,
        "tables": len(found.tables),
        "rows": sum(each.rows for each in found.tables.values()),
        "files": len(found.files),
        "bytes": found.bytes,
    }


def _in_words(found: "Manifest") -> str:
    counted = _counted(found)
    return "{rows:,} rows of {tables:,} tables, {files:,} files, {bytes:,} bytes".format(**counted)


def _tell(parsed: argparse.Namespace, told: dict[str, Any], words: str) -> None:
    print(json.dumps(told) if parsed.json else words)


def _blame(what: str, lost: list[str]) -> int:
    """Fail if there is anything to say of what was lost.

    Raises
    ------
    DataLostError
        There is.
    """
    if lost:
        raise DataLostError("\n".join((f"{what}:", *(f"  {each}" for each in lost))))
    return 0
