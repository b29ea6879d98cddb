"""What belongs to an observation? One link for the data, their past, their future and their page."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any

import pyarrow as pa

from datamodel.archive import Archive
from datamodel.columns import Column, Rows
from datamodel.context import Caller
from datamodel.dataobject import DataObject
from datamodel.errors import NotFoundError, UsageError
from datamodel.frames import BaseFrame, RawScienceFrame
from datamodel.retraction import retractions
from datamodel.session import Session
from datamodel.state import Restricted
from processing.classes import TARGET_CLASSES
from processing.declarations import roles
from processing.keys import is_displaced, keys_of_raw
from processing.node import Node
from processing.plan import Planner
from processing.site import instruments_of
from processing.target import ProcessTarget
from registry.identifiers import Target, parse_did
from vo_server.datalink.parameters import LinksQuery
from vo_server.delivery import class_delivered, content_type
from vo_server.site import base_url

HTML, PNG = "text/html", "image/png"

COLUMNS = (
    Column("ID", "VARCHAR", None, "meta.id;meta.main", "Identifier that was asked for"),
    Column("access_url", "VARCHAR", None, "meta.ref.url", "Where to get it"),
    Column("service_def", "VARCHAR", None, "meta.ref", "Descriptor of the service that gives it"),
    Column("error_message", "VARCHAR", None, "meta.code.error", "Why there is no link"),
    Column("description", "VARCHAR", None, "meta.note", "What it is, its status and the reasons"),
    Column("semantics", "VARCHAR", None, "meta.code", "How it is related to the identifier"),
    Column("content_type", "VARCHAR", None, "meta.code.mime", "Media type"),
    Column("content_length", "BIGINT", "byte", "phys.size;meta.file", "Size, where it is known"),
    Column("content_qualifier", "VARCHAR", None, "meta.code", "Nature of the linked thing"),
    Column("local_semantics", "VARCHAR", None, "meta.id.assoc", "Role it was used in, or its class"),
    Column("link_auth", "VARCHAR", None, "meta.code", "Whether one must be logged in"),
    Column("link_authorized", "BOOLEAN", None, "meta.code", "Whether the caller may follow the link"),
)
"""DataLink 1.1 section 3.2."""


@dataclass(frozen=True)
class Link:
    """One row; the fields are those of `COLUMNS`, in order."""

    ID: str
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    description: str | None = None
    semantics: str = "#this"
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None
    link_auth: str | None = "false"
    link_authorized: bool | None = True


def links(archive: Archive, caller: Caller, query: LinksQuery) -> Rows:
    """The rows of all identifiers, those of one together; nothing is made."""
    schema = pa.schema([(c.name, c.datatype.arrow) for c in COLUMNS])
    rows = map(astuple, found(archive, caller, query.ids))
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return Rows(COLUMNS, iter([batch]), overflow=query.overflow, complete=True)


def found(archive: Archive, caller: Caller, ids: Sequence[str]) -> list[Link]:
    """The links of identifiers, those of one together."""
    with Session(archive, caller) as session:
        asked = _Asked(session, ids)
        return [link for did in ids for link in asked.links(did)]


class _Asked:
    """One request; what its identifiers share is planned once, and what they name is looked up together."""

    def __init__(self, session: Session, ids: Iterable[str]) -> None:
        self.session = session
        self.config = session.archive.config
        self.base_url = base_url(self.config)
        self.planner = Planner(instruments_of(session.archive))
        self.known = session.load_many(DataObject, list(self._object_ids(ids)))
        with session.connection() as connection:
            self.retracted = retractions(connection, self.known, session.caller)

    def links(self, did: str) -> list[Link]:
        """The links of one identifier; what it does not name is told in a row (DataLink 1.1 section 3.4)."""
        try:
            what = parse_did(self.config, did)
            if isinstance(what, Target):
                return list(self._of_target(did, what.class_name, what.exposure))
            return list(self._of_object(did, self.session.load(DataObject, what.object_id)))
        except (NotFoundError, UsageError) as error:
            return [Link(did, error_message=f"NotFoundFault: {error}", link_auth=None, link_authorized=None)]

    def _object_ids(self, ids: Iterable[str]) -> Iterator[str]:
        for did in ids:
            with suppress(UsageError):  # told in its row
                what = parse_did(self.config, did)
                yield what.exposure if isinstance(what, Target) else what.object_id

    def _of_target(self, did: str, class_name: str, exposure_id: str) -> Iterator[Link]:
        cls = class_delivered(class_name)
        raw = self.session.load(RawScienceFrame, exposure_id)
        if cls is RawScienceFrame:
            yield from self._of_object(did, raw)
            return
        node = self.planner.node(cls, keys_of_raw(raw))
        yield self._target(did, node, raw, "#this")
        if node.existing is not None:
            yield from self._of_made(did, node.existing)
        else:
            yield self._used(did, raw, "raw")
        yield from self._related(did, cls, raw)
        yield self._page(did, node.existing or raw)

    def _of_object(self, did: str, product: Any) -> Iterator[Link]:
        gone = self.retracted.get(product.object_id)
        if gone is not None:
            yield Link(
                did, error_message=f"NotFoundFault: it was {gone}", link_auth=None, link_authorized=None
            )
            yield self._page(did, product)
            return
        told = "as it came from the telescope"
        if isinstance(product, ProcessTarget):
            told = _standing(self.planner, product)
        yield self._file(did, product, "#this", f"{_title(type(product))}: {told}")
        yield from self._of_made(did, product)
        raw = product if isinstance(product, RawScienceFrame) else getattr(product, "raw", None)
        if isinstance(raw, RawScienceFrame) and not is_displaced(raw):
            yield from self._related(did, type(product), raw)
        yield self._page(did, product)

    def _of_made(self, did: str, product: Any) -> Iterator[Link]:
        """Pictures of an object, and what it was made from."""
        if isinstance(product, BaseFrame) and product.filename:
            for semantics, size in (("#preview", "preview"), ("#thumbnail", "thumbnail")):
                url = f"{self.base_url}/object/{product.object_id}/{size}.png"
                told = f"{size.capitalize()} of the pixels"
                yield Link(did, url, description=told, semantics=semantics, content_type=PNG)
        for name in roles(type(product)):
            used = getattr(product, name)
            for each in used if isinstance(used, list) else [used]:
                if each is not None and not isinstance(each, Restricted):
                    yield self._used(did, each, name)

    def _used(self, did: str, used: Any, role: str) -> Link:
        return self._file(did, used, "#progenitor", f"{_title(type(used))} used as {role}", role)

    def _related(self, did: str, cls: Any, raw: Any) -> Iterator[Link]:
        """The other products of the exposure that there are or that can be made."""
        used_by_it = {declared.attribute.target_class() for declared in roles(cls).values()}
        for other in TARGET_CLASSES:
            if not other.of_exposure or other is cls or other in used_by_it:
                continue
            uses = {declared.attribute.target_class() for declared in roles(other).values()}
            node = self.planner.node(other, keys_of_raw(raw))
            if node.can_be_had:
                yield self._target(did, node, raw, "#derivation" if cls in uses else "#coderived")

    def _target(self, did: str, node: Node, raw: Any, semantics: str) -> Link:
        cls, product = node.cls, node.existing
        if not node.can_be_had:
            text = f"DefaultFault: {_title(cls)} cannot be made: {'; '.join(node.missing)}"
            return Link(did, error_message=text, link_auth=None, link_authorized=None)
        return Link(
            did,
            f"{self.base_url}/target/{cls.__name__}/{raw.object_id}",
            description=f"{_title(cls)}: {status(node)}",
            semantics=semantics,
            content_type=content_type(product.filename if product is not None else ".fits"),
            content_length=product.file_size if node.status == "ok" else None,
            local_semantics=cls.__name__,
        )

    def _file(self, did: str, product: Any, semantics: str, description: str, role: str = "") -> Link:
        """A link to the bytes of an object, or to its page where it has none."""
        filename = getattr(product, "filename", "")
        place = "data" if filename else "object"
        return Link(
            did,
            f"{self.base_url}/{place}/{product.object_id}",
            description=description,
            semantics=semantics,
            content_type=content_type(filename) if filename else HTML,
            content_length=product.file_size if filename else None,
            local_semantics=role or type(product).__name__,
        )

    def _page(self, did: str, product: Any) -> Link:
        url = f"{self.base_url}/object/{product.object_id}"
        told = "Page with all attributes, the lineage and the status"
        return Link(did, url, description=told, semantics="#documentation", content_type=HTML)


def _standing(planner: Planner, product: ProcessTarget) -> str:
    """How a stored product stands, for people."""
    if product.is_displaced:
        reasons = product.why()
        return _because(product.status_for(reasons), reasons)
    return status(planner.node_of(product, product.own_keys()))


def status(node: Node) -> str:
    """The status of a target and the reasons for it, for people."""
    because: Iterable[object] = node.reasons if node.existing is not None else node.missing
    if node.status == "to be built":
        return "to be built: asking for it makes it"
    return _because(node.status, because)


def _because(told: str, reasons: Iterable[object]) -> str:
    listed = ", ".join(map(str, reasons))
    return f"{told} ({listed})" if listed else told


def _title(cls: Any) -> str:
    return str(cls.__name__)
