"""How is a command, or what it can do, added to others?"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from datamodel.config import Config
from datamodel.errors import nearest


class Commands(argparse.ArgumentParser):
    """A command line that names the nearest command or option where there is none of that name."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"allow_abbrev": False} | options))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As of any parser; an option that there is not is refused where its neighbours are known."""
        found, rest = super().parse_known_args(args, namespace)
        wrong = next((each for each in rest if each.startswith("-")), None)
        if wrong is not None:
            name = wrong.partition("=")[0]
            self.error(f"there is no option '{name}'{nearest(name, self._option_string_actions)}")
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        known = [str(each) for each in action.choices or ()]
        if known and value not in (action.choices or ()):
            near = nearest(str(value), known) or f", expected one of {', '.join(known)}"
            raise argparse.ArgumentError(action, f"there is no '{value}'{near}")


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
    made: argparse.ArgumentParser = verbs.add_parser(name, parents=[shared], help=doc, description=doc)
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
    command = commands.add_parser(name, help=doc, description=doc)
    return partial(add_verb, command.add_subparsers(required=True, metavar="VERB", help=verbs), shared)
