"""How does a VOTable say which services go with its rows? Service descriptors (DataLink 1.1 section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from datamodel.columns import Column
from vo_server.formats.markup import attributes, element
from vo_server.formats.votable import field_ids

DATALINK_MIME = "application/x-votable+xml;content=datalink"
DATALINK_STANDARD = "ivo://ivoa.net/std/DataLink#links-1.1"
PUBLISHER_DID = "obscore:Curation.PublisherDID"
"""The utype of a column of identifiers that the DataLink service knows, whatever a query calls it."""


@dataclass(frozen=True)
class Input:
    """One parameter of a service.

    Attributes
    ----------
    name
        Of the parameter.
    ref
        The ID of the FIELD whose value in a row is the parameter's; empty where the caller chooses it.
    datatype, arraysize, unit, ucd, xtype
        As on a PARAM.
    description
        One sentence for people.
    options
        The values there are; none where they cannot be listed.
    """

    name: str
    ref: str = ""
    datatype: str = "char"
    arraysize: str | None = "*"
    unit: str | None = None
    ucd: str | None = None
    xtype: str | None = None
    description: str = ""
    options: Sequence[str] = ()


def descriptor(
    access_url: str,
    standard_id: str,
    inputs: Sequence[Input],
    *,
    id: str = "",
    this: bool = False,
    content_type: str = "",
    description: str = "",
    name: str = "",
) -> bytes:
    """A RESOURCE that describes a service.

    Parameters
    ----------
    access_url
        Where it is; absolute.
    standard_id
        IVOID of the standard it follows; empty for a service of no standard.
    inputs
        Its parameters.
    id
        XML ID, for a row of a DataLink table to refer to.
    this
        Whether it describes the very service that gives the document (``adhoc:this``).
    content_type
        Of what it gives.
    description, name
        For people.
    """
    told = element("DESCRIPTION", description) if description else ""
    facts = {"accessURL": access_url, "standardID": standard_id, "contentType": content_type}
    params = "".join(_fact(key, value) for key, value in facts.items() if value)
    given = "".join(_param(each) for each in inputs)
    opening = attributes(
        type="meta", utype="adhoc:this" if this else "adhoc:service", ID=id or None, name=name or None
    )
    return (
        f'<RESOURCE{opening}>\n{told}{params}<GROUP name="inputParams">\n{given}</GROUP>\n</RESOURCE>\n'
    ).encode()


def of_columns(columns: Sequence[Column], links_url: str) -> bytes:
    """The services that go with the rows of a table: DataLink where a column has publisher DIDs, else none.

    Parameters
    ----------
    columns
        Of the table.
    links_url
        Of the DataLink service, without parameters.
    """
    ids = field_ids(columns)
    for id, column in zip(ids, columns, strict=True):
        if (column.utype or "").lower() == PUBLISHER_DID.lower():
            return datalink(links_url, id, "links" if "links" not in ids else _unused(ids))
    return b""


def datalink(links_url: str, did_field: str = "obs_publisher_did", id: str = "links") -> bytes:
    """The DataLink service, asked with the identifier in each row.

    Parameters
    ----------
    links_url
        Of the service, without parameters.
    did_field
        The ID of the FIELD that holds the identifier.
    id
        XML ID of the RESOURCE.
    """
    return descriptor(
        links_url,
        DATALINK_STANDARD,
        [Input("ID", did_field, ucd="meta.id;meta.main", description="Publisher's identifier")],
        id=id,
        content_type=DATALINK_MIME,
        description="What belongs to an observation: the data, what they were made from, what is made of them",
    )


def _unused(ids: Sequence[str]) -> str:
    return next(f"links_{n}" for n in range(2, len(ids) + 3) if f"links_{n}" not in ids)


def _fact(name: str, value: str) -> str:
    return element("PARAM", name=name, datatype="char", arraysize="*", value=value) + "\n"


def _param(each: Input) -> str:
    described = attributes(
        name=each.name,
        datatype=each.datatype,
        arraysize=each.arraysize,
        unit=each.unit,
        ucd=each.ucd,
        xtype=each.xtype,
        value="",
        ref=each.ref or None,
    )
    told = element("DESCRIPTION", each.description) if each.description else ""
    options = "".join(element("OPTION", value=option) for option in each.options)
    values = f"<VALUES>{options}</VALUES>" if options else ""
    return f"<PARAM{described}>{told}{values}</PARAM>\n"
