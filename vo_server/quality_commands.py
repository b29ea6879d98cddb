"""The commands of quality: what people say of objects, what the system saw, and how it went over the years."""

import argparse
import json
from typing import Any

from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.objects import JUDGEMENTS, DBObject
from processing.opening import session_of
from vo_server.begun import require_archive


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the commands to those of the program."""

    def add(name: str, run: Any, doc: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(
            name, parents=[shared], help=doc, description=doc
        )
        command.set_defaults(run=run)
        return command

    commenting = add("comment", _comment, "Say something of an object, or show what was said.")
    commenting.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    commenting.add_argument(
        "text", metavar="TEXT", nargs="?", help="what to say; else all comments are shown"
    )
    commenting.add_argument("--json", action="store_true", help="print JSON for scripts")
    judging = add("judge", _judge, "Judge an object, a raw frame or a product.")
    judging.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    meanings = ", ".join(f"{value} {meaning}" for value, meaning in JUDGEMENTS.items())
    judging.add_argument("is_valid", metavar="IS_VALID", help=f"{meanings}")
    judging.add_argument("--comment", default="", help="why")


def _comment(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        if parsed.text is not None:
            found.comment(parsed.text)
        said = found.comments if parsed.text is None or parsed.json else []
    if parsed.json:
        print(json.dumps([vars(remark) | {"at": remark.at.isoformat()} for remark in said]))
        return 0
    for remark in said:
        print(remark)
    if parsed.text is None and not said:
        print("no previous comments")
    return 0


def _judge(config: Config, parsed: argparse.Namespace) -> int:
    known = {str(value): value for value in JUDGEMENTS}
    if parsed.is_valid not in known:
        raise UsageError(f"IS_VALID is '{parsed.is_valid}', expected one of {', '.join(known)}")
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        found.judge(known[parsed.is_valid], parsed.comment)
        print(f"{found!r} is judged {JUDGEMENTS[found.is_valid]}")
    return 0
