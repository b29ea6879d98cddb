"""What is one catalogue, brought or a user's own, and in which SQL tables are its rows?"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from datamodel.clock import new_object_id
from datamodel.columns import Column, PointIndex, RegionIndex, Table
from datamodel.context import WORLD, Caller, may_see
from datamodel.errors import NotFoundError
from datamodel.regions import region_tables

ROW = "_row"
"""The column that nobody is told of, which the index of regions refers to."""

OWN = ("id", "creator", "project", "privileges", "made")
"""What of a catalogue has columns of its own where it is kept."""


@dataclass(frozen=True)
class Entry:
    """One catalogue.

    Attributes
    ----------
    schema, table
        The two parts of its name, lower case.
    id
        Unlike that of any other catalogue, replaced ones too.
    columns
        In their order; that of `point` at the end.
    rows
        How many there are.
    point
        The position and the index of the sky, if it has positions; the rows lie in the order of the index.
    placed
        How many rows have a place in the sky.
    region
        The name of the column whose regions are indexed, if there is one.
    outlined
        How many rows have a region of the sky there.
    description, schema_description
        For people.
    origin
        See `Table.origin`.
    statistics
        By column: ``least``, ``greatest`` and ``nulls``.
    coverage
        The part of the sky with rows in it, as ASCII MOC; empty where there are no positions.
    source
        Name of the file it came in.
    creator, project, privileges
        Who may see it: see `datamodel.context.visible`.
    made
        When it was added or replaced last, naive UTC.
    bytes
        What the values of its rows take in columns of Arrow: the same on every database.
    """

    schema: str
    table: str
    columns: tuple[Column, ...]
    rows: int = 0
    point: PointIndex | None = None
    placed: int = 0
    region: str | None = None
    outlined: int = 0
    description: str = ""
    schema_description: str = ""
    origin: tuple[tuple[str, str], ...] = ()
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    coverage: str = ""
    source: str = ""
    creator: str = ""
    project: str = ""
    privileges: int = WORLD
    made: datetime = datetime(1, 1, 1)
    bytes: int = 0
    id: str = field(default_factory=new_object_id)

    @property
    def name(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.table}"

    @cached_property
    def sql(self) -> sa.Table:
        """The table that its rows are in."""
        columns = [sa.Column(c.name, c.datatype.sql()) for c in self.columns]
        if self.region is not None:
            columns.append(sa.Column(ROW, sa.String(20)))
        return sa.Table(sql_name(self.id), sa.MetaData(), *columns)

    @cached_property
    def told_bytes(self) -> int:
        """What is kept of the catalogue besides its rows takes so many bytes."""
        return len(told_of(self))

    @cached_property
    def region_tables(self) -> tuple[sa.Table, sa.Table]:
        """The tables of the cells and edges of its regions."""
        return region_tables(sql_name(self.id), sa.MetaData())

    @cached_property
    def described(self) -> Table:
        """The table as the VO sees it."""
        return Table(
            self.schema,
            self.table,
            self.columns,
            partial(_rows_of, self),
            description=self.description,
            point=self.point,
            region=RegionIndex(self.region, ROW, self.region_tables[0]) if self.region else None,
            origin=self.origin,
            rows=self.rows,
        )

    def seen_by(self, caller: Caller) -> bool:
        """Whether a caller may know of it."""
        return may_see(caller, creator=self.creator, project=self.project, privileges=self.privileges)


def _rows_of(catalogue: Entry, caller: Caller) -> sa.FromClause:
    """All of the rows, or none at all; a public catalogue pays nothing for that."""
    if not catalogue.seen_by(caller):
        raise NotFoundError(f"there is no table '{catalogue.name}'")
    return catalogue.sql


def sql_name(id: str) -> str:
    """The SQL table with the rows of a catalogue."""
    return f"catalogue_{id.replace('-', '')}"


def sql_names(id: str) -> tuple[str, ...]:
    """The SQL tables that a catalogue has, or may have."""
    return sql_name(id), *(table.name for table in region_tables(sql_name(id), sa.MetaData()))


def told_of(catalogue: Entry) -> str:
    """What is kept of a catalogue besides its rows, in ASCII."""
    return json.dumps({name: told for name, told in asdict(catalogue).items() if name not in OWN})
