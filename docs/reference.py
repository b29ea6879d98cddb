"""The reference pages: settings, commands, tables and targets, written from their declarations.

Sphinx runs this before it reads the pages; a test checks that nothing is missing from them.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from datamodel.attributes import Attribute, all_classes, snake_case
from datamodel.columns import Column, Table
from datamodel.config import Config
from processing.classes import TARGET_CLASSES
from processing.declarations import flags, parameters, roles
from vo_server.commands import parser
from vo_server.tap.tap_schema import tables as all_tables

OURS = ("datamodel", "processing")


def write(folder: Path) -> None:
    """Write all pages into `folder`; a page that has not changed is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"settings": settings(), "commands": commands(), "tables": tables(), "classes": targets()}
    for name, page in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def settings() -> str:
    """Every field of the configuration."""
    rows = [
        (f"`{f.name}`", f"`$VO_{f.name.upper()}`", f"`{_shown(f.default)}`", f.metadata["doc"])
        for f in fields(Config)
    ]
    return _page(
        "Settings",
        "Each can stand in a TOML file (`--config FILE` or `$VO_CONFIG`) and in the environment; the "
        "environment wins over the file, an option of the command over both.",
        _table(("setting", "environment", "default", "meaning"), rows),
    )


def commands() -> str:
    """Every command of ``vo-server`` with its options."""
    parts = []
    for name, command in sorted(subcommands(parser()).items()):
        rows = [(_usage(action), action.help or "") for action in command._actions if action.dest != "help"]
        parts += [f"## `vo-server {name}`", command.description or "", _table(("argument", "meaning"), rows)]
    prompt = ["## `awe`", "The prompt of the archive: [](../awe.md)."]
    return _page("Commands", "What can be typed in a shell.", *prompt, *parts)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a command line, by name; a command with verbs is followed by these."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found |= {name: command} | {f"{name} {verb}": v for verb, v in subcommands(command).items()}
    return found


def tables() -> str:
    """Every table that can be queried, and its columns."""
    parts = []
    for table in sorted(shown_tables(), key=lambda t: t.full_name):
        parts += [f"## `{table.full_name}`", f"{_sentence(table.description)}", _columns(table.columns)]
    return _page("Tables", "What ADQL can ask for. Units are VOUnits, meanings are UCDs.", *parts)


def shown_tables() -> list[Table]:
    """The tables of an archive with the classes it comes with; tests and sites declare others."""
    known = all_classes()
    others = {snake_case(c.__name__) for c in known if c.__module__.split(".")[0] not in OURS}
    return [t for t in all_tables(Config()) if t.schema != "archive" or t.name.split("__")[0] not in others]


def targets() -> str:
    """Every class whose objects can be made: what it depends on and what changes it."""
    parts: list[str] = []
    for cls in TARGET_CLASSES:
        parts += [f"## `{cls.__name__}`", cls.__doc__.strip().splitlines()[0], *_declarations(cls)]
    return _page("Target classes", "What can be asked for, and is made when it is.", *parts)


def _declarations(cls: Any) -> Iterator[str]:
    made_of = [(f"`{n}`", _target(r.attribute), r.planned, r.attribute.doc) for n, r in roles(cls).items()]
    yield _table(("made from", "class", "when", "meaning"), made_of)
    for heading, kind in (("parameter", "output"), ("quality limit", "qc")):
        rows = [
            (f"`{n}`", f"`{_shown(p.attribute.default)}`", p.attribute.unit or "", p.attribute.doc)
            for n, p in parameters(cls, kind).items()
        ]
        yield _table((heading, "default", "unit", "meaning"), rows)
    yield _table(
        ("quality flag", "bit", "meaning"), [(f"`{n}`", str(f.bit), f.doc) for n, f in flags(cls).items()]
    )


def _target(attribute: Attribute) -> str:
    name = f"`{attribute.target_class().__name__}`"
    return f"list of {name}" if attribute.many else name


def _columns(columns: Iterable[Column]) -> str:
    rows = [
        (f"`{c.name}`", c.type, c.unit or "", f"`{c.ucd}`" if c.ucd else "", c.description) for c in columns
    ]
    return _table(("column", "type", "unit", "UCD", "meaning"), rows)


def _usage(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"`{', '.join(action.option_strings)}{value}`"


def _shown(value: Any) -> str:
    return '""' if value == "" else str(value)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; nothing where there are no rows."""
    if not rows:
        return ""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"
