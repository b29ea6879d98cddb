"""What does a Felis file tell of a table? (https://felis.lsst.io: schemas described in YAML)"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from datamodel.errors import UsageError
from vo_server.catalogue.meanings import told_ucd, told_unit

MAX_BYTES = 8 << 20
MAX_DEPTH = 20
MAX_EVENTS = 1_000_000
"""What a file may have of bytes, of levels, and of keys and values."""

TYPES: dict[str, str] = {
    "boolean": "BOOLEAN",
    "byte": "UNSIGNEDBYTE",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "char": "CHAR",
    "string": "VARCHAR",
    "unicode": "UNICODE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
}
"""Datatypes of Felis and ours; ``binary`` is not among them."""


@dataclass(frozen=True)
class FelisColumn:
    """What is told of a column; None where nothing is.

    Attributes
    ----------
    type
        Key in `datamodel.datatypes.DATATYPES`.
    """

    name: str
    type: str | None
    unit: str | None
    ucd: str | None
    utype: str | None
    description: str | None
    arraysize: str | None
    xtype: str | None
    principal: bool
    std: bool
    indexed: bool


@dataclass(frozen=True)
class FelisTable:
    """What is told of a table and of its schema."""

    name: str
    description: str
    schema_description: str
    columns: tuple[FelisColumn, ...]


def read(path: Path, table: str) -> FelisTable:
    """What a file tells of a table.

    Parameters
    ----------
    path
        A Felis file.
    table
        Name of the table, in any case; where the file has one table only, it is that, whatever its name.

    Raises
    ------
    UsageError
        The file cannot be read, is no Felis file, or tells of several tables but not of this one.
    """
    document = _mapping(_parsed(path), f"{path.name}")
    tables = [
        _mapping(each, f"{path.name}: a table") for each in _list(document.get("tables"), path.name, "tables")
    ]
    names = [_text(each.get("name")) or "" for each in tables]
    found = [each for each, name in zip(tables, names, strict=True) if name.lower() == table.lower()]
    if not found and len(tables) != 1:
        raise UsageError(f"{path.name} tells of {', '.join(names[:20])}, expected a table '{table}'")
    told = (found or tables)[0]
    where = f"{path.name}: table '{_text(told.get('name')) or table}'"
    indexed = _indexed(told, where)
    columns = [_mapping(each, where) for each in _list(told.get("columns"), where, "columns")]
    return FelisTable(
        _text(told.get("name")) or table,
        _text(told.get("description")) or "",
        _text(document.get("description")) or "",
        tuple(_column(each, indexed, where) for each in columns),
    )


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(
                f"{path.name} is {path.stat().st_size} bytes long, expected {MAX_BYTES} at the most"
            )
        text = path.read_text(encoding="utf-8")
        _refuse_huge(text, path.name)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  either of them makes plain values only
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8, expected a Felis file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path.name} is not YAML: {' '.join(str(error).split())[:300]}") from None


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_huge(text: str, name: str) -> None:
    """Look at the events alone, for they are made without recursion."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or number > MAX_EVENTS or isinstance(event, yaml.AliasEvent):
            raise UsageError(
                f"{name} is not a Felis file: expected at most {MAX_DEPTH} levels, {MAX_EVENTS} values and no aliases"
            )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} is not as in a Felis file, expected keys with values")
    return value


def _list(value: Any, where: str, key: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where} has no {key}, expected a list of them")
    return value


def _text(value: Any) -> str | None:
    return None if value is None else " ".join(str(value).split()) or None


def _indexed(table: dict[str, Any], where: str) -> set[str]:
    """The identifiers of the columns that a primary key or an index begins with."""
    key = table.get("primaryKey") or []
    lists = [key if isinstance(key, list) else [key]]
    lists += [_mapping(each, where).get("columns") or [] for each in table.get("indexes") or []]
    return {str(each[0]).lower() for each in lists if isinstance(each, list) and each}


def _column(told: dict[str, Any], indexed: Iterable[str], where: str) -> FelisColumn:
    name = _text(told.get("name"))
    if name is None:
        raise UsageError(f"{where} has a column without a name")
    at = f"{where}, column '{name}'"
    return FelisColumn(
        name,
        _type(_text(told.get("datatype")), at),
        told_unit(_text(told.get("ivoa:unit") or told.get("fits:tunit")), at),
        told_ucd(_text(told.get("ivoa:ucd")), at),
        _text(told.get("votable:utype")),
        _text(told.get("description")),
        _text(told.get("votable:arraysize")),
        _text(told.get("votable:xtype")),
        bool(told.get("tap:principal")),
        bool(told.get("tap:std")),
        str(told.get("@id", name)).lower() in indexed,
    )


def _type(name: str | None, where: str) -> str | None:
    if name is None:
        return None
    if name.lower() not in TYPES:
        raise UsageError(f"{where} is of the datatype '{name[:60]}', expected one of {', '.join(TYPES)}")
    return TYPES[name.lower()]
