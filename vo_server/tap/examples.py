"""Which queries show what this archive can be asked? (DALI 1.1 section 2.3, TAP 1.1 section 2.4)

Each is shown only where the tables that it names are there, about a place where this archive has looked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import Response, render_template

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from vo_server import caching
from vo_server.site import base_url
from vo_server.tap import tables
from vo_server.tap.capability import STANDARD_ID

XHTML_MIME = "application/xhtml+xml"
SECURITY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
H_PERSEI = (34.75, 57.13)
"""In degrees, ICRS: where the queries look in an archive that has no exposures yet."""


@dataclass(frozen=True)
class Example:
    """A query to begin with.

    Attributes
    ----------
    id
        Unique among them; an XML name.
    name
        A few words.
    description
        What it shows, for people.
    tables
        That the query names.
    query
        ADQL; in `EXAMPLES` with ``{ra}`` and ``{dec}`` where a place, in degrees, is to be put.
    parameters
        Further ones of the request: name, value.
    """

    id: str
    name: str
    description: str
    tables: tuple[str, ...]
    query: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def request(self) -> str:
        """The parameters of a request that has it answered, urlencoded."""
        return urlencode([("LANG", "ADQL"), ("QUERY", self.query), *self.parameters])


EXAMPLES = (
    Example(
        "bright-stars",
        "The brightest stars around a place",
        "A cone of one degree in the extracted sources. A list of sources is there once it was asked for.",
        ("archive.sources",),
        """SELECT TOP 20 ra, dec, mag_auto, slid, sid
FROM archive.sources
WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra}, {dec}, 1.0))
ORDER BY mag_auto""",
    ),
    Example(
        "images-of-a-place",
        "Everything that covers a place",
        "Raw frames, and the reduced frames and source lists that can be made of them: access_url leads to "
        "what belongs to each.",
        ("ivoa.obscore",),
        """SELECT TOP 100 obs_id, dataproduct_type, calib_level, t_min, t_exptime, access_url
FROM ivoa.obscore
WHERE 1 = CONTAINS(POINT('ICRS', {ra}, {dec}), s_region)
ORDER BY t_min""",
    ),
    Example(
        "holdings",
        "What there is, and how much of it",
        "Observations by their kind and level of calibration, with the earliest and the latest instant (MJD).",
        ("ivoa.obscore",),
        """SELECT dataproduct_type, calib_level, COUNT(*) AS number_of, MIN(t_min) AS earliest, MAX(t_max) AS latest
FROM ivoa.obscore
GROUP BY dataproduct_type, calib_level
ORDER BY calib_level""",
    ),
    Example(
        "nights",
        "How long was observed on each day",
        "Raw exposures by the day of their MJD, as a table for a spreadsheet.",
        ("ivoa.obscore",),
        """SELECT mjd, COUNT(*) AS exposures, SUM(t_exptime) AS seconds
FROM (SELECT FLOOR(t_min) AS mjd, t_exptime FROM ivoa.obscore WHERE calib_level = 1) AS taken
GROUP BY mjd
ORDER BY mjd""",
        (("RESPONSEFORMAT", "csv"),),
    ),
    Example(
        "magnitudes",
        "How many stars of each magnitude",
        "A histogram in steps of half a magnitude, counted in the database.",
        ("archive.sources",),
        """SELECT magnitude, COUNT(*) AS stars
FROM (SELECT FLOOR(2 * mag_auto) / 2 AS magnitude FROM archive.sources) AS binned
GROUP BY magnitude
ORDER BY magnitude""",
    ),
    Example(
        "source-lists",
        "Which source lists have most stars",
        "Sources counted by their list, joined with the class of the objects that own the sources.",
        ("archive.sources", "archive.source_list"),
        """SELECT TOP 20 l.object_id, l.creation_date, l.filter, counted.stars, counted.brightest
FROM archive.source_list AS l
JOIN (
  SELECT slid, COUNT(*) AS stars, MIN(mag_auto) AS brightest FROM archive.sources GROUP BY slid
) AS counted ON counted.slid = l.slid
ORDER BY stars DESC""",
    ),
    Example(
        "made-from",
        "What reduced frames were made from",
        "Every role of an object is a column that has the identifier of what was used in it.",
        ("archive.reduced_science_frame", "archive.bias_frame"),
        """SELECT TOP 20 r.object_id, r.creation_date AS made, b.object_id AS bias, b.imstat_stdev AS bias_noise
FROM archive.reduced_science_frame AS r
JOIN archive.bias_frame AS b ON b.object_id = r.bias_id
ORDER BY made DESC""",
    ),
    Example(
        "trend",
        "How the read noise of each chip has gone",
        "One row for each version that nobody found fault with, in order of time.",
        ("archive.read_noise",),
        """SELECT chip, date_obs, read_noise, read_noise_error, object_id
FROM archive.read_noise
WHERE is_valid > 0 AND quality_flags = 0
ORDER BY chip, date_obs""",
    ),
    Example(
        "gaia-around",
        "The stars of Gaia around a place",
        "A cone of one degree in a catalogue.",
        ("gaia.bright",),
        """SELECT TOP 50 source_id, ra, dec, phot_g_mean_mag
FROM gaia.bright
WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra}, {dec}, 1.0))
ORDER BY phot_g_mean_mag""",
    ),
    Example(
        "gaia-match",
        "Our stars and those of Gaia",
        "Two catalogues matched within two seconds of arc; the index of either serves the join.",
        ("archive.sources", "gaia.bright"),
        """SELECT TOP 100 s.ra, s.dec, s.mag_auto, g.source_id, g.phot_g_mean_mag,
  3600 * DISTANCE(POINT('ICRS', s.ra, s.dec), POINT('ICRS', g.ra, g.dec)) AS apart
FROM archive.sources AS s
JOIN gaia.bright AS g ON DISTANCE(POINT('ICRS', s.ra, s.dec), POINT('ICRS', g.ra, g.dec)) < 2.0 / 3600
ORDER BY phot_g_mean_mag""",
    ),
    Example(
        "positions",
        "Which tables have positions",
        "The tables tell of themselves: a UCD says what a column holds, whatever it is called.",
        ("tap_schema.columns",),
        """SELECT table_name, column_name, unit, description
FROM tap_schema.columns
WHERE ucd LIKE 'pos.eq.ra%'
ORDER BY table_name""",
    ),
    Example(
        "joins",
        "How tables are joined",
        "The foreign keys, with the columns that must be equal.",
        ("tap_schema.keys", "tap_schema.key_columns"),
        """SELECT k.from_table, c.from_column, k.target_table, c.target_column
FROM tap_schema.keys AS k
JOIN tap_schema.key_columns AS c ON c.key_id = k.key_id
ORDER BY from_table, from_column""",
    ),
)
"""The one table of examples, in the order in which they are shown.

Written in what ADQL 2.0 and 2.1 have in common: validators take a query that names no version for one of 2.0.
"""


def examples(archive: Archive, caller: Caller) -> tuple[Example, ...]:
    """Those that this archive can answer now, about a place where it has looked.

    Parameters
    ----------
    archive
        An open archive whose TAP_SCHEMA was written.
    caller
        Who may know of the tables and of an exposure, which gives the place.
    """
    ra, dec = _place(archive, caller)
    fitting = _answerable(tables.names(archive, caller))
    return tuple(replace(each, query=each.query.format(ra=ra, dec=dec)) for each in fitting)


def document(archive: Archive, caller: Caller) -> Response:
    """The document of ``/examples``: XHTML with RDFa."""
    page = render_template(
        "examples.xhtml",
        config=archive.config,
        examples=examples(archive, caller),
        standard=STANDARD_ID,
        service=f"{base_url(archive.config)}/tap",
    )
    response = Response(page, mimetype=XHTML_MIME)
    response.headers["Content-Security-Policy"] = SECURITY
    return caching.hashed(response)


def _answerable(there: Iterable[str]) -> list[Example]:
    known = set(there)
    return [each for each in EXAMPLES if known.issuperset(each.tables)]


def _place(archive: Archive, caller: Caller) -> tuple[float, float]:
    """The centre of the oldest exposure, in degrees, ICRS."""
    with Session(archive, caller):
        first = next(iter(RawScienceFrame.select_all().order_by("object_id").limit(1)), None)
    if first is None or first.ra is None:
        return H_PERSEI
    return round(first.ra, 4), round(first.dec, 4)
