"""What is a catalogue, as its file, a Felis file and a person's options tell of it?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from datamodel.arrays import KINDS
from datamodel.catalogues import Entry
from datamodel.columns import Column, PointIndex
from datamodel.context import LEVELS, Caller
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError, nearest
from datamodel.temporary import MAX_COLUMNS, position_of
from vo_server.catalogue import felis
from vo_server.catalogue.names import legal
from vo_server.formats.reading import Reading

PIXEL = Column(
    "hpx29",
    "BIGINT",
    ucd="pos.healpix",
    description="HEALPix number, order 29, NESTED, ICRS; NULL where there is no position",
    indexed=True,
)

ORIGIN = (
    "ivoid",
    "creator",
    "editor",
    "citation",
    "article",
    "rights",
    "rights_uri",
    "reference_url",
    "resource_version",
    "original_date",
    "publication_date",
    "cites",
    "is_derived_from",
)
"""What is kept of the origin of data, under the names of the IVOA note (DataOrigin 1.1 section 5.2)."""

_REGIONS = ("POLYGON", "REGION")
"""The types of columns whose regions are indexed."""

_DEGREES = (None, "", "deg", "degree", "degrees")
_ANY_LISTED = 12


@dataclass(frozen=True)
class Given:
    """What a person says of a catalogue.

    Attributes
    ----------
    name
        ``schema.table``.
    metadata
        A Felis file.
    description, schema_description
        Of the table and of its schema.
    ra, dec
        Names of the columns with its position, in degrees, as the file or queries call them.
    index
        Names of further columns that queries look for.
    level
        Privileges 1 to 5: who may see it.
    origin
        See `Table.origin`.
    """

    name: str
    metadata: Path | None = None
    description: str | None = None
    ra: str | None = None
    dec: str | None = None
    index: tuple[str, ...] = ()
    level: int | None = None
    origin: tuple[tuple[str, str], ...] = ()
    schema_description: str = ""


def draft(
    reading: Reading, given: Given, caller: Caller, source: str, level: int, former: Entry | None = None
) -> Entry:
    """The catalogue as far as it is known before its rows are read.

    Parameters
    ----------
    reading
        The file.
    given
        What a person says; it counts more than the Felis file, and that more than the file. The name may be one.
    caller
        Owns the catalogue.
    source
        Name of the file.
    level
        Where none is given.
    former
        The catalogue that is replaced; what nobody tells now is taken from it.

    Raises
    ------
    UsageError
        Something has no meaning; the message quotes it.
    """
    schema, _, table = given.name.lower().partition(".")
    told = felis.read(given.metadata, table) if given.metadata else None
    columns = _described(_decided(reading, given, told, former), told)
    plain = _remembered(legal(columns), former)
    point = _position(plain, reading.columns, given, former)
    if point is not None:
        plain = _remembered(legal(columns, taken=(PIXEL.name,)), former)
    plain = tuple(map(_outlining, _marked(plain, reading.columns, given, point)))
    every = (*plain, PIXEL) if point else plain
    if len(every) > MAX_COLUMNS:
        raise UsageError(f"the table has {len(every)} columns, expected {MAX_COLUMNS} at the most")
    kept = former.privileges if former else level
    privileges = kept if given.level is None else given.level
    if privileges not in LEVELS:
        raise UsageError(f"the level is {privileges}, expected one of {', '.join(map(str, LEVELS))}")
    return Entry(
        schema,
        table,
        every,
        point=point,
        region=next((column.name for column in plain if column.type in _REGIONS), None),
        description=_first(
            given.description,
            told.description if told else None,
            reading.description,
            former.description if former else None,
            f"Rows of {source}",
        ),
        schema_description=_first(
            given.schema_description,
            told.schema_description if told else None,
            former.schema_description if former else None,
        ),
        origin=_origin(reading, given, former),
        source=source,
        creator=caller.user or "",
        project=caller.project,
        privileges=privileges,
    )


def rows(reading: Reading, entry: Entry) -> Iterator[pa.RecordBatch]:
    """The rows of the file, in the types of the catalogue.

    Raises
    ------
    UsageError
        A value cannot be what the Felis file says of its column.
    """
    for batch in reading:
        arrays = [
            array if array.type == column.datatype.arrow else cast(array, column)
            for array, column in zip(batch.columns, entry.columns, strict=False)
        ]
        yield pa.RecordBatch.from_arrays(arrays, names=[str(place) for place in range(len(arrays))])


def _first(*texts: str | None) -> str:
    return next((text for text in texts if text), "")


def _decided(
    reading: Reading, given: Given, told: felis.FelisTable | None, former: Entry | None
) -> tuple[Column, ...]:
    """The columns of a file, those without values of the type that a position needs, or that they had before."""
    own = reading.columns
    public = legal(own)
    typed = {column.name.lower() for column in told.columns if column.type} if told else set()
    position = {_place(name, public, own) for name in (given.ra, given.dec) if name is not None}
    known = {column.name: column for column in former.columns} if former else {}
    made = list(own)
    for place, column in enumerate(own):
        if column.name not in reading.undecided or column.name.lower() in typed:
            continue
        if place in position:
            made[place] = replace(column, type="DOUBLE")
        elif was := known.get(public[place].name):
            made[place] = replace(column, type=was.type, arraysize=was.arraysize, xtype=was.xtype)
    return tuple(made)


def _described(columns: tuple[Column, ...], told: felis.FelisTable | None) -> tuple[Column, ...]:
    """The columns of a file as the Felis file tells of them."""
    if told is None:
        return columns
    by_name = {column.name.lower(): column for column in told.columns}
    unknown = sorted(set(by_name) - {c.name.lower() for c in columns})
    if unknown:
        near = nearest(unknown[0], (c.name for c in columns))
        raise UsageError(f"the Felis file tells of a column '{unknown[0]}' that the file does not have{near}")
    return tuple(_as_told(c, by_name[c.name.lower()]) if c.name.lower() in by_name else c for c in columns)


def _as_told(column: Column, told: felis.FelisColumn) -> Column:
    is_list = column.datatype.kind in KINDS
    type = column.type if is_list or told.type is None else told.type
    text = DATATYPES[type].kind == "text"
    return replace(
        column,
        type=type,
        unit=told.unit or column.unit,
        ucd=told.ucd or column.ucd,
        utype=told.utype or column.utype,
        description=told.description or column.description,
        arraysize=(told.arraysize if text else None) or (column.arraysize if type == column.type else None),
        principal=told.principal or column.principal,
        std=told.std or column.std,
        indexed=told.indexed or column.indexed,
        xtype=column.xtype if type == column.type else None,
    )


def _remembered(columns: tuple[Column, ...], former: Entry | None) -> tuple[Column, ...]:
    """The columns, where nobody told of them with what was told of the former ones of their names."""
    known = {column.name: column for column in former.columns} if former else {}
    return tuple(
        replace(
            column,
            unit=column.unit or known[column.name].unit,
            ucd=column.ucd or known[column.name].ucd,
            utype=column.utype or known[column.name].utype,
            description=column.description or known[column.name].description,
            principal=column.principal or known[column.name].principal,
            indexed=column.indexed or known[column.name].indexed,
        )
        if column.name in known
        else column
        for column in columns
    )


def _position(
    columns: tuple[Column, ...], in_file: tuple[Column, ...], given: Given, former: Entry | None
) -> PointIndex | None:
    """Which columns hold the position, as said, as it was, or as found by UCDs and names."""
    if given.ra is None and given.dec is None:
        was = former.point if former else None
        kept = was if was and {was.ra, was.dec} <= {column.name for column in columns} else None
        found = kept or position_of(columns)
        return found and PointIndex(found.ra, found.dec, PIXEL.name)
    if given.ra is None or given.dec is None:
        raise UsageError("a position needs both --ra and --dec, expected two columns or none")
    ra, dec = (columns[_place(name, columns, in_file)] for name in (given.ra, given.dec))
    if ra is dec:
        raise UsageError(f"both --ra and --dec are column '{ra.name}', expected two columns")
    for column in (ra, dec):
        if column.datatype.kind != "number" or column.unit not in _DEGREES:
            unit = f" in '{column.unit}'" if column.unit else ""
            raise UsageError(f"column '{column.name}' is {column.type}{unit}, expected numbers in deg")
    return PointIndex(ra.name, dec.name, PIXEL.name)


def _place(name: str, columns: Iterable[Column], in_file: Iterable[Column]) -> int:
    """Where the column is that a person calls so."""
    for listed in (in_file, columns):
        names = [column.name.lower() for column in listed]
        if name.lower() in names:
            return names.index(name.lower())
    known = [column.name for column in in_file]
    near = nearest(name, known) or f", expected one of {', '.join(known[:_ANY_LISTED])}"
    raise UsageError(f"there is no column '{name[:100]}'{near}")


def _marked(
    columns: tuple[Column, ...], in_file: tuple[Column, ...], given: Given, point: PointIndex | None
) -> tuple[Column, ...]:
    """The columns with what the position and the wish for indices make of them."""
    wanted = {columns[_place(name, columns, in_file)].name for name in given.index}
    position = {point.ra, point.dec} if point else set()
    return tuple(
        replace(
            column,
            indexed=(column.indexed or column.name in wanted) and column.datatype.kind not in KINDS,
            principal=column.principal or column.name in position,
            unit=column.unit or ("deg" if column.name in position else None),
        )
        for column in columns
    )


def _outlining(column: Column) -> Column:
    """The column as one of regions, where its UCD or name says so and its values may be regions."""
    outline = "pos.outline" in (column.ucd or "").lower().split(";") or column.name == "s_region"
    type = "REGION" if column.datatype.kind == "text" else {"DOUBLE[]": "POLYGON"}.get(column.type)
    if not outline or type is None or column.xtype not in (None, "stc-s", "stc"):
        return column
    return replace(column, type=type, xtype=None)


def _origin(reading: Reading, given: Given, former: Entry | None) -> tuple[tuple[str, str], ...]:
    """By each name what a person says, else what the file says, else what was said of the former one."""
    in_file = [(name.lower().removeprefix("data_"), " ".join(value.split())) for name, value in reading.infos]
    said = (given.origin, in_file, former.origin if former else ())
    made: list[tuple[str, str]] = []
    for name in ORIGIN:
        first = next((values for source in said if (values := [v for n, v in source if n == name and v])), [])
        made += [(name, value) for value in dict.fromkeys(first)]
    return tuple(made)


def cast(array: pa.Array, column: Column) -> pa.Array:
    """Values in the type of another column.

    Raises
    ------
    UsageError
        One of them cannot be such.
    """
    if array.null_count == len(array):
        return pa.nulls(len(array), column.datatype.arrow)
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    try:
        return array.cast(column.datatype.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).partition("\n")[0][:150]
        raise UsageError(f"column '{column.name}' cannot be {column.type} throughout: {reason}") from None
