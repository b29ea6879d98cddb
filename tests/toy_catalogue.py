"""A catalogue of three tables of stars, two of them of one name, and what a query of it is translated to."""

import sqlalchemy as sa

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import Translated, translate

STORED = sa.Table(
    "stored",
    sa.MetaData(),
    *(sa.Column(n) for n in ("id", "ra", "dec", "mag", "name", "seen", "hpx29", "size")),
)
COLUMNS = (
    Column("id", "BIGINT", ucd="meta.id;meta.main"),
    Column("ra", "DOUBLE", "deg", "pos.eq.ra"),
    Column("dec", "DOUBLE", "deg", "pos.eq.dec"),
    Column("mag", "REAL", "mag", "phot.mag"),
    Column("name", "VARCHAR"),
    Column("seen", "TIMESTAMP"),
    Column("size", "INTEGER", "pixel"),
)
CATALOGUE = Catalogue(
    Table(schema, name, COLUMNS, lambda caller: STORED, point=PointIndex("ra", "dec"))
    for schema, name in (("gaia", "cat"), ("a", "twice"), ("b", "twice"))
)


def translated(text: str) -> Translated:
    return translate(text, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"])
