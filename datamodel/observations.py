"""``ivoa.obscore``: what the VO can find, made or not; one row each, kept by events.

A row stands for a product of one raw exposure: the exposure itself, or what can be made from it. The
identifiers and links that hold the site's names are put in when the table is read.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel import regions
from datamodel.columns import Column, RegionIndex, Table
from datamodel.context import ARCHIVE, PROJECT, WORLD, Caller, visible
from datamodel.objects import DBObject
from datamodel.plain_tables import sql_table
from datamodel.schema import metadata, oid_column, table_of
from datamodel.standings import (
    NOT_CHECKED,
    OF_WORLD,
    OK,
    OUTDATED,
    RULES,
    TO_BUILD,
    standing,
    standing_state,
    standing_view,
)

DATALINK_MIME = "application/x-votable+xml;content=datalink"


def _c(
    name: str, type: str, unit: str | None, ucd: str, utype: str, description: str, principal: int = 0
) -> Column:
    arraysize = {"dataproduct_type": "*"}.get(name)
    return Column(
        name, type, unit, ucd, description, f"obscore:{utype}", arraysize, bool(principal), False, True
    )


_SPATIAL, _TIME, _SPECTRAL = "Char.SpatialAxis", "Char.TimeAxis", "Char.SpectralAxis"
_PLACE = f"{_SPATIAL}.Coverage.Location.Coord.Position2D.Value2"

OBSCORE_COLUMNS = (
    _c("dataproduct_type", "VARCHAR", None, "meta.code.class", "ObsDataset.dataProductType", "Kind of data product", 1),
    _c("calib_level", "INTEGER", None, "meta.code;obs.calib", "ObsDataset.calibLevel", "Calibration level, 0 to 4", 1),
    _c("obs_collection", "UNICODE", None, "meta.id", "DataID.Collection", "Name of the data collection", 1),
    _c("obs_id", "VARCHAR", None, "meta.id", "DataID.observationID", "Name of the exposure", 1),
    _c("obs_publisher_did", "VARCHAR", None, "meta.ref.ivoid", "Curation.PublisherDID", "Publisher's identifier", 1),
    _c("access_url", "CLOB", None, "meta.ref.url", "Access.Reference", "Where to get it: its DataLink document", 1),
    _c("access_format", "VARCHAR", None, "meta.code.mime", "Access.Format", "MIME type of access_url", 1),
    _c("access_estsize", "BIGINT", "kbyte", "phys.size;meta.file", "Access.Size", "Estimated size", 1),
    _c("target_name", "UNICODE", None, "meta.id;src", "Target.Name", "What the observer pointed at", 1),
    _c("s_ra", "DOUBLE", "deg", "pos.eq.ra", f"{_PLACE}.C1", "Right ascension of the centre, ICRS", 1),
    _c("s_dec", "DOUBLE", "deg", "pos.eq.dec", f"{_PLACE}.C2", "Declination of the centre, ICRS", 1),
    _c("s_fov", "DOUBLE", "deg", "phys.angSize;instr.fov", f"{_SPATIAL}.Coverage.Bounds.Extent.diameter", "Diameter", 1),
    _c("s_region", "REGION", None, "pos.outline;obs.field", f"{_SPATIAL}.Coverage.Support.Area", "Footprint (STC-S)", 1),
    _c("s_resolution", "DOUBLE", "arcsec", "pos.angResolution", f"{_SPATIAL}.Resolution.Refval.value", "Resolution", 1),
    _c("s_xel1", "BIGINT", None, "meta.number", f"{_SPATIAL}.numBins1", "Columns"),
    _c("s_xel2", "BIGINT", None, "meta.number", f"{_SPATIAL}.numBins2", "Rows"),
    _c("t_min", "DOUBLE", "d", "time.start;obs.exposure", f"{_TIME}.Coverage.Bounds.Limits.StartTime", "Start (MJD)", 1),
    _c("t_max", "DOUBLE", "d", "time.end;obs.exposure", f"{_TIME}.Coverage.Bounds.Limits.StopTime", "End (MJD)", 1),
    _c("t_exptime", "DOUBLE", "s", "time.duration;obs.exposure", f"{_TIME}.Coverage.Support.Extent", "Exposure time", 1),
    _c("t_resolution", "DOUBLE", "s", "time.resolution", f"{_TIME}.Resolution.Refval.value", "Time resolution", 1),
    _c("t_xel", "BIGINT", None, "meta.number", f"{_TIME}.numBins", "Elements in time"),
    _c("em_min", "DOUBLE", "m", "em.wl;stat.min", f"{_SPECTRAL}.Coverage.Bounds.Limits.LoLimit", "Shortest wavelength", 1),
    _c("em_max", "DOUBLE", "m", "em.wl;stat.max", f"{_SPECTRAL}.Coverage.Bounds.Limits.HiLimit", "Longest wavelength", 1),
    _c(
        "em_res_power", "DOUBLE", None, "spect.resolution",
        f"{_SPECTRAL}.Resolution.ResolPower.refVal", "Resolving power", 1,
    ),
    _c("em_xel", "BIGINT", None, "meta.number", f"{_SPECTRAL}.numBins", "Elements in wavelength"),
    _c("o_ucd", "VARCHAR", None, "meta.ucd", "Char.ObservableAxis.ucd", "UCD of what was measured", 1),
    _c("pol_states", "VARCHAR", None, "meta.code;phys.polarization", "Char.PolarizationAxis.stateList", "Polarisations", 1),
    _c("pol_xel", "BIGINT", None, "meta.number", "Char.PolarizationAxis.numBins", "Elements in polarisation"),
    _c("facility_name", "UNICODE", None, "meta.id;instr.tel", "Provenance.ObsConfig.facility.name", "Telescope", 1),
    _c("instrument_name", "UNICODE", None, "meta.id;instr", "Provenance.ObsConfig.instrument.name", "Instrument", 1),
    Column(
        "product_status", "VARCHAR", None, "meta.code",
        f"Whether it is made: {OK}, {OUTDATED}, {TO_BUILD} or {NOT_CHECKED}; whoever gets it gets it made",
    ),
    Column(
        "selection_grade", "VARCHAR", None, "meta.code.qual",
        "How the calibrations were chosen that it was made from, by the one that is trusted least",
    ),
)  # fmt: skip

_DERIVED = ("obs_publisher_did", "access_url", "access_format", "product_status")
KEPT_COLUMNS = tuple(c for c in OBSCORE_COLUMNS if c.name not in _DERIVED)

observation = sql_table(
    "observation",
    KEPT_COLUMNS,
    sa.Column("row", sa.String(100), primary_key=True),
    sa.Column("class_name", sa.String(100), nullable=False, index=True),
    oid_column("raw_id", nullable=False, index=True),
    sa.Column("filter_name", sa.String(100)),
    oid_column("product_id", index=True),
)
"""One row a product: ``row`` is ``<class>/<raw_id>``, the end of its publisher DID.

``product_id`` is the best that is made; NULL where none is. An object that there is not stands for what is not known.
"""

cover, edges = regions.region_tables("observation", metadata)

listing_state = sa.Table(
    "listing_state",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("last_event", sa.BigInteger, nullable=False),
)
"""Up to which event the observations are true."""


def obscore_table(did_prefix: str, links_url: str, schema: str = "ivoa", name: str = "obscore") -> Table:
    """The described table ``ivoa.obscore``.

    Parameters
    ----------
    did_prefix
        ``ivo://<authority>/<archive>``.
    links_url
        URL of the DataLink service, up to and with ``ID=``.
    """
    return Table(
        schema,
        name,
        OBSCORE_COLUMNS,
        partial(_select, did_prefix, links_url),
        description="ObsCore 1.1: raw exposures, and every product that can be had of them, made or not",
        utype="ivo://ivoa.net/std/ObsCore#core-1.1",
        kind="view",
        region=RegionIndex(region="s_region", row="row", cover=cover),
    )


def _select(did_prefix: str, links_url: str, caller: Caller) -> sa.FromClause:
    objects = table_of(DBObject).alias()
    view = _view(objects)
    did = sa.literal(did_prefix + "?target/").concat(observation.c.row)
    encoded = _quoted(did_prefix + "?target/")
    made: dict[str, Callable[[], Any]] = {
        "obs_publisher_did": lambda: did,
        "access_url": lambda: sa.literal(links_url + encoded).concat(
            sa.func.replace(observation.c.row, "/", "%2F")
        ),
        "access_format": lambda: sa.literal(DATALINK_MIME),
        "product_status": lambda: _status(view),
    }
    columns = [
        (made[c.name]() if c.name in made else observation.c[c.name]).label(c.name) for c in OBSCORE_COLUMNS
    ]
    columns.append(observation.c.row.label("row"))  # for the region index; nobody is told of it
    joined = observation.join(objects, objects.c.object_id == observation.c.raw_id)
    kept = sa.and_(standing.c.object_id == observation.c.product_id, standing.c.view == view)
    joined = joined.outerjoin(standing, kept)
    return sa.select(*columns).select_from(joined).where(visible(objects, caller)).subquery()


def _view(exposures: Any) -> sa.ColumnElement[int]:
    """The view of the index that those share who see an exposure; NULL where there is none."""
    of_project = sa.case((exposures.c.privileges == ARCHIVE, ""), else_=exposures.c.project)
    numbers = sa.select(standing_view.c.number).where(standing_view.c.project == of_project)
    number = numbers.correlate(exposures).scalar_subquery()  # a join does not correlate by itself
    return sa.case((exposures.c.privileges >= WORLD, OF_WORLD), (exposures.c.privileges >= PROJECT, number))


def _status(view: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    here = (standing_state.c.view == view, standing_state.c.name == RULES, standing_state.c.value != "")
    return sa.case(
        (observation.c.class_name == "RawScienceFrame", OK),
        (observation.c.product_id.is_(None), TO_BUILD),
        (~sa.exists().where(*here), NOT_CHECKED),
        (standing.c.outdated == 1, OUTDATED),
        (standing.c.outdated == 0, OK),
        else_=NOT_CHECKED,
    )


def _quoted(text: str) -> str:
    return "".join(f"%{ord(ch):02X}" if ch in ":/?#&= " else ch for ch in text)
