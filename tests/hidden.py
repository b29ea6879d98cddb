"""What does one user have in the tests of privacy, and at which doors do others ask for it?"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from astropy.io import fits
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel import tokens
from datamodel.archive import Archive
from datamodel.context import MYDB
from datamodel.frames import RawScienceFrame
from datamodel.job_claims import Holder
from datamodel.session import Session
from datamodel.sources import COLUMNS, insert_sources
from processing.ingest import ingest
from tests.accounts import bearer
from tests.catalogues import positions
from vo_server.app import JOBS, create_app
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.mydb import tables as own_tables
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

NAME = "Secret Nebula"
SLID = 777888
RA = 211.987654

EVERYTHING = (
    "/",
    "/query",
    "/query/jobs",
    "/query/jobs/list",
    "/query/words",
    "/tap/tables",
    "/tap/tables?detail=min",
    "/tap/tables/tap_schema.tables",
    "/tap/examples",
    "/tap/capabilities",
    "/tap/async",
    "/sia2/query?MAXREC=1000&RESPONSEFORMAT=csv",
    f"/sia2/query?TARGET={quote(NAME)}&RESPONSEFORMAT=csv",
)
"""What tells of many things."""

QUERIES = (
    "SELECT COUNT(*) AS n FROM archive.dbobject",
    "SELECT class_name, COUNT(*) AS n, MAX(object_id) AS last FROM archive.dbobject GROUP BY class_name ORDER BY 1",
    "SELECT COUNT(*) AS n, MAX(creation_date) AS last FROM archive.raw_science_frame",
    f"SELECT object_id FROM archive.raw_science_frame WHERE object = '{NAME}'",
    "SELECT COUNT(*) AS n, MAX(slid) AS last FROM archive.sources",
    f"SELECT * FROM archive.sources WHERE slid = {SLID}",
    f"SELECT sid FROM archive.sources WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({RA}, 1.0, 1.0))",
    "SELECT COUNT(*) AS n FROM archive.raw_science_frame AS r LEFT JOIN archive.sources AS s ON s.sid >= 0",
    "SELECT r.object_id FROM archive.chip AS c RIGHT JOIN archive.raw_science_frame AS r ON r.chip_id = c.object_id",
    "SELECT COUNT(*) AS n FROM archive.dbobject AS a JOIN archive.dbobject AS b ON a.project = b.project",
    "SELECT COUNT(*) AS n, MAX(t_max) AS last FROM ivoa.obscore",
    "SELECT table_name, table_index FROM tap_schema.tables ORDER BY 1",
    "SELECT schema_name, schema_index FROM tap_schema.schemas ORDER BY 1",
    "SELECT COUNT(*) AS n FROM tap_schema.columns",
    "SELECT * FROM secret.stars",
    "SELECT * FROM secret.star",
    "SELECT ra FROM zebra.stars, secret.stars",
    "SELECT * FROM mydb.hoard",
    "SELECT * FROM mydb__41.hoard",
    "SELECT * FROM mydb.hoar",
)


def asked(query: str) -> str:
    return f"/tap/sync?LANG=ADQL&RESPONSEFORMAT=csv&QUERY={quote(query)}"


def without(id: str, answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """An answer with an identifier taken out, and the digest of the document that had it."""
    status, mime, headers, body = answer
    digest = hashlib.sha256(body).hexdigest()[:32]
    kept = [(name, (value or "").replace(digest, "DIGEST").replace(id, "ID")) for name, value in headers]
    return status, mime, kept, body.replace(id.encode(), b"ID")


DOORS = (*EVERYTHING, *map(asked, QUERIES))


@dataclass(frozen=True)
class Hidden:
    """What A keeps: identifiers of the exposure and of a product, the digest of the exposure's file, and the job."""

    raw: str
    digest: str
    product: str
    job: str


Seen = dict[tuple[str, str], tuple[Any, ...]]
"""What was told to whom at which door."""


@pytest.fixture(scope="module")
def site(
    copy_of_observatory: Callable[[Path], Archive], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """The tiny survey with a catalogue for the world, and accounts A and B in the same project."""
    opened = copy_of_observatory(tmp_path_factory.mktemp("privacy") / "archive")
    update_tap_schema(opened, tables(opened.config))
    for name in "AB":
        opened.add_account(name, "P")
    world = opened.caller("A", "P", 5)
    bring(opened, positions([1.0], [2.0]), Given("zebra.stars", level=5), world, "x")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(site: Archive) -> FlaskClient:
    made = create_app(site).test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture(scope="module")
def headers(site: Archive) -> dict[str, dict[str, str]]:
    """How each of those who ask shows who it is."""
    return {name: bearer(tokens.issue(site, name)[1]) for name in "AB"} | {"stranger": {}}


@pytest.fixture(scope="module")
def before(client: FlaskClient, headers: dict[str, dict[str, str]]) -> Seen:
    """What others were told of everything before A hid anything."""
    return look(client, headers)


@pytest.fixture(scope="module")
def hidden(
    site: Archive,
    client: FlaskClient,
    headers: dict[str, dict[str, str]],
    survey: Path,
    tmp_path_factory: pytest.TempPathFactory,
    before: Seen,
) -> Hidden:
    """An exposure, what is made of it, sources, a catalogue and a job, all in the MyDB of A."""
    mine = site.caller("A", "P", MYDB)
    with Session(site, mine) as session:
        ingest(session, [another_exposure(survey, tmp_path_factory.mktemp("secret") / "secret.fits")])
        raw = (RawScienceFrame.OBJECT == NAME)[0]
        with session.transaction() as connection:
            insert_sources(connection, SLID, raw.object_id, _sources())
        assert raw._privileges == MYDB
        found = raw.object_id, raw.file_sha256
    bring(site, positions([RA], [1.0]), Given("secret.stars", level=MYDB), mine, "x")
    own_tables.create(site, mine, "mydb.hoard", positions([RA], [1.0]), "x")
    made = client.get(f"/target/BiasFrame/{found[0]}", headers=headers["A"])
    assert made.headers["VO-Status"] == "made", made.text
    sent = {"LANG": "ADQL", "QUERY": f"SELECT ra FROM secret.stars WHERE ra > {RA - 1}", "PHASE": "RUN"}
    job = client.post("/tap/async", data=sent, headers=headers["A"]).headers["Location"]
    with Holder(site) as holder:
        assert Worker(site, JOBS).run_one(holder)
    product = made.headers["Content-Location"].rpartition("/")[2]
    return Hidden(*found, product, job.rpartition("/")[2])


def another_exposure(survey: Path, path: Path) -> Path:
    """One of the survey, said to be of something else."""
    files = sorted((survey / "raw").rglob("*.fits*"))
    science = next(file for file in files if fits.getheader(file)["OBSTYPE"] == "SCIENCE")
    with fits.open(science) as opened:
        opened[0].header["OBJECT"] = NAME
        opened.writeto(path)
    return path


def _sources() -> Any:
    made = np.zeros(3, dtype=[(c.name, c.datatype.numpy) for c in COLUMNS if c.name != "slid"])
    made["sid"], made["ra"], made["dec"] = range(3), RA, 1.0
    return made


def told(response: TestResponse) -> tuple[Any, ...]:
    """Everything in an answer that could tell of something."""
    shown = {
        name: response.headers.get(name)
        for name in ("ETag", "Last-Modified", "Cache-Control", "Location", "Vary")
    }
    shown |= {name: value for name, value in response.headers.items() if name.startswith("VO-")}
    return response.status_code, response.mimetype, tuple(sorted(shown.items(), key=str)), response.get_data()


def look(client: FlaskClient, headers: dict[str, dict[str, str]]) -> Seen:
    pairs = [(who, door) for who in ("B", "stranger") for door in DOORS]
    return {(who, door): told(client.get(door, headers=headers[who])) for who, door in pairs}
