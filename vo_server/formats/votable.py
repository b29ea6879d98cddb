"""How does an answer become a VOTable document, streamed? VOTable 1.4, unless 1.5 is asked for."""

import logging
import re
import secrets
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import pyarrow as pa

from datamodel.columns import Column, Rows
from datamodel.errors import ArchiveError, UsageError
from vo_server.formats import binary, tabledata
from vo_server.formats.batches import Chunks, pieces
from vo_server.formats.binary2 import Encoder, base64
from vo_server.formats.characters import wide_columns
from vo_server.formats.document import Document, Info
from vo_server.formats.markup import attributes, element

VERSIONS = ("1.4", "1.5")

T = TypeVar("T")

_log = logging.getLogger(__name__)
_NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
_END = b"</RESOURCE>\n"
_OVERFLOW = b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'


@dataclass(frozen=True)
class _Serialization:
    """What stands around the rows, and how rows become what stands there.

    Attributes
    ----------
    encoder
        Is given the columns, which of them are ``unicodeChar``, and the values that stand for NULL.
    framed
        What becomes of the encoded rows.
    nulls
        Sets values aside to stand for NULL, given the first piece.
    """

    start: bytes
    end: bytes
    encoder: Callable[
        [tuple[Column, ...], Collection[int], Mapping[int, int]],
        Callable[[pa.RecordBatch], bytes | memoryview],
    ]
    framed: Callable[[Iterator[bytes | memoryview]], Iterator[bytes]]
    nulls: Callable[[tuple[Column, ...], pa.RecordBatch | None], Mapping[int, int]] = lambda *_: {}


_SERIALIZATIONS = {
    "binary2": _Serialization(
        b'<DATA><BINARY2><STREAM encoding="base64">\n',
        b"</STREAM></BINARY2></DATA>\n",
        lambda columns, wide, nulls: Encoder(columns, wide),
        base64,
    ),
    "binary": _Serialization(
        b'<DATA><BINARY><STREAM encoding="base64">\n',
        b"</STREAM></BINARY></DATA>\n",
        binary.encoder,
        base64,
        binary.set_aside,
    ),
    "tabledata": _Serialization(
        b"<DATA><TABLEDATA>\n",
        b"</TABLEDATA></DATA>\n",
        lambda columns, wide, nulls: lambda batch: tabledata.encode(batch, columns),
        lambda chunks: (bytes(chunk) for chunk in chunks),
    ),
}


def write(
    rows: Rows,
    *,
    serialization: str = "binary2",
    version: str = "1.4",
    strict: bool = False,
    infos: Iterable[Info] = (),
    results_extras: bytes = b"",
    resource_extras: bytes = b"",
    table_name: str = "result",
    description: str = "",
) -> Chunks:
    """The document in chunks, made as they are read.

    Parameters
    ----------
    rows
        The answer; it is closed when the last chunk was read or the chunks are closed.
    serialization
        ``binary2``, ``tabledata`` or ``binary``.
    version
        ``1.4`` or ``1.5``.
    strict
        Whether a failure is raised, and not told in the document.
    infos
        Written after QUERY_STATUS, before the table.
    results_extras
        COOSYS, TIMESYS, GROUP and PARAM elements, or a RESOURCE after them, written before the table.
    resource_extras
        RESOURCE elements, such as service descriptors, written after the results; see `field_ids`.
    table_name, description
        Of the TABLE.

    Raises
    ------
    UsageError
        There is no such serialization or version.

    Notes
    -----
    Where `rows` fails after the document has begun, it still ends well unless it is strict, with QUERY_STATUS ERROR
    after the table (DALI 1.1 section 4.4.1). The message of an `ArchiveError` is told; any other failure
    goes into the log under an identifier, and only that is told.
    """
    _known("VOTable serialization", serialization, _SERIALIZATIONS)
    document = Document(infos, results_extras, resource_extras, table_name, description)
    form, ending = _SERIALIZATIONS[serialization], _Ending(strict)
    return Chunks(rows, _document(rows, document, form, _start(version), ending))


def metadata(
    columns: tuple[Column, ...], document: Document, *, wide: Collection[int] = (), overflow: bool = False
) -> bytes:
    """A document with the table's description and no rows, for formats that carry one beside their own rows.

    Parameters
    ----------
    columns
        Of the table.
    document
        What it says of itself.
    wide
        The positions of columns that are ``unicodeChar``.
    overflow
        Whether rows were cut off.
    """
    told = _OVERFLOW if overflow else b""
    head = _start(VERSIONS[0]) + _head(document) + _fields(columns, wide, {})
    return head.encode() + b"</TABLE>\n" + told + _END + document.resource_extras + b"</VOTABLE>\n"


def error(message: str, infos: Iterable[Info] = (), version: str = "1.4") -> bytes:
    """A document that says only that, and why, there is no answer (DALI 1.1 section 4.2)."""
    status = element("INFO", message, name="QUERY_STATUS", value="ERROR")
    return f"{_start(version)}{status}\n{_infos(infos)}".encode() + _END + b"</VOTABLE>\n"


def field_ids(columns: Sequence[Column]) -> list[str]:
    """The ID of each column's FIELD: its name, made a legal and unique XML ID where it is not."""
    return list(_field_ids(tuple(columns)))


@lru_cache(maxsize=256)
def _field_ids(columns: tuple[Column, ...]) -> tuple[str, ...]:
    ids: dict[str, None] = {}
    for column in columns:
        legal = re.sub(r"[^A-Za-z0-9_.-]", "_", column.name)
        legal = legal if re.match(r"[A-Za-z_]", legal) else f"_{legal}"
        unique, n = legal, 1
        while unique in ids:
            n += 1
            unique = f"{legal}_{n}"
        ids[unique] = None
    return tuple(ids)


def _document(
    rows: Rows, document: Document, form: _Serialization, start: str, ending: "_Ending"
) -> Generator[bytes, None, None]:
    source = ending.watch(pieces(rows))
    first = next(source, None)
    wide = wide_columns(rows.columns, first)
    nulls = form.nulls(rows.columns, first)
    yield (start + _head(document) + _fields(rows.columns, wide, nulls)).encode() + form.start
    encode = form.encoder(rows.columns, wide, nulls)
    yield from form.framed(ending.watch(map(encode, chain([first] if first else [], source))))
    yield form.end + b"</TABLE>\n" + ending.info(rows) + _END + document.resource_extras + b"</VOTABLE>\n"


class _Ending:
    """How the rows came to their end; a failure ends them, so that what frames them can end well too.

    Parameters
    ----------
    strict
        Whether a failure is raised instead.
    """

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._failure = ""

    def watch(self, made: Iterator[T]) -> Iterator[T]:
        """The same things, up to the first that cannot be made."""
        if self._strict:
            yield from made
            return
        try:
            yield from made
        except ArchiveError as told:
            self._failure = str(told) or type(told).__name__
        except Exception:
            reference = secrets.token_hex(4)
            _log.exception("failure %s while a table was being written", reference)
            self._failure = f"The server failed while writing this table; its log has it as {reference}"

    def info(self, rows: Rows) -> bytes:
        """What follows the table: nothing where all went well."""
        if self._failure:
            return element("INFO", self._failure, name="QUERY_STATUS", value="ERROR").encode() + b"\n"
        return _OVERFLOW if rows.overflow else b""


def _start(version: str) -> str:
    _known("VOTable version", version, VERSIONS)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<VOTABLE version="{version}" xmlns="{_NAMESPACE}">\n'
        '<RESOURCE type="results">\n'
    )


def _infos(infos: Iterable[Info]) -> str:
    return "".join(element("INFO", *rest, name=name, value=value) + "\n" for name, value, *rest in infos)


def _head(document: Document) -> str:
    """What comes before the FIELDs."""
    status = element("INFO", name="QUERY_STATUS", value="OK")
    told = element("DESCRIPTION", document.description) + "\n" if document.description else ""
    return (
        f"{status}\n{_infos(document.infos)}{document.results_extras.decode()}"
        f"<TABLE{attributes(name=document.table_name)}>\n{told}"
    )


def _fields(columns: tuple[Column, ...], wide: Collection[int], nulls: Mapping[int, int]) -> str:
    return _fields_of(tuple(columns), frozenset(wide), tuple(nulls.items()))


@lru_cache(maxsize=256)
def _fields_of(columns: tuple[Column, ...], wide: frozenset[int], told: tuple[tuple[int, int], ...]) -> str:
    """The same answers are asked for again and again, as cones of one table."""
    ids, nulls = field_ids(columns), dict(told)
    return "".join(
        _field(column, ids[i], i in wide, nulls.get(i, column.null)) for i, column in enumerate(columns)
    )


def _field(column: Column, id: str, is_wide: bool, null: int | None) -> str:
    size = column.votable_arraysize
    widened = is_wide and column.datatype.votable == "char"
    described = attributes(
        ID=id,
        name=column.name,
        datatype="unicodeChar" if is_wide else column.datatype.votable,
        arraysize=f"{size}*" if widened and size and size.isdigit() else size,
        xtype=column.votable_xtype,
        unit=column.unit,
        ucd=column.ucd,
        utype=column.utype,
    )
    told = element("DESCRIPTION", column.description) if column.description else ""
    told += element("VALUES", null=str(null)) if null is not None else ""
    return f"<FIELD{described}>{told}</FIELD>\n" if told else f"<FIELD{described}/>\n"


def _known(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise UsageError(f"there is no {what} '{given}', expected one of {', '.join(known)}")
