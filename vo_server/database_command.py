"""The command ``vo-server database``: the database keeps rows from people who connect to it themselves."""

import argparse
import json
from typing import Any

from datamodel import database_roles, row_security
from datamodel.config import Config
from vo_server.arguments import add_group
from vo_server.begun import opened
from vo_server.user_command import read_password

DOC = "Let people read the database themselves, each only what they may see (PostgreSQL)."


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``database`` with its verbs to a command line."""
    add = add_group(commands, shared, "database", DOC, "protect or role")
    add("protect", _protect, "Have each table show what the account of a role may see, and nothing else.")
    role = add("role", _role, "Have an account connect under a role of its name, or give that a password.")
    role.add_argument("name", metavar="ACCOUNT", help="user name")
    how = role.add_mutually_exclusive_group()
    how.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, one line"
    )
    how.add_argument(
        "--existing", action="store_true", help="take a role that the database has already, as it is"
    )


def _protect(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        done = row_security.protect(archive.database)
    told = f"{len(done)} tables show each role what its account may see; all others are read by their owner alone"
    print(json.dumps({"protected": done}) if parsed.json else told)
    return 0


def _role(config: Config, parsed: argparse.Namespace) -> int:
    with opened(config) as archive:
        row_security.require(archive.database)  # before anybody types a password
        password = None if parsed.existing else read_password(parsed)
        is_new = database_roles.add(archive, parsed.name, password)
    how = "is new" if is_new else "stands for it" if parsed.existing else "has another password"
    told = f"{parsed.name} connects to the database as the role of that name, which {how}, and reads"
    print(json.dumps({"role": parsed.name, "is_new": is_new}) if parsed.json else told)
    return 0
