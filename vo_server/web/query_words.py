"""What can be written in a query here? Schemas, tables, columns and functions, for completion and the browser."""

from collections.abc import Iterable, Iterator
from typing import Any

from datamodel.archive import Archive
from datamodel.tap_schema import ColumnEntry, SchemaEntry, TableEntry
from vo_server.web.adql_functions import FUNCTIONS
from vo_server.web.tap_service import TapService


def words(schemas: Iterable[SchemaEntry], tap: TapService, archive: Archive) -> dict[str, Any]:
    """All of it, as JSON has it.

    Parameters
    ----------
    schemas
        What TAP_SCHEMA tells; names are as a query writes them.
    tap
        Tells of the functions and the reserved words.
    archive
        Whose site may have functions of its own.
    """
    return {
        "schemas": [_schema(schema) for schema in schemas],
        "functions": list(_functions(tap, archive)),
        "reserved": sorted(tap.reserved),
    }


def _schema(schema: SchemaEntry) -> dict[str, Any]:
    tables = [_table(table) for table in schema.tables]
    return {"name": schema.name, "description": schema.description, "tables": tables}


def _table(table: TableEntry) -> dict[str, Any]:
    columns = [_column(column) for column in table.columns]
    return {"name": table.name, "description": table.description, "columns": columns}


def _column(column: ColumnEntry) -> dict[str, Any]:
    """A column; what there is not is left out."""
    told = {
        "name": column.name,
        "type": _type(column),
        "unit": column.unit,
        "ucd": column.ucd,
        "description": column.description,
        "indexed": bool(column.indexed),
    }
    return {name: value for name, value in told.items() if value}


def _type(column: ColumnEntry) -> str:
    """The datatype in a word: what it stands for, where that is more than its bytes."""
    if column.xtype:
        return column.xtype
    if column.datatype in ("char", "unicodeChar"):
        return "text"
    return f"{column.datatype}[{column.arraysize}]" if column.arraysize else column.datatype


def _functions(tap: TapService, archive: Archive) -> Iterator[dict[str, str]]:
    """The core of ADQL, and what the service adds to it: forms that are a signature."""
    for function in FUNCTIONS:
        yield {"name": function.name, "form": function.signature, "description": function.description}
    known = {function.name for function in FUNCTIONS}
    for form, description in tap.functions(archive):
        name, bracket, _ = form.partition("(")
        if bracket and name.strip().upper() not in known:
            yield {"name": name.strip(), "form": form, "description": description}
