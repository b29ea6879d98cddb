"""The command ``vo-server catalogue``: its options, what it calls, and what it prints."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodel.config import Config
from datamodel.context import LEVELS
from datamodel.errors import ArchiveError
from datamodel.publishing import level_of
from processing.opening import session_of
from vo_server.arguments import add_group
from vo_server.begun import require_archive

if TYPE_CHECKING:
    from datamodel.catalogues import Entry

DOC = "Bring catalogues of one's own, replace, drop and list them."

ORIGIN_OPTIONS = {
    "creator": ("NAME", "who made the data; may be repeated"),
    "citation": ("TEXT", "bibcode or DOI to cite; may be repeated"),
    "rights": ("TEXT", "licence or terms, in words"),
    "rights_uri": ("URL", "licence or terms, as a URL"),
    "reference_url": ("URL", "page that describes the data"),
    "ivoid": ("IVOID", "IVOA identifier of the data"),
}
"""Options that say where the data come from, as DataOrigin calls them."""


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``catalogue`` with its verbs to a command line.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    shared
        Has the options of every command.
    """
    verb = add_group(commands, shared, "catalogue", DOC, "add, replace, drop or list")

    _add_file(verb("add", _bring, "Add a catalogue: a CSV, FITS, VOTable or Parquet file."), replaces=False)
    _add_file(
        verb(
            "replace",
            _bring,
            "Put new rows in the place of a catalogue; queries under way keep the old ones.",
        ),
        replaces=True,
    )
    dropping = verb("drop", _drop, "Remove a catalogue.")
    dropping.add_argument("name", metavar="NAME", help="schema.table")
    verb("list", _list, "List the catalogues that were added.")


def _add_file(verb: argparse.ArgumentParser, replaces: bool) -> None:
    verb.set_defaults(replaces=replaces)
    verb.add_argument("file", type=Path, metavar="FILE", help="the table, also compressed by gzip")
    verb.add_argument("--name", required=True, metavar="SCHEMA.TABLE", help="what queries call it")
    verb.add_argument(
        "--format", help="csv, tsv, ecsv, fits, votable or parquet (default: what the file looks like)"
    )
    verb.add_argument(
        "--metadata", type=Path, metavar="FELIS", help="Felis YAML file that tells of its columns"
    )
    verb.add_argument("--description", help="what a row stands for")
    verb.add_argument(
        "--ra", metavar="COLUMN", help="right ascension in deg, ICRS (default: found by UCD or name)"
    )
    verb.add_argument(
        "--dec", metavar="COLUMN", help="declination in deg, ICRS (default: found by UCD or name)"
    )
    verb.add_argument(
        "--index", action="append", default=[], metavar="COLUMN", help="index a column too; may be repeated"
    )
    levels = ", ".join(f"{number} {name}" for number, name in LEVELS.items())
    verb.add_argument("--level", help=f"who may see it: {levels} (default: the setting level, or as it was)")
    for name, (value, doc) in ORIGIN_OPTIONS.items():
        option = f"--{name.replace('_', '-')}"
        verb.add_argument(option, dest=name, action="append", default=[], metavar=value, help=doc)


def _bring(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.catalogue.described import Given
    from vo_server.catalogue.importing import bring
    from vo_server.catalogue.progress import Shown
    from vo_server.catalogue.tables import left_out
    from vo_server.formats.reading import open_table

    given = Given(
        parsed.name,
        parsed.metadata,
        parsed.description,
        parsed.ra,
        parsed.dec,
        tuple(parsed.index),
        None if parsed.level is None else level_of(parsed.level),
        tuple((name, value) for name in ORIGIN_OPTIONS for value in getattr(parsed, name)),
    )
    if parsed.replaces:
        require_archive(config)
    reading = open_table(parsed.file, parsed.format)
    notes: list[str] = []
    try:
        with reading, session_of(config) as session, Shown() as shown:
            source, replaces = parsed.file.name, parsed.replaces
            made = bring(
                session.archive, reading, given, session.caller, source, shown, replaces, notes.append
            )
            notes += [note] if (note := left_out(parsed.file)) else []
    except OSError as error:
        where = f": '{error.filename}'" if error.filename else ""
        raise ArchiveError(f"the catalogue was not brought: {error.strerror or error}{where}") from None
    for note in notes:
        print(f"vo-server: {note}", file=sys.stderr)
    print(json.dumps(as_json(made)) if parsed.json else in_words(made))
    return 0


def _drop(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.catalogue.importing import drop

    require_archive(config)
    with session_of(config) as session:
        drop(session.archive, parsed.name)
    print(
        json.dumps({"dropped": parsed.name.lower()}) if parsed.json else f"{parsed.name.lower()} is dropped"
    )
    return 0


def _list(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.catalogue.importing import listed

    require_archive(config)
    with session_of(config) as session:
        found = listed(session.archive)
    if parsed.json:
        print(json.dumps([as_json(each) for each in found]))
        return 0
    for each in found:
        print(f"{each.rows:12,d}  {each.name:30}  {LEVELS[each.privileges]:9}  {each.description[:60]}")
    return 0


def in_words(made: "Entry") -> str:
    """One line for people."""
    told = f"{made.name}: {made.rows:,} rows, {len(made.columns)} columns"
    if made.region is not None:
        told += f"; {made.outlined:,} regions of '{made.region}' are indexed"
    if made.point is None:
        return f"{told}; no position: name its columns by --ra and --dec if it has one"
    nowhere = made.rows - made.placed
    return told + (f"; {nowhere:,} of the rows without a position in the sky" if nowhere else "")


def as_json(made: "Entry") -> dict[str, Any]:
    """All that is known of a catalogue, for scripts."""
    columns = [
        {"name": c.name, "type": c.type, "unit": c.unit, "ucd": c.ucd, "description": c.description}
        | made.statistics.get(c.name, {})
        for c in made.columns
    ]
    return {
        "name": made.name,
        "description": made.description,
        "rows": made.rows,
        "placed": made.placed,
        "level": made.privileges,
        "creator": made.creator,
        "project": made.project,
        "made": made.made.isoformat(timespec="seconds"),
        "source": made.source,
        "position": [made.point.ra, made.point.dec] if made.point else None,
        "region": made.region,
        "outlined": made.outlined,
        "coverage": made.coverage,
        "origin": [list(item) for item in made.origin],
        "columns": columns,
    }
