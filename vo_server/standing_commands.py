"""The commands of standings: how all products stand, and what a change would make outdated."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tqdm import tqdm

from datamodel.config import Config
from datamodel.errors import UsageError, nearest
from datamodel.objects import DBObject
from processing.asking import instant
from processing.impact import impact
from processing.opening import session_of
from processing.standing import counts
from processing.standing_check import differences
from processing.standing_keeping import distrust, renew
from vo_server.arguments import add_verb
from vo_server.begun import require_archive


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the commands to those of the program."""
    doc = "Show what a change of an object would make outdated; nothing is changed."
    telling = add_verb(commands, shared, "impact", _impact, doc)
    telling.add_argument("object_id", metavar="OBJECT_ID", help="a product or a raw frame")
    telling.add_argument(
        "changes", nargs="*", metavar="NAME=VALUE", help="new value of an attribute (default: is_valid=0)"
    )
    doc = "Show how many products stand how; check the index that says so, or make it anew."
    standing = add_verb(commands, shared, "standings", _standings, doc)
    standing.add_argument(
        "--check", action="store_true", help="compare it with a walk of every plan, which takes long"
    )
    standing.add_argument("--renew", action="store_true", help="make it anew")


def _impact(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        changes = dict(_change(found, text) for text in parsed.changes or ["is_valid=0"])
        told = impact(session, found, **changes)
    print(json.dumps({"outdated": told.outdated, "mended": told.mended}) if parsed.json else told)
    return 0


def _change(found: Any, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    known = [each for each, a in type(found).__attributes__.items() if a.mutable]
    if not equals:
        raise UsageError(f"'{text}': expected NAME=VALUE, such as is_valid=0")
    if name not in known:
        raise UsageError(f"{type(found).__name__}.{name} cannot be changed{nearest(name, known)}")
    return name, _as(getattr(found, name), name, value)


def _as(now: Any, name: str, value: str) -> Any:
    """A text as what an attribute is now."""
    if isinstance(now, datetime):
        return instant(value, name)
    if not isinstance(now, int):
        return value
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{name} is '{value}', expected a whole number") from None


def _standings(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        if parsed.renew:
            distrust(session)
        with tqdm(desc="judged", unit=" products", disable=None, leave=False, file=sys.stderr) as bar:
            renew(session, _shown(bar))
        wrong = differences(session) if parsed.check else []
        found = counts(session)
    if parsed.json:
        print(json.dumps({"standings": found} | ({"wrong": wrong} if parsed.check else {})))
    else:
        for name, each in found.items():
            print(f"{name:24} " + ", ".join(f"{count} {status}" for status, count in each.items()))
        if parsed.check:
            print("\n".join(wrong) or "a walk of every plan says the same")
    return 1 if wrong else 0


def _shown(bar: Any) -> Callable[[str, int], None]:
    def show(name: str, count: int) -> None:
        bar.set_postfix_str(name)
        bar.update(count)

    return show
