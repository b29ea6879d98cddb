"""The command ``vo-server user``: who has an account, passwords and tokens. A password is never an argument."""

import argparse
import getpass
import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from datamodel import account_changes, accounts, catalogues, projects, quotas, tokens
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import MYDB
from datamodel.errors import UsageError
from datamodel.publishing import level_of
from vo_server.arguments import add_group
from vo_server.begun import opened

DOC = "Add accounts, give them passwords and tokens, disable and list them."


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``user`` with its verbs to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    verb = add_group(commands, shared, "user", DOC, "add, passwd, token, quota, disable, enable or list")

    adding = verb("add", _add, "Add an account; its password is asked for.")
    adding.add_argument("name", metavar="NAME", help="user name: letters, digits and _ . @ + -")
    adding.add_argument("--full-name", default="", help="name for people")
    _add_password(adding).add_argument(
        "--without-password", action="store_true", help="no password opens it: it is used with tokens alone"
    )
    changing = verb("passwd", _passwd, "Give an account another password, which ends its log-ins.")
    changing.add_argument("name", metavar="NAME", help="user name")
    _add_password(changing)
    token = verb(
        "token", _token, "Make a token for programs, and print its secret once; or revoke one, or list them."
    )
    token.add_argument("name", metavar="NAME", nargs="?", help="user name")
    token.add_argument(
        "--days",
        type=float,
        default=tokens.USUAL_DAYS,
        help=f"until it ends (default: {tokens.USUAL_DAYS:g})",
    )
    token.add_argument("--description", default="", help="what it is for")
    token.add_argument("--project", help="project that its holder works in (default: all of NAME)")
    token.add_argument("--level", help="level from which on its holder sees and makes things (default: 1)")
    token.add_argument("--revoke", metavar="ID", help="declare a token void")
    token.add_argument("--list", action="store_true", help="list the tokens of NAME, or all")
    quota = verb("quota", _quota, "Say how much the tables of an account may be, or look.")
    quota.add_argument("name", metavar="NAME", help="user name")
    quota.add_argument(
        "size", metavar="SIZE", nargs="?", help="such as 5GB, or 'usual' for what the setting mydb_quota says"
    )
    for name, run, doc in (
        ("disable", _disable, "Have an account do nothing any more; its objects and jobs stay."),
        ("enable", _enable, "Let a disabled account work again."),
    ):
        verb(name, run, doc).add_argument("name", metavar="NAME", help="user name")
    verb("list", _list, "List the accounts.")


def _add_password(verb: argparse.ArgumentParser) -> Any:
    group = verb.add_mutually_exclusive_group()
    group.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, one line"
    )
    return group


def _add(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        account_changes.checked_name(parsed.name, "user")  # before anybody types a password
        password = None if parsed.without_password else read_password(parsed)
        account_changes.add(archive, parsed.name, parsed.full_name, password)
    how = "uses tokens" if password is None else "can log in"
    _tell(parsed, {"added": parsed.name}, f"{parsed.name} has an account and {how}")
    return 0


def _passwd(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        with archive.database.read() as connection:
            accounts.named(connection, parsed.name)
        left = account_changes.set_password(archive, parsed.name, read_password(parsed))
    note = (
        f"; {left} of its tokens stay valid: see 'vo-server user token {parsed.name} --list'" if left else ""
    )
    told = {"changed": parsed.name, "valid_tokens": left}
    _tell(parsed, told, f"{parsed.name} has another password{note}")
    return 0


def _token(config: Config, parsed: argparse.Namespace) -> int:
    if parsed.name is None and not (parsed.list or parsed.revoke):
        raise UsageError("whose token is to be made? expected NAME, or --list, or --revoke ID")
    with opened(config) as archive:
        if parsed.revoke:
            tokens.revoke(archive, parsed.revoke)
            _tell(parsed, {"revoked": parsed.revoke}, f"token {parsed.revoke} is revoked")
        elif parsed.list:
            _list_tokens(archive, parsed)
        else:
            where = {
                "project": parsed.project,
                "level": None if parsed.level is None else level_of(parsed.level),
            }
            id, secret = tokens.issue(archive, parsed.name, parsed.days, parsed.description, **where)
            _tell(parsed, {"id": id, "account": parsed.name, "secret": secret}, secret)
            if not parsed.json:
                print(f"vo-server: this is token {id}; its secret is not shown again", file=sys.stderr)
    return 0


def _list_tokens(archive: Archive, parsed: argparse.Namespace) -> None:
    found = tokens.listed(archive, parsed.name)
    if parsed.json:
        print(json.dumps([asdict(each) for each in found], default=datetime.isoformat))
        return
    for each in found:
        state = f"revoked {each.revoked:%Y-%m-%d}" if each.revoked else f"until {each.expires:%Y-%m-%d}"
        used = f"used {each.last_used:%Y-%m-%d}" if each.last_used else "never used"
        where = f"{each.project or 'all projects'} from level {each.level or MYDB}"
        print(f"{each.id}  {each.account:16}  {state:18}  {used:16}  {where:24}  {each.description}")


def _quota(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        if parsed.size is not None:
            size = None if parsed.size == "usual" else quotas.size(parsed.size)
            quotas.set_quota(archive, parsed.name, size)
        with archive.database.read() as connection:
            accounts.named(connection, parsed.name)
            use = quotas.use_of(connection, archive, parsed.name, catalogues.known(archive).entries)
    told = {"account": parsed.name, "bytes": use.bytes, "quota": use.quota}
    _tell(parsed, told, f"{parsed.name}: {use.words}")
    return 0


def _disable(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        account_changes.disable(archive, parsed.name)
    _tell(parsed, {"disabled": parsed.name}, f"{parsed.name} is disabled")
    return 0


def _enable(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        account_changes.enable(archive, parsed.name)
    _tell(parsed, {"enabled": parsed.name}, f"{parsed.name} is enabled")
    return 0


def _list(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        found, now = account_changes.listed(archive), archive.clock()
        valid = Counter(t.account for t in tokens.listed(archive) if t.revoked is None and t.expires > now)
        member = [(user, each.name) for each in projects.listed(archive) for user, _ in each.members]
    told: list[dict[str, Any]] = [
        {
            "name": each.name,
            "full_name": each.full_name or "",
            "has_password": each.password_hash is not None,
            "tokens": valid[each.name],
            "disabled": each.disabled.isoformat() if each.disabled else None,
            "projects": [name for user, name in member if user == each.name],
        }
        for each in found
    ]
    if parsed.json:
        print(json.dumps(told))
        return 0
    for row in told:
        opens = "disabled" if row["disabled"] else "password" if row["has_password"] else "no password"
        state = f"{row['name']:20}  {opens:11}  {row['tokens']:2} tokens"
        print(f"{state}  {', '.join(row['projects']):20}  {row['full_name']}".rstrip())
    return 0


def read_password(parsed: argparse.Namespace) -> str:
    """The password of ``parsed.name``: asked for twice, or the first line of standard input.

    Raises
    ------
    UsageError
        Nobody can be asked, or what was typed differs.
    """
    if parsed.password_stdin:
        line = sys.stdin.readline()
        if not line:
            raise UsageError("standard input is empty, expected the password as its first line")
        return line.rstrip("\r\n")
    if not _is_terminal():
        raise UsageError(
            "nobody can be asked for a password here; --password-stdin reads it from standard input"
        )
    password = getpass.getpass(f"Password of {parsed.name}: ")
    if getpass.getpass("Once more: ") != password:
        raise UsageError("the two passwords differ, expected the same twice")
    return password


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _tell(parsed: argparse.Namespace, told: dict[str, Any], words: str) -> None:
    print(json.dumps(told) if parsed.json else words)
