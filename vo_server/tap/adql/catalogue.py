"""Which table does a name in a query mean?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from datamodel.columns import Table
from datamodel.context import Caller
from datamodel.errors import nearest
from datamodel.selectables import Written, written
from datamodel.speech import Speech
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.tree import Name, TableName

_MOST_WRITTEN = 2000


class Catalogue:
    """The tables that can be queried.

    Parameters
    ----------
    tables
        Their full names must differ in more than case.
    aliases
        What else some of their schemas may be called.
    """

    def __init__(self, tables: Iterable[Table], aliases: Mapping[str, str] | None = None) -> None:
        self._aliases = aliases or {}
        self._by_name: dict[str, list[Table]] = {}
        self._full: dict[str, Table] = {}
        self._written: dict[tuple[str, Caller, str], Written] = {}
        for table in tables:
            self._full[table.full_name.lower()] = table
            self._by_name.setdefault(table.name.lower(), []).append(table)

    def with_tables(self, tables: Sequence[Table]) -> "Catalogue":
        """These tables and others, such as those that came with one query; the others win."""
        made = Catalogue([*self._full.values(), *tables], self._aliases)
        own = {table.full_name for table in tables}
        made._written = {key: text for key, text in self._written.items() if key[0] not in own}
        return made

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them."""
        return tuple(self._full.values())

    @property
    def names(self) -> list[str]:
        """All full names."""
        return [t.full_name for t in self._full.values()]

    def written(self, table: Table, caller: Caller, speech: Speech) -> Written:
        """What a query selects from to see the rows of a table that `caller` may see."""
        key = (table.full_name, caller, speech.name)
        found = self._written.get(key)
        if found is None:
            if len(self._written) > _MOST_WRITTEN:
                self._written.clear()
            found = self._written[key] = written(table, caller, speech)
        return found

    def find(self, name: TableName) -> Table:
        """The table that is meant: ``schema.table``, or ``table`` where only one schema has it.

        Raises
        ------
        AdqlError
            No table or several tables have that name.
        """
        *schema, last = name.parts[-2:]
        known = self._by_name.get(last.text.lower(), [])
        found = [t for t in known if _matches(schema, last, t)] or [
            renamed for t in known if (renamed := self._renamed(t)) and _matches(schema, last, renamed)
        ]
        if len(found) == 1:
            return found[0]
        if not found:
            near = nearest(name.shown, self.names)
            raise AdqlError(name.at, f"unknown table '{name.shown}'{near}")
        schemas = ", ".join(t.full_name for t in found)
        raise AdqlError(name.at, f"ambiguous table '{name.shown}'; there are {schemas}")

    def _renamed(self, table: Table) -> Table | None:
        """The table with what else its schema may be called."""
        alias = self._aliases.get(table.schema)
        return replace(table, schema=alias) if alias is not None else None


def _matches(schema: list[Name], name: Name, table: Table) -> bool:
    return name.matches(table.name) and all(s.matches(table.schema) for s in schema)
