"""What does a FROM clause give: which tables, joined how, with which columns?"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from datamodel import sql
from datamodel.columns import Table
from datamodel.context import Caller
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import full_joins, tree
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.comparisons import pair
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.resolver import Resolver
from vo_server.tap.adql.scope import Relation, Scope, Source
from vo_server.tap.adql.types import common_type
from vo_server.tap.adql.udf import Udfs
from vo_server.tap.adql.values import Value

if TYPE_CHECKING:
    from vo_server.tap.adql.statements import Answer

MAX_TABLES = 50
"""Most tables in one FROM; SQLite has room for 64, and a table may be a view of several."""


class Relations:
    """Gives meaning to FROM clauses.

    Parameters
    ----------
    catalogue
        The tables there are.
    caller
        Whose rows they show.
    speech
        How the database writes what SQL leaves open.
    udfs
        The functions that are no part of ADQL.
    named
        The queries of WITH by name, each with what it is called in the SQL.
    numbers
        For the names that the SQL gives to tables.
    answer
        Gives meaning to a query, inside a scope.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        caller: Caller,
        speech: Speech,
        udfs: Udfs,
        named: "list[tuple[tree.Name, Answer, str]]",
        numbers: Iterator[int],
        answer: "Callable[[tree.Query, Scope | None], Answer]",
    ) -> None:
        self.catalogue = catalogue
        self.caller = caller
        self.speech = speech
        self.udfs = udfs
        self.used: dict[str, Table] = {}
        self.named = named
        self.numbers = numbers
        self.answer = answer

    def relation(self, node: tree.Node, parent: Scope | None) -> Relation:
        """The meaning of a FROM clause.

        Raises
        ------
        AdqlError
            An unknown table, a name used twice, or a join condition without meaning.
        """
        return self._METHODS[type(node)](self, node, parent)

    def _table(self, node: tree.TableName, parent: Scope | None) -> Relation:
        alias = f"t{next(self.numbers)}"
        if len(node.parts) == 1:
            for name, answer, cte in self.named:
                if node.parts[0].matches(name.text):
                    names = (node.alias or node.parts[0]).text
                    return _single(answer.source(names, alias), cte)
        table = self.catalogue.find(node)
        names_of = (node.alias.text,) if node.alias else (table.schema, table.name)
        self.used[table.full_name] = table
        written = self.catalogue.written(table, self.caller, self.speech)
        return _single(
            Source(names_of, table.columns, written.labels, alias, table, written.text, written.searched),
            written.text,
        )

    def _subquery(self, node: tree.Subquery, parent: Scope | None) -> Relation:
        answer = self.answer(node.query, None)
        assert node.alias is not None
        alias = f"t{next(self.numbers)}"
        return _single(answer.source(node.alias.text, alias), f"({answer.text})")

    def _join(self, node: tree.Join, parent: Scope | None) -> Relation:
        left = self.relation(node.left, parent)
        right = self.relation(node.right, parent)
        sources = left.sources + right.sources
        _check_names(node.at, sources)
        reaches_out = left.reaches_out or right.reaches_out
        if node.kind == "CROSS":
            text = f"{left.text} CROSS JOIN {_operand(right)}"
            return Relation(text, sources, left.visible + right.visible, reaches_out)
        shared = _shared(node, left, right)
        if node.on is None:
            return self._merged(node, left, right, shared)
        first = {"LEFT": left, "FULL": left, "RIGHT": right}.get(node.kind)
        scope = Scope(Relation("", sources, left.visible + right.visible), parent)
        on = self._condition(node.on, scope, first)
        if node.kind == "FULL" and not full_joins.understood(on, left, right, self.speech):
            back = self._condition(node.on, scope, right) if on.plain else on
            left, right, text = full_joins.rewritten(left, right, (on.sql, back.sql), self.numbers)
        else:
            text = _joined(node.kind, left, right, on.sql)
        reaches_out = reaches_out or scope.reaches_out
        return Relation(text, left.sources + right.sources, left.visible + right.visible, reaches_out)

    def _condition(self, node: tree.Node, scope: Scope, first: Relation | None) -> Value:
        """What ON says; `first` is the side whose rows are all there, for each of which the other is searched."""
        scope.given = frozenset(s.alias for s in first.sources) if first else frozenset()
        return Resolver(scope, self.answer, self.speech, self.udfs, "ON").value(node)

    def _merged(
        self, node: tree.Join, left: Relation, right: Relation, shared: list[tuple[Value, Value]]
    ) -> Relation:
        """A join whose shared columns appear once, first, in ``*`` (ADQL 2.1 section 2.2.2)."""
        pairs = [pair(a.at, a, b, self.speech) for a, b in shared]
        on = sql.all_of(*[a.sql.equals(b.sql) for a, b in pairs])
        text = ""
        if node.kind == "FULL" and self.speech.full_join == "none":
            left, right, text = full_joins.rewritten(left, right, (on, on), self.numbers)
            shared = _shared(node, left, right)
        gone = {v.key for both in shared for v in both}
        rest = [v for v in left.visible + right.visible if v.key not in gone]
        once = [_one(node.kind, a, b) for a, b in shared]
        text = text or _joined(node.kind, left, right, on)
        reaches_out = left.reaches_out or right.reaches_out
        return Relation(text, left.sources + right.sources, once + rest, reaches_out)

    _METHODS: ClassVar[dict[type[tree.Node], Callable[..., Relation]]] = {
        tree.TableName: _table,
        tree.Subquery: _subquery,
        tree.Join: _join,
    }


def _single(source: Source, written: str) -> Relation:
    return Relation(f"{written} AS {source.alias}", [source], source.values)


def _operand(right: Relation) -> str:
    """What stands right of JOIN; joins group from the left."""
    return right.text if len({s.alias for s in right.sources}) == 1 else f"({right.text})"


def _check_names(at: Position, sources: list[Source]) -> None:
    if len(sources) > MAX_TABLES:
        raise AdqlError(at, f"more than {MAX_TABLES} tables in one FROM")
    seen: set[tuple[str, ...]] = set()
    for source in sources:
        names = tuple(n.lower() for n in source.names)
        if names in seen:
            raise AdqlError(
                at, f"two tables are called '{'.'.join(source.names)}'; give one another name with AS"
            )
        seen.add(names)


_JOINS = {"INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "LEFT JOIN", "FULL": "FULL JOIN"}


def _joined(kind: str, left: Relation, right: Relation, on: Sql) -> str:
    if kind == "RIGHT":
        left, right = right, left
    return f"{left.text} {_JOINS[kind]} {_operand(right)} ON {on.text}"


def _shared(node: tree.Join, left: Relation, right: Relation) -> list[tuple[Value, Value]]:
    """The pairs of columns that USING names, or that have the same name in a natural join."""
    if node.using:
        return [(_only(n, left), _only(n, right)) for n in node.using]
    if not node.natural:
        return []
    known = {v.column.name.lower() for v in right.visible}
    names = dict.fromkeys(v.column.name for v in left.visible if v.column.name.lower() in known)
    wanted = [tree.Name(node.at, name) for name in names]
    if not wanted:
        raise AdqlError(node.at, "the tables of this NATURAL JOIN have no column name in common")
    return [(_only(n, left), _only(n, right)) for n in wanted]


def _only(name: tree.Name, side: Relation) -> Value:
    return Scope(side).column(tree.ColumnName(name.at, (name,)))


def _one(kind: str, left: Value, right: Value) -> Value:
    """The value of a shared column: of the side that has it; of either in a full join."""
    if kind == "RIGHT":
        return right
    if kind != "FULL":
        return left
    column = replace(left.column, type=common_type([left, right], "USING"))
    made = sql.call("coalesce", left.sql, right.sql)
    return left.but(written=made, column=column, key=("USING", left.key, right.key), origin=None)
