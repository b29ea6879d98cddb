"""Do tables that come with a query join with the archive and each other, by any name, for that query alone?"""

import csv
import io

import numpy as np
import pytest
import sqlalchemy as sa
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import Table

from datamodel.archive import Archive
from tests import uploads
from tests.made_sources import put_sources
from tests.uploads import Send, answer, as_votable, error, part

shared, application, served = uploads.shared, uploads.application, uploads.served
post, ask = uploads.post, uploads.ask

ARCSEC = 1 / 3600
RANDOM = np.random.default_rng(20)
RA = np.concatenate([RANDOM.uniform(0, 360, 60), [0.00001, 359.99999, 120.0, 300.0, 10.0]])
DEC = np.concatenate(
    [np.degrees(np.arcsin(RANDOM.uniform(-1, 1, 60))), [0.0, 0.0, 89.9999, 89.9999, -89.99999]]
)


@pytest.fixture(scope="module")
def sources(shared: Archive) -> None:
    """Sources all over the sky, among them some at RA 0 and the poles."""
    shared.add_account("A", "P")
    put_sources(shared, RA, DEC)


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    "condition",
    [
        f"DISTANCE(POINT(t.ra, t.dec), POINT(s.ra, s.dec)) < {ARCSEC}",
        f"1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(t.ra, t.dec, {ARCSEC}))",
        f"1 = CONTAINS(POINT(t.ra, t.dec), CIRCLE(s.ra, s.dec, {ARCSEC}))",
    ],
    ids=["distance", "circle around the upload", "circle around the source"],
)
def test_an_upload_is_matched_with_the_archive_by_position(condition: str, ask: Send) -> None:
    """Against astropy, over the whole sky, both poles and RA 0."""
    shift = RANDOM.uniform(0, 1.6 * ARCSEC, len(RA))
    theirs = _shifted(shift)
    found = answer(
        ask(
            f"SELECT s.sid, t.n FROM archive.sources AS s JOIN TAP_UPLOAD.t AS t ON {condition}",
            t=as_votable(
                Table({"n": np.arange(len(RA)), "ra": theirs.ra.deg, "dec": theirs.dec.deg}), "binary2"
            ),
        )
    )
    ours = SkyCoord(RA, DEC, unit="deg").cartesian.xyz.value
    chords = np.linalg.norm(theirs.cartesian.xyz.value[:, None, :] - ours[:, :, None], axis=0)
    apart = np.degrees(2 * np.arcsin(chords / 2))
    assert set(zip(found["sid"].tolist(), found["n"].tolist(), strict=True)) == set(
        zip(*(i.tolist() for i in np.nonzero(apart < ARCSEC)), strict=True)
    )
    assert 20 < len(found) < len(RA)


def _shifted(by_deg: np.ndarray) -> SkyCoord:
    """The sources, each moved by an angle, in any direction."""
    directions = RANDOM.uniform(0, 360, len(by_deg)) * u.deg
    return SkyCoord(RA, DEC, unit="deg").directional_offset_by(directions, by_deg * u.deg)


def test_several_tables_come_at_once_in_either_style(ask: Send, post: Send) -> None:
    query = "SELECT a.x, b.y FROM TAP_UPLOAD.a AS a JOIN tap_upload.B AS b ON a.x = b.x"
    first, second = as_votable(Table({"x": [1, 2, 3]})), as_votable(Table({"x": [2, 3, 4], "y": [5, 6, 7]}))
    found = answer(ask(f"{query} ORDER BY a.x", "a,param:p;b,param:q", p=first, q=second))
    assert [tuple(row) for row in found] == [(2, 5), (3, 6)]
    parts = {"p": part("p", first), "q": part("q", second)}
    found = answer(post({"query": query, "upload": "b,param:q"} | parts, "UPLOAD=a,param:p"))
    assert len(found) == 2


def test_names_are_those_of_adql(ask: Send) -> None:
    names = ["select", "My Column", "RA", 'a"b', "%s", "c1", "é"]
    data = io.StringIO()
    csv.writer(data).writerows([names, range(len(names))])
    select = 'SELECT "select", "My Column", ra, "a""b", "%s", c1, "é", * FROM TAP_UPLOAD."my table"'
    status, body = ask(select, '"my table",param:t', "csv", t=data.getvalue().encode())
    assert status == 200, body
    *_, row = csv.reader(io.StringIO(body.decode()))
    assert row == [str(i) for i in range(len(names))] * 2


def test_names_that_differ_in_case_alone_or_are_long_are_told_apart(ask: Send) -> None:
    long = "é" * 32
    names = ["g", "G", long, f"{long}2", "x"]
    select = (
        f'SELECT "G" AS one, "g" AS two, "{long}2" AS three, "{long}" AS four, x AS five FROM TAP_UPLOAD.t'
    )
    data = f"{','.join(names)}\n0,1,2,3,4\n".encode()
    condition = f'WHERE "g" = 0 AND "G" = 1 AND "{long}2" > "{long}" ORDER BY "G"'
    assert ask(f"{select} {condition}", format="csv", t=data) == (
        200,
        b"one,two,three,four,five\r\n1,0,3,2,4\r\n",
    )
    status, body = ask("SELECT * FROM TAP_UPLOAD.t", format="csv", t=data)
    assert (status, body.splitlines()[1]) == (200, b"0,1,2,3,4")


def test_an_upload_is_there_for_its_query_alone(ask: Send, post: Send, served: Archive) -> None:
    data = as_votable(Table({"x": [1]}))
    told = answer(ask("SELECT table_name FROM tap_schema.tables", t=data))
    assert "upload" not in " ".join(told["table_name"]).lower()
    assert len(answer(ask("SELECT * FROM TAP_UPLOAD.t", t=data))) == 1
    message = error(post({"QUERY": "SELECT * FROM TAP_UPLOAD.t"}))
    assert "unknown table 'TAP_UPLOAD.t'" in message
    with served.database.read() as connection:
        assert not [name for name in sa.inspect(connection).get_table_names() if "temporary" in name]


def test_the_columns_alone_can_be_asked_for(post: Send) -> None:
    asked = {"QUERY": "SELECT y AS z FROM TAP_UPLOAD.t", "UPLOAD": "t,param:t", "MAXREC": "0"}
    _, body = post(asked | {"t": part("t", as_votable(Table({"x": [1], "y": [1.5]})))})
    table = votable.parse_single_table(io.BytesIO(body))
    assert [(f.name, f.datatype) for f in table.fields] == [("z", "double")]
    assert len(table.array) == 0
