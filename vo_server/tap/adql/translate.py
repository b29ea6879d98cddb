"""An ADQL query becomes a SELECT statement over described columns."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.columns import Column
from datamodel.context import Caller
from vo_server.tap.adql import bounds
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.lexer import MAX_LENGTH
from vo_server.tap.adql.parser import parse
from vo_server.tap.adql.statements import Statements


@dataclass(frozen=True)
class Translated:
    """A query ready to be run.

    Attributes
    ----------
    select
        The statement; whatever the text held is in it as bind parameters only.
    columns
        Describes the columns of `select`, in order; names are unique and `type`, `unit` and `ucd` are those
        of the expressions.
    top
        The query's own limit of rows, or None. It is part of `select`.
    """

    select: sa.Select[Any] | sa.CompoundSelect[Any]
    columns: tuple[Column, ...]
    top: int | None


def translate(text: str, catalogue: Catalogue, caller: Caller, max_length: int = MAX_LENGTH) -> Translated:
    """Translate a query of ADQL 2.1.

    Parameters
    ----------
    text
        The query.
    catalogue
        The tables it may name.
    caller
        Every table shows only the rows that this caller may see.
    max_length
        Most characters.

    Raises
    ------
    AdqlError
        The text is no query, or has no meaning; says where.
    """
    query = parse(text, max_length)
    answer = Statements(catalogue, caller).top(query)
    if query.depth > bounds.SHALLOW:
        bounds.check(answer.select, query.at)
    return Translated(answer.select, answer.columns, answer.top)
