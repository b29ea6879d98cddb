"""The commands of quality: what people say of objects, what the system saw, and how it went over the years."""

import argparse
import json
from functools import partial
from typing import Any

import numpy as np

from datamodel.attributes import class_named
from datamodel.config import Config
from datamodel.errors import UsageError, nearest
from datamodel.objects import JUDGEMENTS, DBObject
from processing.classes import RAW_CLASSES, TARGET_CLASSES
from processing.opening import session_of
from processing.target import ProcessTarget
from processing.trends import KEYS, trend
from vo_server.arguments import add_verb
from vo_server.begun import require_archive


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the commands to those of the program."""
    add = partial(add_verb, commands, shared)
    commenting = add("comment", _comment, "Say something of an object, or show what was said.")
    commenting.add_argument("object_id", metavar="OBJECT_ID", help="the object")
    commenting.add_argument(
        "text", metavar="TEXT", nargs="?", help="what to say; else all comments are shown"
    )
    again = add("judge-again", _judge_again, "Judge a product by other limits, without making it.")
    again.add_argument("object_id", metavar="OBJECT_ID", help="the product")
    again.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="quality limit; may be repeated"
    )
    going = add("trend", _trend, "Show how a value of a class has changed over time.")
    going.add_argument(
        "value", metavar="CLASS.NAME", help="such as ReadNoise.read_noise, BiasFrame.imstat.stdev"
    )
    for name in KEYS:
        going.add_argument(f"--{name}", help=f"of this {name} only")
    going.add_argument("--since", help="night (2003-02-14) or instant (UTC)")
    going.add_argument("--until", help="night or instant before which they end")
    going.add_argument("--all", action="store_true", help="with those that were found faulty")
    judging = add("judge", _judge, "Judge an object, a raw frame or a product.", json=False)
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


def _judge_again(config: Config, parsed: argparse.Namespace) -> int:
    limits = {}
    for setting in parsed.set:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE")
        limits[name] = value
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        if not isinstance(found, ProcessTarget):
            raise UsageError(f"{found!r} was not made here: it has no limits")
        again: Any = found.verify_again(**limits)
        answer = {"object_id": again.object_id, "flags": again.get_qcflags_set()}
    shown = ", ".join(answer["flags"]) or "no fault was found"
    print(json.dumps(answer) if parsed.json else f"{again!r}  {shown}")
    return 0


def _trend(config: Config, parsed: argparse.Namespace) -> int:
    class_name, dot, name = parsed.value.partition(".")
    known = [cls.__name__ for cls in (*TARGET_CLASSES, *RAW_CLASSES)]
    if not dot:
        raise UsageError(f"'{parsed.value}': expected CLASS.NAME, such as ReadNoise.read_noise")
    if class_name not in known:
        raise UsageError(f"there is no class '{class_name}' of frames{nearest(class_name, known)}")
    keys = {key: getattr(parsed, key) for key in KEYS if getattr(parsed, key) is not None}
    require_archive(config)
    with session_of(config):
        span = {"since": parsed.since, "until": parsed.until}
        found = trend(class_named(class_name), name, every=parsed.all, **span, **keys)
    rows = [dict(zip(found.colnames, row, strict=True)) for row in zip(*_plain(found), strict=True)]
    if parsed.json:
        unit = str(found["value"].unit or "")
        print(json.dumps({"trend": parsed.value, "unit": unit, "rows": rows}))
        return 0
    for row in rows:
        judged = f"{row['is_valid']} {row['quality_flags']}"
        print(f"{row['time']}  {row['value']:.12g}  {judged}  {row['object_id']}")
    return 0


def _plain(table: Any) -> list[list[Any]]:
    """The columns as lists of what JSON knows; instants in ISO 8601."""
    columns = {name: np.asarray(table[name]) for name in table.colnames}
    return [list(np.datetime_as_string(columns.pop("time"), "s")), *(c.tolist() for c in columns.values())]
