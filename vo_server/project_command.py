"""The command ``vo-server project``: which projects there are, what they may, and who works in them."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from datamodel import projects
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import LEVELS
from datamodel.publishing import level_of
from processing.site import instruments_of
from vo_server.arguments import add_group
from vo_server.begun import opened

DOC = "Add, change and list projects, and say who works in them."


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``project`` with its verbs to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    verb = add_group(commands, shared, "project", DOC, "add, change, member or list")

    _add_values(verb("add", _add, "Add a project; it is private where nothing else is said."))
    _add_values(verb("change", _change, "Change what a project is; its objects stay as they are."))
    member = verb(
        "member", _member, "Make an account a member of a project, or its manager, or none any more."
    )
    member.add_argument("project", metavar="PROJECT", help="name of the project")
    member.add_argument("user", metavar="USER", help="user name")
    how = member.add_mutually_exclusive_group()
    how.add_argument("--manager", action="store_true", help="as one who may publish what is the project's")
    how.add_argument("--remove", action="store_true", help="no longer")
    verb("list", _list, "List the projects and their members.")


def _add_values(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the project")
    seen = verb.add_mutually_exclusive_group()
    seen.add_argument(
        "--public", dest="is_public", action="store_const", const=True, help="every account is a member"
    )
    seen.add_argument(
        "--private", dest="is_public", action="store_const", const=False, help="only its members are"
    )
    levels = ", ".join(f"{number} {name}" for number, name in LEVELS.items())
    verb.add_argument("--level", help=f"highest level that its objects may have: {levels} (default: 5)")
    verb.add_argument("--instrument", help="name of the instrument that it works with")
    verb.add_argument("--description", help="what it is for")


def _values(archive: Archive, parsed: argparse.Namespace) -> dict[str, Any]:
    named = parsed.instrument and instruments_of(archive).named(parsed.instrument).name
    return {
        "is_public": parsed.is_public,
        "maximum_privileges": None if parsed.level is None else level_of(parsed.level),
        "instrument": named,
        "description": parsed.description,
    }


def _add(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        projects.add(archive, parsed.name, **_values(archive, parsed))
    _tell(parsed, {"added": parsed.name}, f"there is a project {parsed.name}")
    return 0


def _change(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        projects.change(archive, parsed.name, **_values(archive, parsed))
    _tell(parsed, {"changed": parsed.name}, f"project {parsed.name} is changed")
    return 0


def _member(config: Config, parsed: argparse.Namespace) -> int:
    role = "no member any more" if parsed.remove else "a manager" if parsed.manager else "a member"
    with opened(config) as archive:
        if parsed.remove:
            projects.remove_member(archive, parsed.project, parsed.user)
        else:
            projects.set_member(archive, parsed.project, parsed.user, parsed.manager)
    told = {"project": parsed.project, "user": parsed.user, "is": role}
    _tell(parsed, told, f"{parsed.user} is {role} of {parsed.project}")
    return 0


def _list(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        found = projects.listed(archive)
    if parsed.json:
        print(json.dumps([asdict(each) | {"members": _members(each)} for each in found]))
        return 0
    for each in found:
        kind = "public" if each.is_public else "private"
        people = ", ".join(f"{m['name']}{' (manager)' if m['is_manager'] else ''}" for m in _members(each))
        level = f"up to {each.maximum_privileges} {LEVELS[each.maximum_privileges]}"
        told = f"{each.name:20}  {kind:7}  {level:17}  {each.instrument or '':10}"
        print(f"{told}  {people}  {each.description}".rstrip())
    return 0


def _members(each: projects.Project) -> list[dict[str, Any]]:
    return [{"name": name, "is_manager": is_manager} for name, is_manager in each.members]


def _tell(parsed: argparse.Namespace, told: dict[str, Any], words: str) -> None:
    print(json.dumps(told) if parsed.json else words)
