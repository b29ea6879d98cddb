"""How do the tests of formats write a VOTable, and what do they see in it?"""

import io
from pathlib import Path

import pytest
from astropy.io.votable import parse
from lxml import etree

from datamodel.columns import Column
from vo_server.formats import votable

NAMESPACE = {"v": "http://www.ivoa.net/xml/VOTable/v1.3"}
SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "ivoa" / "rec"
SERIALIZATIONS = ("binary2", "tabledata")

COLUMNS = (
    Column("flag", "BOOLEAN"),
    Column("small", "SMALLINT"),
    Column("plain", "INTEGER"),
    Column("big", "BIGINT", ucd="meta.id;meta.main"),
    Column("single", "REAL", unit="mag", utype="x:y"),
    Column("double", "DOUBLE", unit="deg", ucd="pos.eq.ra", description='a < b & "c"\x01'),
    Column("name", "VARCHAR"),
    Column("code", "CHAR", arraysize="5"),
    Column("taken", "TIMESTAMP"),
    Column("spot", "POINT"),
    Column("disc", "CIRCLE"),
    Column("outline", "POLYGON"),
)
"""One of every kind."""

needs_schemas = pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the schemas of the IVOA are not here")


def document(rows, **options):
    return b"".join(votable.write(rows, **options))


def table(content):
    """Its first table, which astropy has read without a word."""
    return parse(io.BytesIO(content), verify="exception").get_first_table()


def statuses(content):
    """The value of each QUERY_STATUS, whether it comes after the table, and its text."""
    found, after = [], False
    for child in etree.fromstring(content).find("v:RESOURCE", NAMESPACE):
        after = after or child.tag.endswith("TABLE")
        if child.get("name") == "QUERY_STATUS":
            found.append((child.get("value"), after, child.text))
    return found


def assert_valid(content, version):
    """Fail where it breaks the IVOA's schema of that version of VOTable."""
    schema = etree.XMLSchema(etree.parse(SCHEMAS / f"VOTable-{version}" / "VOTable.xsd"))
    schema.assertValid(etree.fromstring(content))
