"""The commands ``delete`` and ``vacuum``: what goes for good, told before it does."""

import argparse
import json
import sys
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from datamodel.config import Config
from datamodel.context import EVERY_PROJECT, MYDB
from datamodel.errors import ForbiddenError, UsageError
from datamodel.objects import DBObject
from datamodel.quotas import size_in_words
from datamodel.session import Session
from processing.opening import operator
from vo_server.arguments import add_verb
from vo_server.begun import opened

_AN_HOUR_S = 3600.0


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
    deleting = add("delete", _delete, "Delete an object of level 1 or 2 for good, if nothing refers to it.")
    deleting.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    deleting.add_argument(
        "--dry-run", action="store_true", help="say what would go or break, and change nothing"
    )
    deleting.add_argument("--yes", action="store_true", help="do not ask")
    vacuuming = add(
        "vacuum", _vacuum, "Remove files that no row names; where asked, have the database give room back."
    )
    vacuuming.add_argument("--dry-run", action="store_true", help="say how much would go, and change nothing")
    vacuuming.add_argument(
        "--older-than",
        type=float,
        default=24.0,
        metavar="HOURS",
        help="files stored since stay (default: 24)",
    )
    vacuuming.add_argument(
        "--quarantine", action="store_true", help="remove old files of the quarantine, too"
    )
    vacuuming.add_argument(
        "--compact",
        action="store_true",
        help="have the database give room back, too; SQLite wants the archive idle, and room for a copy",
    )


def _delete(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        caller = replace(operator(archive), level=MYDB, project=EVERY_PROJECT)
        with Session(archive, caller) as session:
            found = session.load(DBObject, parsed.object_id)
            planned = found.deletion_plan()
            told = {**asdict(planned), "deleted": False}
            if not planned.is_possible and not parsed.dry_run:
                raise ForbiddenError(planned.words)
            if not parsed.dry_run and (parsed.yes or _agreed(planned.words)):
                found.delete()
                told["deleted"] = True
    done = "" if parsed.dry_run else "\ndeleted" if told["deleted"] else "\nnothing was deleted"
    print(json.dumps(told) if parsed.json else planned.words + done)
    return 0


def _agreed(words: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether it is to go; --yes says so, --dry-run looks")
    return input(f"{words}. Delete it? [y/N] ").strip().lower() in ("y", "yes")


def _vacuum(config: Config, parsed: argparse.Namespace) -> int:
    from datamodel.vacuum import look, reclaim
    from vo_server.uws.sweeping import sweep_strays

    seconds = parsed.older_than * _AN_HOUR_S
    with opened(config) as archive:
        if parsed.dry_run:
            found = look(archive, seconds)
        else:
            found = reclaim(archive, seconds, quarantine=parsed.quarantine, compact=parsed.compact)
            found = replace(found, left_over=found.left_over + sweep_strays(archive, seconds))
    if parsed.json:
        print(json.dumps({**asdict(found), "dry_run": parsed.dry_run}))
        return 0
    print(f"{found.files} files of the store, {size_in_words(found.bytes)}, that no row names", end="")
    print(": they stay for now" if parsed.dry_run else " are removed")
    if not parsed.dry_run:
        print(f"{found.left_over} left-over files and {found.tables} tables of catalogues are removed")
    if found.database_bytes is not None:
        print(f"the database gave back {size_in_words(max(found.database_bytes, 0))}")
    elif not parsed.dry_run and parsed.compact:
        print("the database is in use, and stays as large as it is; try again when it is not")
    return 0
