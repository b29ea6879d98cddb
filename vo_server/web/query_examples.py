"""Which queries does the page show to begin with? Those of the service, else some that have answers in any archive."""

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.session import Session
from vo_server.web.first_steps import RADIUS_DEG, first_steps
from vo_server.web.tap_service import Example, tap_service


def examples(archive: Archive) -> list[Example]:
    """The examples for an archive, the simplest first; never none."""
    handed = tap_service().examples
    return list(handed(archive)) if handed is not None else _own(archive)


def _own(archive: Archive) -> list[Example]:
    with Session(archive, ANONYMOUS):
        ra, dec = first_steps().centre
    circle = f"CIRCLE({ra}, {dec}, {RADIUS_DEG})"
    return [
        Example(
            "What is here around a position",
            f"Everything that is, or can be made, within {RADIUS_DEG} degrees of a place on the sky",
            "SELECT obs_id, dataproduct_type, calib_level, t_min, access_url\n"
            f"FROM ivoa.obscore\nWHERE 1 = INTERSECTS(s_region, {circle})\nORDER BY t_min",
        ),
        Example(
            "The brightest stars there",
            "Of all sources that were extracted, in a cone",
            f"SELECT TOP 10 ra, dec, mag_auto\nFROM archive.sources\n"
            f"WHERE 1 = CONTAINS(POINT(ra, dec), {circle})\nORDER BY mag_auto",
        ),
        Example(
            "How much of what",
            "Counts by the kind of data, the calibration level and the instrument",
            "SELECT instrument_name, dataproduct_type, calib_level, COUNT(*) AS n\nFROM ivoa.obscore\n"
            "GROUP BY instrument_name, dataproduct_type, calib_level\nORDER BY n DESC",
        ),
        Example(
            "What a reduced frame was made from",
            "A join along the roles of a product: every class is a table, every role a column",
            "SELECT r.object_id, r.creation_date, b.object_id AS bias, b.imstat_stdev\n"
            "FROM archive.reduced_science_frame AS r\n"
            "JOIN archive.bias_frame AS b ON b.object_id = r.bias_id",
        ),
        Example(
            "Columns about a thing",
            "The tables tell of themselves: where magnitudes are, and in which unit",
            "SELECT table_name, column_name, unit, description\nFROM tap_schema.columns\n"
            "WHERE ucd LIKE 'phot.mag%'\nORDER BY table_name, column_name",
        ),
    ]
