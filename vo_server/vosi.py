"""What do the VOSI 1.1 documents look like: capabilities, availability, tables?"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import flask
from lxml import etree

from datamodel.tap_schema import ColumnEntry, KeyEntry, SchemaEntry, TableEntry
from vo_server import caching

XML_MIME = "text/xml"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAMESPACES = {
    "xsi": XSI,
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
}
"""Declared on the root of each document and of each capability, for their ``xsi:type`` need the prefixes."""

CAPABILITIES = "http://www.ivoa.net/xml/VOSICapabilities/v1.0"
AVAILABILITY = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
TABLES = "http://www.ivoa.net/xml/VOSITables/v1.0"
TAP_PLUS = "http://esa.int/xml/EsaTapPlus"
STANDARD = "ivo://ivoa.net/std/VOSI"
EXAMPLES = "ivo://ivoa.net/std/DALI#examples"

OWN_TABLES = {"table-load-sync-1.x": "load", "table-update-async-1.x": "table-update"}
"""What the VOSI 1.2 draft adds, by the names that CADC's services and clients have for it."""

TABLE_TYPES = {"table": "base_table", "view": "view"}
"""What TAP_SCHEMA's table_type is called in VODataService."""

Element = Any
"""An lxml element; lxml has no types to name it by."""


def child(parent: Element, tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Append an element without a namespace; attributes that are None are left out."""
    kept = {name: value for name, value in attributes.items() if value is not None}
    made = etree.SubElement(parent, tag, kept)
    made.text = text
    return made


def optional(parent: Element, **texts: str | None) -> None:
    """Append an element for each text that is there, in the order given."""
    for tag, text in texts.items():
        if text:
            child(parent, tag, text)


def capability(
    standard_id: str,
    access_url: str,
    *,
    type: str | None = None,
    version: str | None = None,
    use: str = "full",
    description: str = "",
    interface_type: str = "vs:ParamHTTP",
    security: Iterable[str] = (),
    strangers: bool = True,
) -> Element:
    """A ``capability`` with an interface that anybody may use: it names no securityMethod.

    There is a further interface at the same address for each of the methods by which one can log in, for the schema
    of VOResource 1.1 takes one method of each; taplint wants one of them alone to be called the standard one.

    Parameters
    ----------
    standard_id
        IVOID of the standard.
    access_url
        Absolute URL.
    type
        Its ``xsi:type``, such as ``tr:TableAccess``; what that adds is appended by the caller.
    version
        Of the interface.
    use
        ``base``, ``full`` or ``dir``.
    description
        For people.
    interface_type
        The ``xsi:type`` of the interface; ``vr:WebBrowser`` for what people read.
    security
        IVOIDs of the methods (SSO 2.0 section 2.1).
    strangers
        Whether there is an interface that anybody may use.
    """
    made = etree.Element("capability", {"standardID": standard_id}, nsmap=NAMESPACES)
    if type:
        made.set(f"{{{XSI}}}type", type)
    optional(made, description=description)
    methods = (*((None,) if strangers else ()), *security)
    for method in methods:
        interface = child(made, "interface", role="std" if method == methods[0] else None, version=version)
        interface.set(f"{{{XSI}}}type", interface_type)
        child(interface, "accessURL", access_url, use=use)
        if method:
            child(interface, "securityMethod", standardID=method)
    return made


def own_capabilities(
    service_url: str,
    *,
    tables: bool = False,
    examples: bool = False,
    own_tables: bool = False,
    security: Iterable[str] = (),
) -> list[Element]:
    """The capabilities of the resources of VOSI and DALI beside a service.

    Parameters
    ----------
    service_url
        What ``/capabilities`` and the others follow.
    tables
        Whether there is a ``/tables``.
    examples
        Whether there is an ``/examples``.
    own_tables
        Whether who is logged in may make tables, fill and index them; ``/tables`` is where they are made.
    security
        As for `capability`.
    """
    security = tuple(security)
    made = [
        capability(f"{STANDARD}#capabilities", f"{service_url}/capabilities", security=security),
        capability(f"{STANDARD}#availability", f"{service_url}/availability", security=security),
    ]
    if tables:
        url = f"{service_url}/tables"
        made.append(capability(f"{STANDARD}#tables-1.1", url, version="1.1", security=security))
    if examples:
        url = f"{service_url}/examples"
        made.append(capability(EXAMPLES, url, interface_type="vr:WebBrowser", security=security))
    if own_tables and security:
        for standard, path in OWN_TABLES.items():
            url = f"{service_url}/{path}"
            made.append(capability(f"{STANDARD}#{standard}", url, security=security, strangers=False))
    return made


def capabilities_document(capabilities: Iterable[Element]) -> flask.Response:
    """The document that ``/capabilities`` answers."""
    root = _root(CAPABILITIES, "capabilities")
    root.extend(capabilities)
    return caching.hashed(document(root))


def availability_document(up_since: datetime, why_not: str = "") -> flask.Response:
    """The document that ``/availability`` answers where there is an answer at all.

    Parameters
    ----------
    up_since
        When the service started, naive UTC.
    why_not
        What keeps the service from its work, for people; empty where nothing does.
    """
    root = etree.Element(f"{{{AVAILABILITY}}}availability", nsmap={"vosi": AVAILABILITY})
    texts = {
        "available": "false" if why_not else "true",
        "upSince": f"{up_since.isoformat(timespec='seconds')}Z",
        "note": why_not,
    }
    for tag, text in texts.items():
        if text:
            etree.SubElement(root, f"{{{AVAILABILITY}}}{tag}").text = text
    response = document(root)
    response.cache_control.no_store = True
    return response


def tables_document(
    schemas: Iterable[SchemaEntry], *, columns: bool = True, tap_plus: bool = False
) -> flask.Response:
    """The document that ``/tables`` answers.

    Parameters
    ----------
    schemas
        With their tables.
    columns
        Whether the tables come with columns and keys; without them where a client wants the minimum.
    tap_plus
        Whether each column has an attribute that astroquery's TapPlus cannot do without. No schema has it,
        so it is left out of what other clients read.
    """
    root = _root(TABLES, "tableset", **({"esatapplus": TAP_PLUS} if tap_plus else {}))
    for schema in schemas:
        made = child(root, "schema")
        child(made, "name", schema.name)
        optional(made, description=schema.description, utype=schema.utype)
        for table in schema.tables:
            _fill_table(child(made, "table"), table, columns)
    for column in root.iter("column") if tap_plus else ():
        column.set(f"{{{TAP_PLUS}}}flags", "0")
    return document(root)


def table_document(table: TableEntry) -> flask.Response:
    """The document that ``/tables/<name>`` answers."""
    root = _root(TABLES, "table")
    _fill_table(root, table, columns=True)
    return document(root)


def document(root: Element) -> flask.Response:
    """An XML document as a response."""
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return flask.Response(body, mimetype=XML_MIME)


def _root(namespace: str, tag: str, **more: str) -> Element:
    return etree.Element(f"{{{namespace}}}{tag}", nsmap=NAMESPACES | {"vosi": namespace} | more)


def _fill_table(made: Element, table: TableEntry, columns: bool) -> None:
    made.set("type", TABLE_TYPES[table.type])
    child(made, "name", table.name)
    optional(made, description=table.description, utype=table.utype)
    if columns:
        for column in table.columns:
            _add_column(made, column)
        for key in table.keys:
            _add_key(made, key)


def _add_column(table: Element, column: ColumnEntry) -> None:
    made = child(table, "column", std="true" if column.std else "false")
    child(made, "name", column.name)
    optional(made, description=column.description, unit=column.unit, ucd=column.ucd, utype=column.utype)
    datatype = child(made, "dataType", column.datatype, arraysize=column.arraysize, extendedType=column.xtype)
    datatype.set(f"{{{XSI}}}type", "vs:VOTableType")
    if column.indexed:
        child(made, "flag", "indexed")


def _add_key(table: Element, key: KeyEntry) -> None:
    made = child(table, "foreignKey")
    child(made, "targetTable", key.target_table)
    for from_column, target_column in key.columns:
        pair = child(made, "fkColumn")
        child(pair, "fromColumn", from_column)
        child(pair, "targetColumn", target_column)
    optional(made, description=key.description, utype=key.utype)
