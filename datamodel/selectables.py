"""How is a statement of SQLAlchemy that queries select from written as text, with all its values?"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from datamodel import sql
from datamodel.speech import Speech

_DIALECTS: dict[str, sa.engine.Dialect] = {"sqlite": SQLiteDialect(), "postgresql": PGDialect()}  # type: ignore[no-untyped-call]
"""As they come, without a driver: percent signs stay single."""


def written(clause: sa.FromClause, speech: Speech) -> str:
    """What stands in FROM for a table or a subquery, without an alias."""
    if isinstance(clause, sa.Table):
        return sql.name(clause.name)
    select = clause.element if isinstance(clause, sa.Subquery) else sa.select(clause)
    return f"({statement(select, speech)})"


def statement(select: sa.ClauseElement, speech: Speech) -> str:
    """A statement with its values in the text; values are ours, not a user's."""
    compiled = select.compile(dialect=_DIALECTS[speech.name], compile_kwargs={"literal_binds": True})
    return str(compiled)
