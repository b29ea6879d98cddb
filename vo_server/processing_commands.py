"""The commands ``vo-server parameter`` and ``vo-server waiver``: what recipes do where nobody says."""

import argparse
import json
from typing import Any

from datamodel.attributes import class_named
from datamodel.config import Config
from datamodel.errors import UsageError, nearest
from processing import defaults, waivers
from processing.classes import TARGET_CLASSES
from processing.defaults import SCOPES, Place
from processing.opening import session_of
from processing.pars import Pars
from vo_server.arguments import add_group
from vo_server.begun import require_archive

Commands = Any


def add_commands(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add both commands with what they can do to those of the program."""
    doc = "Show, set or end defaults of process parameters."
    verb = add_group(commands, shared, "parameter", doc, "show, set, list or unset")
    of_class = "Show the parameters of a class and of what it is made from."
    showing = verb("show", _show, of_class, json=False)
    showing.add_argument("cls", metavar="CLASS", help="target class")
    _add_place(showing)
    setting = verb("set", _set, "Set defaults.", json=False)
    setting.add_argument("settings", nargs="+", metavar="CLASS.NAME=VALUE", help="a parameter and its value")
    whose = "; ".join(f"{name}: {meaning}" for name, meaning in SCOPES.items())
    setting.add_argument(
        "--scope", default=defaults.PROJECT, help=f"whose default (default: project); {whose}"
    )
    _add_place(setting)
    verb("list", _list, "List the defaults in force.")
    ending = verb("unset", _unset, "End a default.", json=False)
    ending.add_argument("number", type=int, metavar="NUMBER", help="its number in the list")

    doc = "Vouch that an older recipe gives the same products as today's, or cease to."
    verb = add_group(commands, shared, "waiver", doc, "add, list or revoke")
    adding = verb("add", _waive, "Vouch for products of an older recipe.", json=False)
    adding.add_argument("cls", metavar="CLASS", help="target class")
    adding.add_argument("digest", metavar="DIGEST", help="recipe_digest of the products, or its beginning")
    adding.add_argument("--reason", required=True, help="why, for those who read it later")
    verb("list", _waivers, "List all waivers there ever were.")
    ending = verb("revoke", _revoke, "End a waiver.", json=False)
    ending.add_argument("number", type=int, metavar="NUMBER", help="its number in the list")


def _add_place(command: argparse.ArgumentParser) -> None:
    for name in ("instrument", "chip", "filter"):
        command.add_argument(f"--{name}", help=f"for this {name} only")


def target_class(name: str) -> Any:
    """The target class of that name.

    Raises
    ------
    UsageError
        There is none; the message names the nearest.
    """
    names = [c.__name__ for c in TARGET_CLASSES]
    if name not in names:
        raise UsageError(f"there is no target class '{name}'{nearest(name, names)}")
    return class_named(name)


def _show(config: Config, parsed: argparse.Namespace) -> int:
    cls = target_class(parsed.cls)
    require_archive(config)
    with session_of(config):
        Pars(cls, parsed.instrument, parsed.chip, parsed.filter).show()
    return 0


def _set(config: Config, parsed: argparse.Namespace) -> int:
    read = [_setting(text) for text in parsed.settings]
    require_archive(config)
    with session_of(config) as session, session.transaction():
        place = Place(parsed.instrument, parsed.chip, parsed.filter)
        Pars(read[0][0], parsed.instrument, parsed.chip, parsed.filter)  # refuses names that there are not
        for cls, name, value in read:
            number = defaults.set_default(session, cls, name, value, parsed.scope, place)
            print(f"{number}  {cls.__name__}.{name} = {value}  {parsed.scope}, {place}")
    return 0


def _setting(text: str) -> tuple[Any, str, str]:
    name, equals, value = text.partition("=")
    owner, dot, parameter = name.replace(".process_params.", ".").partition(".")
    if not (equals and dot):
        raise UsageError(f"'{text}': expected CLASS.NAME=VALUE, such as BiasFrame.SIGMA_CLIP=4.0")
    return target_class(owner), parameter, value


def _list(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = defaults.in_force(session)
    if parsed.json:
        print(json.dumps([vars(d) | {"place": vars(d.place)} for d in found]))
        return 0
    for d in found:
        print(f"{d.number}  {d.class_name}.{d.name} = {d.value}  {d.scope}, {d.place}, by {d.set_by}")
    return 0


def _unset(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        defaults.unset_default(session, parsed.number)
    return 0


def _waive(config: Config, parsed: argparse.Namespace) -> int:
    cls = target_class(parsed.cls)
    require_archive(config)
    with session_of(config) as session:
        print(waivers.waive(session, cls, parsed.digest, parsed.reason))
    return 0


def _waivers(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = waivers.waivers(session)
    if parsed.json:
        print(json.dumps(found, default=str))
        return 0
    for w in found:
        ended = f", revoked by {w['revoked_by']} {w['revoked_at']}" if w["revoked_at"] else ""
        pair = f"{w['old_digest'][:16]} as {w['new_digest'][:16]}"
        print(f"{w['id']}  {w['class_name']}  {pair}  {w['reason']}  by {w['who']} {w['at']}{ended}")
    return 0


def _revoke(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        waivers.revoke(session, parsed.number)
    return 0
