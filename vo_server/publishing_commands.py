"""The commands ``vo-server publish`` and ``vo-server retract``: the plan is shown, and agreed to, before it is done."""

import argparse
import json
import sys
from functools import partial
from typing import Any

from datamodel.config import Config
from datamodel.errors import ForbiddenError, UsageError
from datamodel.objects import DBObject
from datamodel.publishing import REDACTED, WHOLE, level_of, said
from processing.opening import session_of
from vo_server.arguments import add_verb
from vo_server.begun import require_archive


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add both commands to those of the program."""
    add = partial(add_verb, commands, shared)
    publishing = add("publish", _publish, "Have more people see an object, and what it was made from.")
    publishing.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    publishing.add_argument(
        "level",
        metavar="LEVEL",
        help="2 Project, 3 AstroWISE, 4 World or 5 VO; 1 MyDB takes back what is at 2",
    )
    publishing.add_argument("--shallow", action="store_true", help="leave what it was made from at its level")
    publishing.add_argument("--redacted", action="store_true", help="let what cannot go along stay hidden")
    publishing.add_argument("--dry-run", action="store_true", help="show the plan only")
    publishing.add_argument("--yes", action="store_true", help="do it without asking")
    retracting = add("retract", _retract, "Judge an object bad for ever, and give its file to nobody.")
    retracting.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    retracting.add_argument("reason", metavar="REASON", help="why, for those who have used it")


def _publish(config: Config, parsed: argparse.Namespace) -> int:
    level = level_of(parsed.level)
    options = {"deep": not parsed.shallow, "lineage": REDACTED if parsed.redacted else WHOLE}
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        plan = found.publish_plan(level, **options)
        if parsed.dry_run or not plan.steps:
            print(json.dumps(plan.as_json()) if parsed.json else plan)
            return 0 if plan.is_allowed else 1
        if not plan.is_allowed:
            raise ForbiddenError(str(plan))
        if not parsed.yes:
            _agree(str(plan))
        done = found.publish(level, **options, agreed=plan.digest)
        print(json.dumps(done.as_json()) if parsed.json else f"{found!r} is at level {said(level)}")
    return 0


def _agree(told: str) -> None:
    """Ask a person.

    Raises
    ------
    UsageError
        There is nobody to ask, or the answer is no.
    """
    print(told, file=sys.stderr)
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether to do this; --yes does it without asking")
    print("Do this? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was done, for the answer was not y")


def _retract(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        found.retract(parsed.reason)
        told = {"object_id": found.object_id, "retracted": str(found.retracted)}
        print(json.dumps(told) if parsed.json else f"{found!r} was {told['retracted']}")
    return 0
