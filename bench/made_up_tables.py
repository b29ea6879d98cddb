"""On which tables could a query run? Tables made up from what it names, for the suite of validation queries.

Each table that a query names, with each column that it asks of that table, of the type that its use asks for: found
by asking for the meaning of the query, and adding what the error says is unknown.
"""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel import sql
from datamodel.columns import Column, Table
from datamodel.context import ANONYMOUS, Caller
from datamodel.datatypes import Timestamp
from datamodel.speech import SPEECHES
from vo_server.tap.adql import tree
from vo_server.tap.adql.arities import ARITIES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.parser import parse
from vo_server.tap.adql.translate import translate
from vo_server.tap.adql.udf import Udf, Udfs
from vo_server.tap.adql.udf_catalogue import IVOA
from vo_server.tap.adql.values import DOUBLE, Value, derived

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "adql"
"""The suite, where it is beside the project."""


def _shared_area(call: tree.Call, arguments: list[Value], _speech: object, _find: object) -> Value:
    return derived(call.at, sql.real(0.5), DOUBLE, call.name, arguments)


SITE = (
    Udf(
        "eso_intersection(one GEOMETRY, other GEOMETRY) -> REAL",
        "What two shapes share.",
        meaning=_shared_area,
    ),
    Udf("eso_dateadd_sec(seconds REAL, start TIMESTAMP) -> TIMESTAMP", "A time and some seconds.", "{start}"),
)
"""Functions of a site, declared as a site would."""

UDFS = Udfs((*IVOA, *SITE), ARITIES)

_MOST_STEPS = 200

NO_MEANING = {
    "usnob.data.raj2000": "a table that no FROM has",
    "Union ICRS": "a region that is no geometry of ADQL",
    r"NOT \(circle": "a region that is no geometry of ADQL",
    r"box\(\s*'fk5'": "a box without height",
}
"""Regular expressions for queries whose form is valid and that mean nothing on any tables, and why."""

_KINDS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "DOUBLE": (sa.Double(53), (1.5, 12.25, None)),
    "VARCHAR": (sa.Text(), ("NGC 1", "", None)),
    "TIMESTAMP": (Timestamp(), (datetime(2019, 6, 6, 9, 55, 27), datetime(2001, 1, 1), None)),
    "POINT": (sa.Text(), ("2.0 3.0", "10.0 -20.0", None)),
    "CIRCLE": (sa.Text(), ("2.0 3.0 7.0", "10.0 -20.0 0.5", None)),
    "POLYGON": (sa.Text(), ("2.0 3.0 3.0 0.0 23.0 0.0 45.0 11.0", "1.0 1.0 2.0 1.0 2.0 2.0", None)),
}
"""What a type is stored as, and a value for each of the rows."""

_CHANGES = (
    ("geometry", ("POINT", "CIRCLE", "POLYGON")),
    ("not offered", ("POINT", "CIRCLE", "POLYGON")),
    ("timestamp", ("TIMESTAMP",)),
    ("a time", ("TIMESTAMP",)),
    ("text", ("VARCHAR",)),
)
"""Words of an error of types, and the types that a column may have then."""


class Made:
    """The tables of one query, inferred by asking for its meaning until there is nothing left to add."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tables: dict[str, dict[str, str]] = {}
        self._tried: set[tuple[str, str, str]] = set()
        self._aliases: dict[str, str] = {}
        self._owners: dict[tuple[int, int], list[str]] = {}
        query = parse(text, functions=UDFS.arities)
        self._named: dict[str, list[str]] = {}
        self._renamed: dict[str, str] = {}
        self._look(query, [])
        for _ in range(_MOST_STEPS):
            error = self._error()
            if error is None:
                break
            if not self._mended(error):
                raise error
        else:
            raise AssertionError(f"tables for {text} are not to be found")
        for columns in self.tables.values():
            columns.setdefault("made_up", "DOUBLE") if not columns else None

    def catalogue(self, stored: dict[str, sa.Table]) -> Catalogue:
        """The tables as described."""
        return Catalogue(
            Table(
                *_parts(name),
                tuple(
                    Column(c, kind, unit=_UNITS.get(c))
                    for c, kind in (columns or {"made_up": "DOUBLE"}).items()
                ),
                partial(_of, stored[name]),
            )
            for name, columns in self.tables.items()
        )

    def _error(self) -> AdqlError | None:
        stored = self.stored(sa.MetaData(), count())
        try:
            translate(self.text, self.catalogue(stored), ANONYMOUS, SPEECHES["sqlite"], udfs=UDFS)
        except AdqlError as error:
            return error
        return None

    def stored(self, metadata: sa.MetaData, numbers: Any) -> dict[str, sa.Table]:
        """The tables as the database has them."""
        return {
            name: sa.Table(
                f"made_{next(numbers)}",
                metadata,
                *(sa.Column(c, _KINDS[kind][0]) for c, kind in (columns or {"made_up": "DOUBLE"}).items()),
            )
            for name, columns in self.tables.items()
        }

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Three rows for one of the tables."""
        kinds = self.tables[table] or {"made_up": "DOUBLE"}
        return [{c: _KINDS[kind][1][i] for c, kind in kinds.items()} for i in range(3)]

    def _look(self, node: Any, tables: list[str]) -> list[str]:
        """Note who may own each name; the tables that a node is made of."""
        if isinstance(node, tree.TableName):
            name = node.shown.lower()
            if name in self._named:
                return self._named[name]
            self._aliases[node.alias.text.lower() if node.alias else name] = name
            self._aliases.setdefault(name.rpartition(".")[2], name)
            return [name]
        if isinstance(node, tree.Join):
            found = self._look(node.left, tables) + self._look(node.right, tables)
            for shared in node.using:
                self._owners[shared.at] = [
                    self._look(node.left, tables)[0],
                    self._look(node.right, tables)[0],
                ]
            self._look(node.on, found)
            return found
        if isinstance(node, tree.Select):
            found = self._look(node.source, tables) or tables
            for part in (*node.items, node.where, *node.group, node.having):
                self._look(part, found)
            return found
        if isinstance(node, tree.Query):
            for each in node.named:
                self._named[each.name.text.lower()] = self._look(each.query, [])
            found = self._look(node.body, tables)
            for part in node.order:
                self._look(part, found)
            return found
        if isinstance(node, tree.Subquery) and node.alias is not None:
            found = self._look(node.query, tables)
            self._aliases[node.alias.text.lower()] = found[0]
            return found
        if isinstance(node, tree.Item) and node.alias is not None and isinstance(node.value, tree.ColumnName):
            self._renamed[node.value.parts[-1].text.lower()] = node.alias.text
        if isinstance(node, tree.ColumnName):
            self._owners.setdefault(node.at, tables[:1])
            return []
        return self._parts(node, tables)

    def _parts(self, node: Any, tables: list[str]) -> list[str]:
        if isinstance(node, tuple):
            return [name for part in node for name in self._look(part, tables)]
        if not is_dataclass(node):
            return []
        return [
            name for f in fields(node) if f.name != "at" for name in self._look(getattr(node, f.name), tables)
        ]

    def _mended(self, error: AdqlError) -> bool:
        message = str(error)
        named = re.search(r"unknown (table|column) '([^']*)'", message)
        if named is None:
            return self._retyped(message)
        name = named[2].lower()
        if named[1] == "table" and name not in self.tables and name in self._aliases.values():
            self.tables[name] = {}
            return True
        table, _, column = named[2].rpartition(".")
        owners = [self._aliases[table.lower()]] if table.lower() in self._aliases else []
        for owner in owners or self._owners.get((error.line, error.column), []):
            self.tables.setdefault(owner, {}).setdefault(column, "DOUBLE")
        return named[1] == "column"

    def _retyped(self, message: str) -> bool:
        """Give the column that an error speaks of another type."""
        if "in common" in message:
            for columns in self.tables.values():
                columns["shared"] = "DOUBLE"
            return True
        kinds = next((kinds for word, kinds in _CHANGES if word in message), ())
        for columns, column in [(c, n) for c in self.tables.values() for n in c]:
            for kind in kinds:
                called = (column, self._renamed.get(column, column))
                spoken_of = any(f"'{name}'" in message for name in called) or (
                    len(columns) == 1 and "not offered" in message
                )
                if spoken_of and (message, column, kind) not in self._tried and columns[column] != kind:
                    self._tried.add((message, column, kind))
                    columns[column] = kind
                    return True
        return False


_UNITS = {"ra": "deg", "pm_ra": "mas.yr**-1", "pm_dec": "mas.yr**-1"}


def _of(table: sa.Table, _caller: Caller) -> sa.FromClause:
    return table


def _parts(name: str) -> tuple[str, str]:
    schema, _, table = name.rpartition(".")
    return schema.rpartition(".")[2] or "made", table


def queries() -> list[tuple[str, bool]]:
    """Each query of the suite, and whether it is valid."""
    found = (q for path in sorted(CORPUS.glob("*.xml")) for q in ElementTree.parse(path).iter("adql"))
    return [(q.text or "", q.get("valid") == "true") for q in found]


def made_up() -> list[Made]:
    """The tables for each valid query that has a meaning on some."""
    texts = [text for text, valid in queries() if valid]
    return [Made(text) for text in texts if not any(re.search(part, text) for part in NO_MEANING)]
