"""Is a value one of many? Asked with one parameter, however many they are, where the database likes that.

A list of parameters is written into the statement one by one, by SQLAlchemy and again by the driver, and read one by
one by the database. To PostgreSQL we give a list as one value, which with a thousand texts takes half the time; SQLite
would then read the whole table.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from datamodel.dialect import FACTS


class _Among(sa.ColumnElement[bool]):
    """A column, and a JSON array of texts."""

    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement),
        ("texts", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, texts: sa.BindParameter[str]) -> None:
        self.column = column
        self.texts = texts


def among(connection: sa.Connection, column: Any, texts: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a column has one of some texts, in a statement for a connection.

    Parameters
    ----------
    connection
        What the statement is for.
    column
        Of texts.
    texts
        Any number of them.
    """
    if not FACTS[connection.dialect.name].takes_lists:
        found: sa.ColumnElement[bool] = column.in_(texts)
        return found
    return _Among(column, sa.bindparam(None, json.dumps(list(texts)), sa.String, unique=True))


@compiles(_Among, "postgresql")
def _of_postgresql(element: _Among, compiler: SQLCompiler, **given: Any) -> str:
    column, texts = (compiler.process(each, **given) for each in (element.column, element.texts))
    return f"{column} = ANY (ARRAY(SELECT json_array_elements_text({texts})))"
