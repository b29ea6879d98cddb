"""Which format does a caller mean by RESPONSEFORMAT (or FORMAT)?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from datamodel.columns import Rows
from datamodel.errors import UsageError, nearest
from vo_server.formats import arrow, fits, json, parquet, text, votable
from vo_server.formats.batches import Chunks
from vo_server.formats.document import Document

SPOOL_BYTES = fits.MOST_BYTES


class Writer(Protocol):
    """Writes an answer; ``options`` are those of the format, the document what the answer says of itself."""

    def __call__(self, rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
        """The answer in chunks."""
        ...


@dataclass(frozen=True)
class Format:
    """A format as one caller asked for it.

    Attributes
    ----------
    mime
        For the Content-Type; what the caller wrote, where that was a media type.
    serialization
        ``binary2``, ``tabledata`` or ``binary`` for VOTable, else the short name.
    extension
        Of a file name, without a dot.
    writer, options
        What writes it, and how.
    is_late
        Whether nothing is written before the last row is known.
    """

    mime: str
    serialization: str
    extension: str
    writer: Writer
    options: Mapping[str, Any] = field(default_factory=dict)
    is_late: bool = False

    @property
    def is_votable(self) -> bool:
        """Whether errors can be told in the document."""
        return self.writer is _write_votable

    @property
    def is_text(self) -> bool:
        """Whether values are written as text, of which gzip makes much less."""
        return self.serialization in ("tabledata", "csv", "tsv", "json")

    def write(
        self, rows: Rows, *, spool_bytes: int = SPOOL_BYTES, strict: bool = False, **document: Any
    ) -> Chunks:
        """The answer in this format.

        Parameters
        ----------
        rows
            The answer.
        spool_bytes
            How large a temporary file may grow, for a format that cannot do without.
        strict
            Whether a failure is raised also where the document could tell of it.
        **document
            The attributes of a `Document`; what the format has no place for is left out.
        """
        options = dict(self.options)
        if self.is_late:
            options["most_bytes"] = spool_bytes
        if self.is_votable:
            options["strict"] = strict
        return self.writer(rows, Document(**document), options)


@dataclass(frozen=True)
class Offer:
    """One row of the table of formats: what TAPRegExt's outputFormat is told, and how to write it.

    Attributes
    ----------
    mime
        The media type without parameters, or with those that pick this row.
    aliases
        Short names.
    ivo_id
        TAPRegExt 1.0 section 2.4, or None.
    parameters
        Media type parameters that change what is written: name to value to options.
    leaves_open
        What is not asked for is as in the protocol's default, not as in `options`.
    is_late
        See `Format`.
    """

    mime: str
    aliases: tuple[str, ...]
    extension: str
    writer: Writer
    options: Mapping[str, Any] = field(default_factory=dict)
    ivo_id: str | None = None
    parameters: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    leaves_open: bool = False
    is_late: bool = False

    @property
    def kind(self) -> str:
        """The media type without parameters."""
        return self.mime.partition(";")[0]


def _write_votable(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return votable.write(rows, **vars(document), **options)


def _write_csv(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return text.csv(rows, **options)


def _write_tsv(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return text.tsv(rows, **options)


def _write_fits(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return fits.write(rows, document, **options)


def _write_parquet(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return parquet.write(rows, document)


def _write_arrow(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return arrow.write(rows, document)


def _write_json(rows: Rows, document: Document, options: Mapping[str, Any]) -> Chunks:
    return json.write(rows, document, **options)


_VOTABLE_PARAMETERS = {
    "serialization": {name: {"serialization": name} for name in ("binary2", "tabledata", "binary")},
    "version": {version: {"version": version} for version in votable.VERSIONS},
}
_HEADER = {"header": {"present": {"header": True}, "absent": {"header": False}}}
_LONG = {"long": {"number": {"text_for_long": False}, "text": {"text_for_long": True}}}
_OUTPUT = "ivo://ivoa.net/std/TAPRegExt#output-votable"
_X = "application/x-votable+xml"


def _votable(serialization: str, short: str, ivo_id: str) -> Offer:
    """VOTable in one serialization, under its own media type."""
    aliases = (f"votable/{short}", f"votable/{serialization}")
    mime, options = f"{_X};serialization={serialization}", {"serialization": serialization}
    return Offer(mime, aliases, "vot", _write_votable, options, f"{_OUTPUT}-{ivo_id}", _VOTABLE_PARAMETERS)


OFFERS: tuple[Offer, ...] = (
    Offer(
        _X,
        ("votable",),
        "vot",
        _write_votable,
        {"serialization": "binary2"},
        None,
        _VOTABLE_PARAMETERS,
        leaves_open=True,
    ),
    _votable("binary2", "b2", "binary2"),
    _votable("tabledata", "td", "td"),
    _votable("binary", "b", "binary"),
    Offer("text/xml", (), "xml", _write_votable, {"serialization": "tabledata"}, None, _VOTABLE_PARAMETERS),
    Offer("text/csv;header=present", ("csv",), "csv", _write_csv, {"header": True}, None, _HEADER),
    Offer("text/tab-separated-values", ("tsv",), "tsv", _write_tsv, {"header": True}, None, _HEADER),
    Offer("application/fits", ("fits",), "fits", _write_fits, is_late=True),
    Offer("application/vnd.apache.parquet", ("parquet",), "parquet", _write_parquet),
    Offer("application/vnd.apache.arrow.stream", ("arrow",), "arrows", _write_arrow),
    Offer("application/json", ("json",), "json", _write_json, {}, None, _LONG),
)
"""The one table of formats, in the order in which they are told of."""

_TOKEN = "[A-Za-z0-9_.!#$&^+-]+"  # noqa: S105  RFC 6838's restricted-name, not a password
_VALUE = f'(?:{_TOKEN}|"[A-Za-z0-9_.+:/ -]*")'
_MEDIA_TYPE = re.compile(f"{_TOKEN}/{_TOKEN}(?: *; *{_TOKEN} *= *{_VALUE})*")


def choose(requested: str | None, default: str = "votable", offers: Sequence[Offer] = OFFERS) -> Format:
    """The format that was asked for; case, spaces and the order of parameters do not matter.

    Parameters
    ----------
    requested
        The value of RESPONSEFORMAT; None or empty for the default.
    default
        The protocol's own, written in the same way. It also decides what ``votable`` and a VOTable media type
        leave open: where the default is ``votable/td`` they mean TABLEDATA.
    offers
        What there is.

    Raises
    ------
    UsageError
        There is no such format; the message names those that there are.

    Notes
    -----
    DALI 1.1 section 3.4.3: a media type that was asked for is the Content-Type of the answer, unknown
    parameters included, so that ``application/x-votable+xml;content=datalink`` comes back as it went.
    A plus sign that an unquoted URL turned into a space is put back.
    """
    fallback = _meant(default, offers, None)
    given = (requested or "").strip()
    return _meant(given, offers, fallback) if given else fallback


def _meant(given: str, offers: Sequence[Offer], fallback: Format | None) -> Format:
    for offer in offers:
        if given.lower() in offer.aliases:
            return _format(offer, offer.mime, {}, fallback)
    mime = re.sub("(?<=x-votable) (?=xml)", "+", given, flags=re.IGNORECASE)
    kind, parameters = _parsed(mime)
    for offer in offers:
        if offer.kind == kind and _MEDIA_TYPE.fullmatch(mime):
            return _format(offer, mime if parameters else offer.mime, parameters, fallback)
    near = nearest(given, [name for offer in offers for name in (*offer.aliases, offer.mime)])
    known = ", ".join((*offer.aliases, offer.mime)[0] for offer in offers)
    raise UsageError(f"there is no format '{given[:100]}'{near or ';'} expected one of {known}")


def _format(offer: Offer, mime: str, parameters: Mapping[str, str], fallback: Format | None) -> Format:
    options = dict(offer.options)
    if offer.leaves_open and fallback and fallback.writer is offer.writer:
        options |= fallback.options
    for name in offer.parameters.keys() & parameters.keys():
        options |= _option(offer, name, parameters[name])
    serialization = options.get("serialization", offer.extension)
    return Format(mime, serialization, offer.extension, offer.writer, options, offer.is_late)


def _option(offer: Offer, name: str, value: str) -> Mapping[str, Any]:
    meanings = offer.parameters[name]
    if value not in meanings:
        expected = " or ".join(f"{name}={known}" for known in meanings)
        raise UsageError(f"{offer.kind} is not to be had with {name}={value}, expected {expected}")
    return meanings[value]


def _parsed(mime: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip().lower() for part in mime.split(";"))
    pairs = (part.partition("=") for part in rest)
    return kind, {name.strip(): value.strip().strip('"') for name, _, value in pairs}
