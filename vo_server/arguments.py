"""How is a command, or what it can do, added to others?"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from datamodel.config import Config

Run = Callable[[Config, argparse.Namespace], int]
"""Does what a command is for; gives its exit code."""


def add_verb(
    verbs: Any, shared: argparse.ArgumentParser, name: str, run: Run, doc: str, *, json: bool = True
) -> argparse.ArgumentParser:
    """Add a command; gives its parser, for what is its own.

    Parameters
    ----------
    verbs
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    json
        Whether it can answer in JSON.
    """
    made: argparse.ArgumentParser = verbs.add_parser(
        name, parents=[shared], help=doc, description=doc, allow_abbrev=False
    )
    made.set_defaults(run=run)
    if json:
        made.add_argument("--json", action="store_true", help="print JSON for scripts")
    return made


def add_group(
    commands: Any, shared: argparse.ArgumentParser, name: str, doc: str, verbs: str
) -> Callable[..., argparse.ArgumentParser]:
    """Add a command that has verbs; gives what adds them, which is `add_verb` but for its first two arguments.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    name
        Of the command.
    doc
        What it is for.
    verbs
        Their names, for the help.
    """
    command = commands.add_parser(name, help=doc, description=doc, allow_abbrev=False)
    return partial(add_verb, command.add_subparsers(required=True, metavar="VERB", help=verbs), shared)
