"""What does a request to DataLink ask for? Pure: identifiers are told apart here, nothing is looked up."""

import re
from dataclasses import dataclass, replace

from vo_server.dali import Parameters
from vo_server.descriptors import DATALINK_MIME
from vo_server.formats.negotiate import Format, choose

MAX_IDS = 100
"""Identifiers that are answered in one document; what is left out is told by OVERFLOW (DataLink 1.1 section 3.4)."""


@dataclass(frozen=True)
class LinksQuery:
    """The identifiers as they were given, each once, and the format of the answer.

    Attributes
    ----------
    ids
        At most `MAX_IDS`.
    overflow
        Whether there were more.
    """

    ids: tuple[str, ...]
    overflow: bool
    format: Format


@dataclass(frozen=True)
class Named:
    """What an identifier names.

    Attributes
    ----------
    object_id
        Of the object itself or, of a target, its RawScienceFrame.
    class_name
        The target class; empty where it names one object.
    """

    object_id: str
    class_name: str = ""


_NAMED = re.compile(r"(?:object|target/(?P<cls>[A-Za-z0-9_]{1,100}))/(?P<oid>[0-9A-Za-z-]{1,36})")


def read(parameters: Parameters) -> LinksQuery:
    """The query that a request's parameters mean.

    Raises
    ------
    UsageError
        There is no such format.
    """
    ids = tuple(dict.fromkeys(given.strip() for given in parameters.all("ID")))
    requested = parameters.responseformat()
    format = choose(requested, default="votable/td")
    if format.mime in ("application/x-votable+xml", DATALINK_MIME) or not requested:
        format = replace(format, mime=DATALINK_MIME)
    return LinksQuery(ids[:MAX_IDS], len(ids) > MAX_IDS, format)


def named(did: str, did_prefix: str) -> Named | None:
    """What a publisher's identifier of this archive names; None for any other text.

    Parameters
    ----------
    did
        IVOID with ``?target/<Class>/<exposure>`` or ``?object/<object_id>``.
    did_prefix
        ``ivo://<authority>/<archive>``; compared whatever the case (IVOA Identifiers 2.0 section 2.3).
    """
    prefix, _, rest = did.partition("?")
    match = _NAMED.fullmatch(rest)
    if prefix.lower() != did_prefix.lower() or match is None:
        return None
    return Named(match["oid"].lower(), match["cls"] or "")
