"""Tables of rows that are not objects (sources, observations): from described columns to SQL."""

from typing import Any

import sqlalchemy as sa

from datamodel.columns import Column
from datamodel.schema import metadata


def sql_table(name: str, columns: tuple[Column, ...], *extra: Any, key: tuple[str, ...] = ()) -> sa.Table:
    """The SQL table of described columns.

    Parameters
    ----------
    name
        SQL name.
    columns
        Each with its datatype; ``indexed`` ones get an index.
    *extra
        Further SQLAlchemy columns and constraints that nobody is told of.
    key
        Names of the primary key's columns.
    """
    made = [
        sa.Column(c.name, c.datatype.sql(), primary_key=c.name in key, index=c.indexed and c.name not in key)
        for c in columns
    ]
    return sa.Table(name, metadata, *made, *extra)
