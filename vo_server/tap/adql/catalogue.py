"""Which table does a name in a query mean?"""

from collections.abc import Iterable

from datamodel.columns import Table
from datamodel.errors import nearest
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.tree import Name, TableName


class Catalogue:
    """The tables that can be queried.

    Parameters
    ----------
    tables
        Their full names must differ in more than case.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        self._by_name: dict[str, list[Table]] = {}
        self._full: dict[str, Table] = {}
        for table in tables:
            self._full[table.full_name.lower()] = table
            self._by_name.setdefault(table.name.lower(), []).append(table)

    @property
    def names(self) -> list[str]:
        """All full names."""
        return [t.full_name for t in self._full.values()]

    def find(self, written: TableName) -> Table:
        """The table that is meant: ``schema.table``, or ``table`` where only one schema has it.

        Raises
        ------
        AdqlError
            No table or several tables have that name.
        """
        *schema, name = written.parts[-2:]
        found = [t for t in self._by_name.get(name.text.lower(), []) if _matches(schema, name, t)]
        if len(found) == 1:
            return found[0]
        if not found:
            near = nearest(written.shown, self.names)
            raise AdqlError(written.at, f"unknown table '{written.shown}'{near}")
        schemas = ", ".join(t.full_name for t in found)
        raise AdqlError(written.at, f"ambiguous table '{written.shown}'; there are {schemas}")


def _matches(schema: list[Name], name: Name, table: Table) -> bool:
    return name.matches(table.name) and all(s.matches(table.schema) for s in schema)
