"""``archive.sources``: every source extracted from a frame, one row each, with its place in the sky index."""

from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from datamodel.columns import Column, ForeignKey, PointIndex, Table
from datamodel.context import Caller, visible
from datamodel.dialect import insert_absent
from datamodel.objects import DBObject
from datamodel.plain_tables import sql_table
from datamodel.schema import metadata, table_of

COLUMNS = (
    Column(
        "slid", "BIGINT", ucd="meta.id;meta.dataset", description="Number of the source list", principal=True
    ),
    Column(
        "sid",
        "INTEGER",
        ucd="meta.id;meta.main",
        description="Number of the source in its list",
        principal=True,
    ),
    Column("ra", "DOUBLE", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS", principal=True),
    Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main", "Declination, ICRS", principal=True),
    Column("x", "DOUBLE", "pixel", "pos.cartesian.x;instr.det", "Column in the frame, 1 is the first"),
    Column("y", "DOUBLE", "pixel", "pos.cartesian.y;instr.det", "Row in the frame, 1 is the first"),
    Column("flux_aper", "DOUBLE", "adu", "phot.count", "Flux in the circular aperture"),
    Column("fluxerr_aper", "DOUBLE", "adu", "stat.error;phot.count", "Error of the aperture flux"),
    Column(
        "mag_aper",
        "REAL",
        "mag",
        "phot.mag;instr.det",
        "Instrumental magnitude in the aperture",
        principal=True,
    ),
    Column("magerr_aper", "REAL", "mag", "stat.error;phot.mag", "Error of the aperture magnitude"),
    Column("flux_auto", "DOUBLE", "adu", "phot.count", "Flux in the Kron aperture"),
    Column("fluxerr_auto", "DOUBLE", "adu", "stat.error;phot.count", "Error of the Kron flux"),
    Column("mag_auto", "REAL", "mag", "phot.mag;instr.det", "Instrumental magnitude in the Kron aperture"),
    Column("magerr_auto", "REAL", "mag", "stat.error;phot.mag", "Error of the Kron magnitude"),
    Column("peak", "REAL", "adu", "phot.count;stat.max", "Brightest pixel above the background"),
    Column("background", "REAL", "adu", "instr.background", "Background at the source"),
    Column("threshold", "REAL", "adu", "instr.det.noise", "Detection threshold at the source"),
    Column("fwhm", "REAL", "pixel", "phys.angSize;src", "Diameter that holds half of the flux"),
    Column("ellipticity", "REAL", None, "src.ellipticity", "1 - b/a"),
    Column("a_image", "REAL", "pixel", "phys.angSize.smajAxis", "Extent along the major axis (rms)"),
    Column("b_image", "REAL", "pixel", "phys.angSize.sminAxis", "Extent along the minor axis (rms)"),
    Column("theta_image", "REAL", "deg", "pos.posAng", "Angle of the major axis, from x to y"),
    Column("flags", "INTEGER", None, "meta.code.qual", "Bits of problems; 0 for none, 256 saturated"),
    Column("npix", "INTEGER", "pixel", "phys.area", "Pixels above the threshold"),
    Column("hpx29", "BIGINT", None, "pos.healpix", "HEALPix number, order 29, NESTED, ICRS", indexed=True),
)

source = sql_table("source", COLUMNS, key=("slid", "sid"))

source_owner = sa.Table(
    "source_owner",
    metadata,
    sa.Column("slid", sa.BigInteger, primary_key=True),
    sa.Column("object_id", sa.String(36), nullable=False, index=True),
)
"""Which object a list of sources belongs to: who may see the object may see its sources."""

counter = sa.Table(
    "counter",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)


class _Unsearched(sa.ColumnElement[Any]):
    """A column that SQLite compares without going through an index; PostgreSQL knows when that pays.

    Without statistics SQLite takes the lists that somebody may see for a few, and would begin each query there:
    with all sources, instead of those of a place.
    """

    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type

    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]


@compiles(_Unsearched)
def _compare(element: _Unsearched, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(_Unsearched, "sqlite")
def _compare_in_sqlite(element: _Unsearched, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.column, **options)}"


def _visible_sources(caller: Caller) -> sa.FromClause:
    objects = table_of(DBObject).alias()
    lists = sa.select(source_owner.c.slid).join(objects, objects.c.object_id == source_owner.c.object_id)
    seen = lists.where(visible(objects, caller))
    return sa.select(source).where(_Unsearched(source.c.slid).in_(seen)).subquery()


SOURCES = Table(
    "archive",
    "sources",
    COLUMNS,
    _visible_sources,
    description="Every source extracted from a frame",
    keys=(ForeignKey("archive.source_list", (("slid", "slid"),), "The list the source is in"),),
    point=PointIndex("ra", "dec"),
)


def next_number(connection: sa.Connection, name: str) -> int:
    """The next number of a series, never given out twice; part of the transaction."""
    here = counter.c.name == name
    raised = sa.update(counter).where(here).values(value=counter.c.value + 1).returning(counter.c.value)
    value = connection.scalar(raised)
    if value is None:
        insert_absent(connection, counter, {"name": name, "value": 0})
        value = connection.execute(raised).scalar_one()
    return int(value)


def insert_sources(connection: sa.Connection, slid: int, object_id: str, table: NDArray[Any]) -> None:
    """Add the sources of one list, in the transaction that commits the list.

    Parameters
    ----------
    connection
        The transaction.
    slid
        Number of the list.
    object_id
        The object they belong to.
    table
        Structured array with the columns after ``slid``; NaN becomes NULL.
    """
    connection.execute(sa.insert(source_owner).values(slid=slid, object_id=object_id))
    names = [c.name for c in COLUMNS if c.name != "slid"]
    columns = [_plain(table[name]) for name in names]
    rows = [dict(zip(names, values, strict=True)) | {"slid": slid} for values in zip(*columns, strict=True)]
    if rows:
        connection.execute(sa.insert(source), rows)


def _plain(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [None if bad else v for v, bad in zip(values.tolist(), ~np.isfinite(values), strict=True)]
