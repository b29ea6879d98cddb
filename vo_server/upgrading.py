"""The command ``vo-server upgrade``: what it shows, and what it does to an older archive."""

import argparse
import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.revisions import in_words
from datamodel.session import Session
from processing import listing
from processing.opening import open_archive
from processing.standing_hidden import forget_hidden
from vo_server.arguments import add_verb
from vo_server.begun import require_archive

if TYPE_CHECKING:
    from datamodel.upgrading import Plan

DOC = "Bring an archive that an older version began to the tables of this one; back it up first."

ADVICE = (
    "It is done all at once or not at all, and not undone: have a backup, and nothing that uses the archive."
)


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``upgrade`` to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    command = add_verb(commands, shared, "upgrade", run, DOC)
    command.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")


def run(config: Config, parsed: argparse.Namespace) -> int:
    """Show what there is to do and, unless it is a dry run, do it; gives the exit code."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of itself from its import on
    from datamodel.upgrading import plan, upgrade  # Alembic is for this command alone

    require_archive(config)
    archive = Archive(config)
    try:
        planned = plan(archive)
        if not parsed.json:
            print("\n".join(_shown(planned, config)))
        done = None if parsed.dry_run else upgrade(archive)
    finally:
        archive.close()
    if done is not None and done.steps:
        _list_again(config)
    if parsed.json:
        print(json.dumps(asdict(done or planned) | {"done": done is not None}))
    elif done is not None and planned.steps:
        print(f"it has revision {done.newest} now" + ("" if done.steps else ": another process upgraded it"))
    return 0


def _list_again(config: Config) -> None:
    """List in ObsCore what other rules hold for now, so that nobody who writes has to; a worker would go on with it.

    What is hidden from the world is looked for as well.
    """
    archive = open_archive(config)
    try:
        with (
            Session(archive, Caller(SERVICE_ACCOUNT, level=WORLD)) as session,
            tqdm(desc="listed", unit=" exposures", disable=None, leave=False, file=sys.stderr) as bar,
        ):
            listing.refresh(session, bar.update)
            forget_hidden(session)
    finally:
        archive.close()


def _shown(planned: "Plan", config: Config) -> list[str]:
    begins = in_words(planned.found, config.archive)
    if not planned.steps:
        return [f"{begins}, the newest: there is nothing to do"]
    steps = [f"  {step.revision}  {step.what}" for step in planned.steps]
    return [f"{begins}; to come to {planned.newest}, there is to do:", *steps, ADVICE]
