"""What is said of a schema, a table and a column, and which rows of the five tables of TAP_SCHEMA say it?"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

TABLES = ("schemas", "tables", "columns", "keys", "key_columns")

Told = dict[str, list[dict[str, Any]]]
"""Rows by the names of the five tables."""


@dataclass(frozen=True)
class ColumnEntry:
    """One row of ``tap_schema.columns``; the datatype is VOTable's."""

    name: str
    datatype: str
    arraysize: str | None
    xtype: str | None
    size: int | None
    description: str
    utype: str | None
    unit: str | None
    ucd: str | None
    indexed: int
    principal: int
    std: int


@dataclass(frozen=True)
class KeyEntry:
    """A row of ``tap_schema.keys`` with its pairs of ``(from_column, target_column)``."""

    target_table: str
    columns: tuple[tuple[str, str], ...]
    description: str = ""
    utype: str | None = None


@dataclass(frozen=True)
class TableEntry:
    """A row of ``tap_schema.tables`` with what belongs to it; `type` is ``table`` or ``view``."""

    name: str
    type: str
    description: str
    utype: str | None
    columns: tuple[ColumnEntry, ...]
    keys: tuple[KeyEntry, ...] = ()


@dataclass(frozen=True)
class SchemaEntry:
    """A row of ``tap_schema.schemas`` with its tables."""

    name: str
    description: str
    utype: str | None
    tables: tuple[TableEntry, ...]


def rows_of(schemas: Iterable[SchemaEntry], first: int = 0) -> Told:
    """The rows of the five tables; the first schema, table and key have the number `first`."""
    rows: Told = {name: [] for name in TABLES}
    for schema_index, schema in enumerate(schemas, first):
        told = {"utype": schema.utype, "description": schema.description, "schema_index": schema_index}
        rows["schemas"].append({"schema_name": schema.name} | told)
        for table in schema.tables:
            _add_table(rows, schema.name, table, first)
    return rows


def _add_table(rows: Told, schema_name: str, table: TableEntry, first: int) -> None:
    named = {"schema_name": schema_name, "table_name": table.name, "table_type": table.type}
    told = {"utype": table.utype, "description": table.description}
    rows["tables"].append(named | told | {"table_index": first + len(rows["tables"])})
    for column_index, column in enumerate(table.columns):
        values = asdict(column)
        named = {"table_name": table.name, "column_name": values.pop("name")}
        rows["columns"].append(named | values | {"column_index": column_index})
    for key in table.keys:
        key_id = f"{first + len(rows['keys']) + 1:04d}"
        named = {"key_id": key_id, "from_table": table.name, "target_table": key.target_table}
        rows["keys"].append(named | {"description": key.description, "utype": key.utype})
        rows["key_columns"] += [
            {"key_id": key_id, "from_column": from_column, "target_column": target_column}
            for from_column, target_column in key.columns
        ]
