"""An ADQL query becomes the text of a SELECT over described columns."""

from dataclasses import dataclass

from datamodel.columns import Column, Table
from datamodel.context import Caller
from datamodel.speech import Speech
from vo_server.tap.adql import bounds
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.lexer import MAX_LENGTH
from vo_server.tap.adql.parser import parse
from vo_server.tap.adql.statements import Statements
from vo_server.tap.adql.tree import ColumnName, Item, Query, Select, Star, TableName
from vo_server.tap.adql.udf import Udfs
from vo_server.tap.adql.udf_catalogue import OFFERED


@dataclass(frozen=True)
class Translated:
    """A query ready to be run.

    Attributes
    ----------
    text
        The SQL; whatever the query held is in it as names of columns and as literals that were written anew.
    columns
        Describes its columns, in order; names are unique and `type`, `unit` and `ucd` are those
        of the expressions.
    top
        The query's own limit of rows, or None. It is part of `text`.
    tables
        What it reads, each once.
    scan
        Whether it gives columns of one table as they are, of all its rows and in no order.
    """

    text: str
    columns: tuple[Column, ...]
    top: int | None
    tables: tuple[Table, ...]
    scan: bool = False


def translate(
    text: str,
    catalogue: Catalogue,
    caller: Caller,
    speech: Speech,
    *,
    most: int | None = None,
    max_length: int = MAX_LENGTH,
    udfs: Udfs = OFFERED,
) -> Translated:
    """Translate a query of ADQL 2.1.

    Parameters
    ----------
    text
        The query.
    catalogue
        The tables it may name.
    caller
        Every table shows only the rows that this caller may see.
    speech
        Of the database that will run it.
    most
        Rows that the SQL gives at the most, whatever the query says; None for no bound.
    max_length
        Most characters.
    udfs
        The functions that are no part of ADQL.

    Raises
    ------
    AdqlError
        The text is no query, or has no meaning; says where.
    """
    query = parse(text, max_length, udfs.arities)
    statements = Statements(catalogue, caller, speech, udfs)
    answer = statements.top(query, most)
    if query.depth > bounds.SHALLOW:
        bounds.check(answer.text, query.at, speech.stack)
    tables = tuple(statements.relations.used.values())
    scan = _is_scan(query) and all(catalogue.written(t, caller, speech).stored for t in tables)
    return Translated(answer.text, answer.columns, answer.top, tables, scan)


def _is_scan(query: Query) -> bool:
    select = query.body
    if query.named or query.order or query.offset is not None or not isinstance(select, Select):
        return False
    narrowed = select.where or select.group or select.having or select.distinct or select.top is not None
    plain = all(isinstance(i.value if isinstance(i, Item) else i, Star | ColumnName) for i in select.items)
    return not narrowed and plain and isinstance(select.source, TableName)
