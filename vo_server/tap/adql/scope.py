"""Which column does a name mean at this place of a query?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from datamodel import sql
from datamodel.columns import Column, Table
from datamodel.errors import nearest
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.tree import ColumnName, Name, Star
from vo_server.tap.adql.values import Value

_NOWHERE = Position(0, 0)


@dataclass(frozen=True, eq=False)
class Source:
    """A table of a FROM clause.

    Attributes
    ----------
    names
        ``(schema, table)``, or just the alias.
    columns
        As described, in order.
    labels
        What each column is called in the SQL.
    alias
        The name of the whole there.
    table
        The table of the catalogue, unless this is a query.
    text
        What to select from to see that table's rows once more.
    searched
        What to search by position instead, and the column there.
    searchable
        Whether its rows may be found through an index by those of another table; no where they are there first.
    weights
        If this is a query, the `Value.weight` of each column there: a database may write it out again here.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    alias: str
    table: Table | None = None
    text: str = ""
    searched: tuple[str, str] | None = None
    searchable: bool = True
    weights: tuple[int, ...] = ()

    def is_called(self, parts: Iterable[Name]) -> bool:
        """Whether ``schema.table`` or ``table`` names this."""
        written = tuple(parts)[-len(self.names) :] if len(self.names) > 1 else tuple(parts)
        known = self.names[-len(written) :]
        return len(known) == len(written) and all(w.matches(k) for w, k in zip(written, known, strict=True))

    def column(self, label: str) -> Sql:
        """A column of the SQL, also one that nobody is told of."""
        return sql.column(self.alias, label)

    def value(self, index: int) -> Value:
        """One of the columns."""
        column = self.columns[index]
        return Value(
            _NOWHERE,
            sql.column(self.alias, self.labels[index]),
            column,
            ("column", self.alias, index, column.name),
            loose=frozenset((f"{self.names[-1]}.{column.name}",)),
            aliases=self.own,
            weight=self.weights[index] if self.weights else 1,
            origin=(self, column.name),
        )

    @cached_property
    def own(self) -> frozenset[str]:
        """The alias alone."""
        return frozenset((self.alias,))

    @cached_property
    def given(self) -> "Source":
        """The same where its rows are there first."""
        return replace(self, searchable=False)

    @cached_property
    def values(self) -> list[Value]:
        """All the columns."""
        return [self.value(i) for i in range(len(self.columns))]

    @cached_property
    def by_name(self) -> dict[str, list[Value]]:
        """The columns by their names in lower case."""
        return _by_name(self.values)


@dataclass
class Relation:
    """What FROM gives: the SQL, the tables by name, and the columns of ``*``; does it need a query around it?"""

    text: str
    sources: list[Source]
    visible: list[Value]
    reaches_out: bool = False

    @cached_property
    def by_name(self) -> dict[str, list[Value]]:
        """The columns of ``*`` by their names in lower case."""
        return _by_name(self.visible)


def _by_name(values: list[Value]) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for value in values:
        found.setdefault(value.column.name.lower(), []).append(value)
    return found


@dataclass
class Scope:
    """The names that can be used at one place.

    Attributes
    ----------
    relation
        The query's own tables.
    parent
        The scope of the query around this one.
    grouped
        Keys of the GROUP BY expressions.
    reaches_out
        Whether a column of a query around this one has been asked for.
    given
        Aliases of own tables whose rows are there first, as are always those of the queries around.
    """

    relation: Relation
    parent: "Scope | None" = None
    grouped: set[Any] = field(default_factory=set)
    reaches_out: bool = False
    given: frozenset[str] = frozenset()

    def column(self, name: ColumnName) -> Value:
        """What a column name means, here or in a query around this one.

        Raises
        ------
        AdqlError
            Nothing or several things have that name.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._matching(name)
            if len(found) == 1:
                value = found[0]
                loose = value.loose if scope is self else frozenset()
                return value.but(at=name.at, loose=loose, origin=self._origin(value, outer=scope is not self))
            if found:
                tables = ", ".join(sorted(t for v in found for t in v.loose))
                raise AdqlError(name.at, f"ambiguous column '{name.shown}'; there are {tables}")
            scope.reaches_out = scope.parent is not None
            scope = scope.parent
        raise self._unknown(name)

    def _origin(self, value: Value, *, outer: bool) -> tuple[Source, str] | None:
        if value.origin is None:
            return None
        source, name = value.origin
        return (source.given if outer or source.alias in self.given else source), name

    def _around(self) -> Iterator["Scope"]:
        """Itself and the scopes of the queries around, outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def _matching(self, name: ColumnName) -> list[Value]:
        *table, column = name.parts
        if not table:
            near = self.relation.by_name.get(column.text.lower(), [])
        else:
            sources = (s for s in self.relation.sources if s.is_called(table))
            near = [v for s in sources for v in s.by_name.get(column.text.lower(), [])]
        return [v for v in near if column.matches(v.column.name)]

    def _unknown(self, name: ColumnName) -> AdqlError:
        *table, column = name.parts
        sources = self.relation.sources
        if table:
            named = [s for scope in self._around() for s in scope.relation.sources if s.is_called(table)][:1]
            shown = ".".join(p.text for p in table)
            if not named:
                near = nearest(shown, (".".join(s.names) for s in sources))
                return AdqlError(name.at, f"unknown table '{shown}' in '{name.shown}'{near}")
            sources = named
        near = nearest(column.text, (c.name for s in sources for c in s.columns))
        return AdqlError(name.at, f"unknown column '{name.shown}'{near}")

    def star(self, star: Star) -> list[Value]:
        """The columns of ``*`` or ``table.*``."""
        if not star.parts:
            return self.relation.visible
        named = [s for s in self.relation.sources if s.is_called(star.parts)]
        if len(named) == 1:
            return named[0].values
        shown = ".".join(p.text for p in star.parts)
        near = nearest(shown, (s.names[-1] for s in self.relation.sources))
        raise AdqlError(star.at, f"{'ambiguous' if named else 'unknown'} table '{shown}'{near}")
