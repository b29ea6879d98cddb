"""The command ``vo-server table``: tables of one's own, listed, saved from jobs, shared and removed."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from datamodel import quotas
from datamodel.archive import Archive
from datamodel.catalogues import Entry
from datamodel.config import Config
from datamodel.context import EVERY_PROJECT, LEVELS, MYDB, Caller
from datamodel.publishing import level_of
from processing.opening import operator
from vo_server.arguments import add_group
from vo_server.begun import opened

DOC = "List tables of one's own (MyDB), save results of jobs as such, share and remove them."


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``table`` with its verbs to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    verb = add_group(commands, shared, "table", DOC, "list, save, publish or drop")

    verb("list", _list, "List one's own tables, and how much of the quota they use.")
    saving = verb("save", _save, "Save the result of a job as a table of one's own.")
    saving.add_argument("job", metavar="JOB", help="identifier of the job, or its URL")
    _add_name(saving)
    publishing = verb("publish", _publish, "Have more people see a table; from level 3 on that is for good.")
    _add_name(publishing)
    levels = ", ".join(f"{number} {name}" for number, name in LEVELS.items())
    publishing.add_argument("level", metavar="LEVEL", help=levels)
    publishing.add_argument(
        "--project", help="project that it is to belong to, where it was one's own until now"
    )
    _add_name(verb("drop", _drop, "Remove a table."))


def _add_name(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="mydb.NAME, or mydb_USER.NAME for that of another")


@contextmanager
def _at_work(config: Config) -> Iterator[tuple[Archive, Caller]]:
    """The archive, and the operator as one who sees his or her own tables."""
    with opened(config) as archive:
        yield archive, replace(operator(archive), level=MYDB, project=EVERY_PROJECT)


def _list(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.mydb.tables import use

    with _at_work(config) as (archive, caller):
        used = use(archive, caller.user or "")
    if parsed.json:
        told = [_as_json(each) for each in used.tables]
        print(json.dumps({"bytes": used.bytes, "quota": used.quota, "tables": told}))
        return 0
    for each in sorted(used.tables, key=lambda e: e.name):
        size = quotas.size_in_words(quotas.weight(each))
        print(
            f"mydb.{each.table:30}  {each.rows:12,d}  {size:>8}  {LEVELS[each.privileges]:9}  {each.description[:60]}"
        )
    print(used.words)
    return 0


def _save(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.mydb.jobs import save

    with _at_work(config) as (archive, caller):
        made = save(archive, caller, parsed.job.rstrip("/").rpartition("/")[2], parsed.name)
    _tell(parsed, _as_json(made), f"mydb.{made.table}: {made.rows:,} rows, {len(made.columns)} columns")
    return 0


def _publish(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.mydb.publishing import publish

    with _at_work(config) as (archive, caller):
        made = publish(archive, caller, parsed.name, level_of(parsed.level), parsed.project)
    level = f"{made.privileges} {LEVELS[made.privileges]}"
    _tell(parsed, _as_json(made), f"{made.name} is at level {level}, of project {made.project}")
    return 0


def _drop(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.mydb.tables import drop

    with _at_work(config) as (archive, caller):
        gone = drop(archive, caller, parsed.name)
    _tell(parsed, {"dropped": gone.name}, f"{gone.name} is dropped")
    return 0


def _as_json(made: Entry) -> dict[str, Any]:
    return {
        "name": made.name,
        "rows": made.rows,
        "bytes": made.bytes,
        "level": made.privileges,
        "project": made.project,
        "description": made.description,
        "source": made.source,
    }


def _tell(parsed: argparse.Namespace, told: dict[str, Any], words: str) -> None:
    print(json.dumps(told) if parsed.json else words)
