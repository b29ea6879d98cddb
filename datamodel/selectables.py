"""How is a statement of SQLAlchemy that queries select from written as text, with all its values?"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from datamodel import sql
from datamodel.columns import Table
from datamodel.context import Caller
from datamodel.speech import Speech

_DIALECTS: dict[str, sa.engine.Dialect] = {
    "sqlite": SQLiteDialect(),
    "postgresql": PGDialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}
"""Without a driver, and with parameters that no percent sign begins: so these stay single in texts."""


@dataclass(frozen=True)
class Written:
    """What a query selects from to see the rows of a table.

    Attributes
    ----------
    text
        Stands in FROM, without an alias.
    labels
        What the described columns are called there.
    stored
        Whether it is a table of the database, from which all rows can be read as they are.
    searched
        The table and column that an index on positions can be searched in without looking at who may see what.
    """

    text: str
    labels: tuple[str, ...]
    stored: bool = False
    searched: tuple[str, str] | None = None


def written(table: Table, caller: Caller, speech: Speech) -> Written:
    """A table as text, narrowed to what a caller may see."""
    clause = table.selectable(caller)
    labels = tuple(clause.c[c.name].name for c in table.columns)
    searched = _searched(clause, table)
    if isinstance(clause, sa.Table):
        return Written(sql.name(clause.name), labels, True, searched)
    select = clause.element if isinstance(clause, sa.Subquery) else sa.select(clause)
    return Written(f"({statement(select, speech)})", labels, False, searched)


def _searched(clause: sa.FromClause, table: Table) -> tuple[str, str] | None:
    if table.point is None:
        return None
    stored = [b for b in clause.c[table.point.hpx29].base_columns if isinstance(b.table, sa.Table)]
    return (sql.name(stored[0].table.name), stored[0].name) if len(stored) == 1 else None


def statement(select: sa.ClauseElement, speech: Speech) -> str:
    """A statement with its values in the text; values are ours, not a user's."""
    compiled = select.compile(dialect=_DIALECTS[speech.name], compile_kwargs={"literal_binds": True})
    return str(compiled)
