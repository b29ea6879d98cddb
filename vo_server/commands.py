"""What do the commands of ``vo-server`` do? They read the command line, call down, and print."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from datamodel.config import Config, read_config
from datamodel.context import POLICIES
from datamodel.errors import ArchiveError, NotFoundError, UsageError
from datamodel.objects import DBObject
from processing.asking import KEYS, OPTIONS, instant
from processing.bootstrap import bootstrap
from processing.classes import RAW_CLASSES, TARGET_CLASSES
from processing.ingest import find_files, ingest
from processing.node import Node
from processing.opening import open_archive, session_of
from processing.progress import shown_by
from processing.upkeep import catch_up
from vo_server import (
    database_command,
    keeping,
    processing_commands,
    project_command,
    publishing_commands,
    quality_commands,
    reclaiming,
    standing_commands,
    table_command,
    upgrading,
    user_command,
)
from vo_server.arguments import Commands, Run, add_verb
from vo_server.begun import require_archive
from vo_server.catalogue import command as catalogue
from vo_server.progress_tree import ProgressTree

log = logging.getLogger("vo_server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 it failed, 2 it was asked wrongly."""
    parsed = parser().parse_args(arguments)
    try:
        config = read_config(
            parsed.config,
            archive=parsed.archive,
            port=getattr(parsed, "port", None),
            host=getattr(parsed, "host", None),
        )
        logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        run: Run = parsed.run
        return run(config, parsed)
    except (UsageError, NotFoundError) as error:
        print(f"vo-server: {error}", file=sys.stderr)
        return 2
    except ArchiveError as error:
        print(f"vo-server: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line: every command with its options and their meaning."""
    top = Commands(prog="vo-server", description="A live astronomical archive.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--archive", type=Path, help="folder of the archive (default: $VO_ARCHIVE or ./archive)"
    )
    shared.add_argument("--config", type=Path, help="TOML file with settings (default: $VO_CONFIG)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add = partial(add_verb, commands, shared, json=False)
    _add_address(add("serve", _serve, "Serve the archive to the VO."))
    working = add("worker", _worker, "Run asynchronous jobs, beside those that the server runs.")
    working.add_argument(
        "--attached", action="store_true", help="end when the process that started this one does"
    )
    _add_address(add("demo", _demo, "Make, ingest and serve a simulated survey of h and chi Persei."))
    catalogue.add_commands(commands, shared)
    processing_commands.add_commands(commands, shared)
    quality_commands.add_commands(commands, shared)
    publishing_commands.add_commands(commands, shared)
    standing_commands.add_commands(commands, shared)
    upgrading.add_command(commands, shared)
    keeping.add_commands(commands, shared)
    user_command.add_commands(commands, shared)
    project_command.add_commands(commands, shared)
    database_command.add_commands(commands, shared)
    table_command.add_commands(commands, shared)
    reclaiming.add_commands(commands, shared)
    ingesting = add("ingest", _ingest, "Ingest raw FITS files; folders are searched.")
    ingesting.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="FITS file or folder")
    _add_json(ingesting)
    _add_keys(add("get", _get, "Give the best object of a class for some keys; make it if need be."))
    _add_keys(add("why", _why, "Say why the best object must be made again."))
    _add_keys(add("plan", _plan, "Show what get would do, as a tree."))
    _add_keys(add("timeline", _timeline, "Show which calibration of some keys is used when."), dated=False)
    pinning = add(
        "favourite", _favourite, "Have the project prefer a calibration to all others, or cease to."
    )
    pinning.add_argument("object_id", metavar="OBJECT_ID", help="the calibration")
    pinning.add_argument("--unset", action="store_true", help="end the preference")
    nominal = add("bootstrap", _bootstrap, "Make nominal calibrations, valid for ever, where there are none.")
    nominal.add_argument("instrument", metavar="INSTRUMENT", help="name of the instrument")
    nominal.add_argument("--from", dest="start", default="1990-01-01", help="first day of their validity")
    nominal.add_argument("--until", default="2050-01-01", help="day on which it ends")
    _add_json(nominal)
    status = add("status", _status, "Show what the archive holds, or the status of one target.")
    _add_keys(status, needs_class=False)
    return top


def _add_address(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, help="port to listen on")
    command.add_argument("--host", help="address to listen on")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON for scripts")


def _add_keys(command: argparse.ArgumentParser, needs_class: bool = True, dated: bool = True) -> None:
    command.add_argument(
        "cls", metavar="CLASS", nargs=None if needs_class else "?", help="class, e.g. HotPixelMap"
    )
    command.add_argument("--instrument", help="name of the instrument; taken from a unique chip name")
    command.add_argument("--chip", help="name of the chip")
    command.add_argument("--filter", help="name of the filter or its band")
    if dated:
        command.add_argument("--date", help="night (2003-02-14) or instant (2003-02-14T23:10:00, UTC)")
        command.add_argument("--raw", help="object_id of the exposure, for what belongs to one")
    command.add_argument(
        "--compatibility",
        metavar="JSON",
        help="what its raw frames have in common; else that of the nearest ones",
    )
    command.add_argument("--as-of", metavar="INSTANT", help="as it was then (UTC); nothing is made")
    command.add_argument("--policy", help=f"how the best is chosen: {', '.join(POLICIES)}")
    command.add_argument(
        "--no-forever",
        dest="allow_forever",
        action="store_const",
        const=False,
        help="no calibration valid for ever",
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="process parameter; may be repeated"
    )
    if dated:
        command.add_argument("--depth", help="how many levels are looked at: 0, 1, ..., pipeline or full")
    _add_json(command)


def _asked(parsed: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    cls = processing_commands.target_class(parsed.cls)
    given = {name: getattr(parsed, name, None) for name in (*KEYS, *OPTIONS, "depth")}
    keys = {name: value for name, value in given.items() if value not in (None, "")}
    for setting in parsed.set:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE")
        keys[name] = value
    return cls, keys


def _serve(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.serve import serve

    require_archive(config)
    return serve(config)


def _worker(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.app import JOBS
    from vo_server.uws.crew import work

    require_archive(config)
    archive = open_archive(config)
    try:
        work(archive, JOBS, parsed.attached)
    finally:
        archive.close()
    return 0


def _demo(config: Config, parsed: argparse.Namespace) -> int:
    from vo_server.demo import demo

    return demo(config)


def _ingest(config: Config, parsed: argparse.Namespace) -> int:
    files = list(find_files(parsed.paths))
    with session_of(config) as session, tqdm(total=len(files), unit="file", disable=None) as bar:
        summary = ingest(session, files, progress=lambda _name: bar.update())
    if parsed.json:
        print(json.dumps(vars(summary)))
    else:
        print(summary)
    return 0


def _get(config: Config, parsed: argparse.Namespace) -> int:
    cls, keys = _asked(parsed)
    require_archive(config)
    with session_of(config) as session, shown_by(ProgressTree):
        product = cls.get(**keys)
        path = str(session.archive.store.path(product.filename)) if product.filename else None
        answer = {"class": cls.__name__, "object_id": product.object_id, "file": path}
    print(json.dumps(answer) if parsed.json else "  ".join(str(v) for v in answer.values() if v))
    return 0


def _node(config: Config, parsed: argparse.Namespace, show: Callable[[Node], str]) -> int:
    cls, keys = _asked(parsed)
    require_archive(config)
    with session_of(config):
        node = cls.plan(**keys)
        print(json.dumps(node.as_json()) if parsed.json else show(node))
    return 0


def _why(config: Config, parsed: argparse.Namespace) -> int:
    def show(node: Node) -> str:
        if node.existing is None:
            return f"there is none: {node.status}" + "".join(f"\n  {m}" for m in node.missing)
        reasons = [f"{reason}  ({reason.sentence()})" for reason in node.reasons]
        return "\n".join([f"{node.existing!r} is {node.status}", *(f"  {r}" for r in reasons)])

    return _node(config, parsed, show)


def _plan(config: Config, parsed: argparse.Namespace) -> int:
    return _node(config, parsed, Node.tree)


def _timeline(config: Config, parsed: argparse.Namespace) -> int:
    cls, keys = _asked(parsed)
    require_archive(config)
    with session_of(config):
        if cls.of_exposure:
            raise UsageError(f"{cls.__name__} belongs to one exposure: it has no timeline")
        found = cls.timeline(**keys)
        print(json.dumps([segment.as_json() for segment in found]) if parsed.json else found)
    return 0


def _favourite(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    with session_of(config) as session:
        found = session.load(DBObject, parsed.object_id)
        if not hasattr(found, "pin"):
            raise UsageError(f"{found!r} is no calibration: it cannot be a favourite")
        (found.unpin if parsed.unset else found.pin)()
        print(f"{found!r} is {'no' if parsed.unset else 'a'} favourite of project '{session.caller.project}'")
    return 0


def _bootstrap(config: Config, parsed: argparse.Namespace) -> int:
    require_archive(config)
    start, end = instant(parsed.start, "--from"), instant(parsed.until, "--until")
    with session_of(config) as session:
        for made in bootstrap(session, parsed.instrument, start, end):
            answer = {"class": type(made).__name__, "object_id": made.object_id, "chip": made.chip.name}
            print(json.dumps(answer) if parsed.json else "  ".join(answer.values()), flush=True)
        catch_up(session)
    return 0


def _status(config: Config, parsed: argparse.Namespace) -> int:
    if parsed.cls:
        return _node(config, parsed, lambda node: node.status)
    require_archive(config)
    with session_of(config) as session:
        counts = {c.__name__: len(c.select_all()) for c in (*RAW_CLASSES, *TARGET_CLASSES)}
        quarantined = sorted(p.name for p in session.archive.quarantine.glob("*.reason.txt"))
    if parsed.json:
        print(json.dumps({"objects": counts, "quarantined": len(quarantined)}))
        return 0
    for name, count in counts.items():
        print(f"{count:8d}  {name}")
    print(f"{len(quarantined):8d}  files in quarantine")
    return 0
