"""Columns and tables as the VO is told of them; everything that describes a column derives from here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa

from datamodel.datatypes import DATATYPES, Datatype, Extent, extent

if TYPE_CHECKING:
    from datamodel.context import Caller


@dataclass(frozen=True)
class Column:
    """One column, declared once.

    Attributes
    ----------
    name
        As in SQL, ADQL and VOTable; lower case.
    type
        Key in `datamodel.datatypes.DATATYPES`.
    unit
        VOUnit string, or None for a quantity without one.
    ucd, utype
        UCD1+ and utype, or None.
    description
        One sentence for people.
    arraysize
        Overrides the datatype's, e.g. ``36`` for an object identifier; ``""`` says that there is none.
    principal, indexed, std
        TAP_SCHEMA's three flags.
    xtype
        Overrides the datatype's, e.g. ``interval`` for two doubles; ``""`` says that there is none.
    null
        What stands for a missing element of an array of whole numbers in VOTable (VALUES null), or None. No
        mask of BINARY2 and no empty cell tells of elements, only of whole values.
    """

    name: str
    type: str
    unit: str | None = None
    ucd: str | None = None
    description: str = ""
    utype: str | None = None
    arraysize: str | None = None
    principal: bool = False
    indexed: bool = False
    std: bool = False
    xtype: str | None = None
    null: int | None = None

    @property
    def datatype(self) -> Datatype:
        """All the names of this column's datatype."""
        return DATATYPES[self.type]

    @property
    def votable_arraysize(self) -> str | None:
        """The arraysize attribute of the FIELD; None for a scalar."""
        return (self.datatype.arraysize if self.arraysize is None else self.arraysize) or None

    @property
    def votable_xtype(self) -> str | None:
        """The xtype attribute of the FIELD."""
        return (self.datatype.xtype if self.xtype is None else self.xtype) or None

    @property
    def extent(self) -> Extent:
        """How many elements, or characters, a value has."""
        return extent(self.votable_arraysize)

    def named(self, name: str) -> "Column":
        """The same column under another name."""
        return replace(self, name=name)


@dataclass(frozen=True)
class ForeignKey:
    """A declared join path: ``columns`` of this table equal ``target_columns`` of ``target_table``."""

    target_table: str
    columns: tuple[tuple[str, str], ...]
    description: str = ""


@dataclass(frozen=True)
class PointIndex:
    """The columns that hold a position in degrees (ICRS) and its order-29 NESTED HEALPix number."""

    ra: str
    dec: str
    hpx29: str = "hpx29"


@dataclass(frozen=True)
class RegionIndex:
    """A region column, and the side table of cover ranges that indexes it.

    Attributes
    ----------
    region
        The name of the column that holds the region.
    row
        The name of the table's column that the cover table's ``row`` refers to.
    cover
        The SQLAlchemy table ``(lo, hi, row)``; both ends inclusive, order-29 NESTED pixels; made together with
        `edges` by `datamodel.regions.region_tables`.
    """

    region: str
    row: str
    cover: sa.Table

    @property
    def edges(self) -> sa.Table:
        """The table of the regions' edges, for the exact tests."""
        edges: sa.Table = self.cover.info["edges"]
        return edges


@dataclass(frozen=True)
class Table:
    """A table or view that can be queried, with what the VO is told of it.

    Attributes
    ----------
    schema, name
        ``archive`` and ``bias_frame`` in ``archive.bias_frame``.
    selectable
        Gives the rows that a caller may see, as something one can select from; its ``c`` has the column names.
    point, region
        The spatial indices, where there are any.
    origin
        Where the rows come from: name and value of each item of the note on data origin (DataOrigin 1.1
        section 5.2), such as ``creator``, ``citation``, ``rights_uri``; a name may come several times.
    rows
        About how many there are, where that is known; a crossmatch searches the larger table.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    selectable: Callable[["Caller"], sa.FromClause]
    description: str = ""
    utype: str | None = None
    kind: str = "table"
    keys: tuple[ForeignKey, ...] = ()
    point: PointIndex | None = None
    region: RegionIndex | None = None
    origin: tuple[tuple[str, str], ...] = ()
    rows: int | None = None

    @property
    def full_name(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"


@dataclass
class Rows:
    """An answer on its way: described columns, and batches of them.

    Attributes
    ----------
    columns
        In the order of the batches' columns; a batch's column type is ``column.datatype.arrow``.
    batches
        Arrow record batches; geometry is a list of doubles, a timestamp DALI text, NULL is NULL.
    overflow
        True once `batches` is exhausted and rows were cut off by the limit.
    close
        Releases the database; called when the batches are exhausted, or by a reader who stops before.
    tables
        The described tables that the rows were taken from, as far as known.
    complete
        Whether all rows are in memory already, and the database is released.
    """

    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]
    overflow: bool = False
    close: Callable[[], None] = field(default=lambda: None)
    tables: tuple[Table, ...] = ()
    complete: bool = False
