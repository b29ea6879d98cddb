"""Can anybody see, count, guess or time what is in another's MyDB, through any door of the server?

A stranger, an account of the same project and a wrong token try. What they are told of hidden things must be what they
are told of things that there are not, to the letter and to the statement; and what they are told of everything must be
what they were told before the hidden things came.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from astropy.io import fits
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel import projects, tokens
from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.context import MYDB
from datamodel.frames import RawScienceFrame
from datamodel.job_claims import Holder
from datamodel.session import Session
from datamodel.sources import COLUMNS, insert_sources
from datamodel.store import Store
from processing.bias_frame import BiasFrame
from processing.execute import Execution
from processing.ingest import ingest
from processing.plan import Planner
from processing.standing_check import differences
from tests.accounts import bearer
from tests.catalogues import positions
from tests.sent import sent_to
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
        ingest(session, [_exposure(survey, tmp_path_factory.mktemp("secret") / "secret.fits")])
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


def _exposure(survey: Path, path: Path) -> Path:
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


def test_what_tells_of_many_things_tells_others_what_it_told_before(
    client: FlaskClient, headers: dict[str, dict[str, str]], before: Seen, hidden: Hidden
) -> None:
    seen = {door: client.get(door, headers=headers["A"]).text for door in DOORS}
    assert hidden.raw in seen[asked(QUERIES[3])]
    assert seen[asked(QUERIES[5])].count(str(SLID)) == 3
    assert str(RA) in seen[asked("SELECT * FROM secret.stars")]
    assert "secret.stars" in seen["/tap/tables"]
    assert "mydb.hoard" in seen["/tap/tables"]
    assert str(RA) in seen[asked("SELECT * FROM mydb__41.hoard")]
    assert hidden.job in seen["/tap/async"]
    assert hidden.job in seen["/query/jobs"]
    after = look(client, headers)
    assert {key: (before[key], value) for key, value in after.items() if value != before[key]} == {}


def test_a_hidden_thing_is_answered_as_one_that_is_not_there(
    site: Archive,
    client: FlaskClient,
    headers: dict[str, dict[str, str]],
    hidden: Hidden,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = new_object_id()
    did = quote("ivo://example.org/archive?", safe="")
    doors = (
        "/data/{}",
        "/object/{}",
        "/object/{}/thumbnail.png",
        "/object/{}/preview.png",
        "/target/RawScienceFrame/{}",
        "/target/ReducedScienceFrame/{}",
        "/target/BiasFrame/{}",
        f"/datalink/links?ID={did}target%2FReducedScienceFrame%2F{{}}",
        f"/datalink/links?ID={did}target%2FRawScienceFrame%2F{{}}",
        f"/datalink/links?ID={did}object%2F{{}}",
        f"/datalink/page?ID={did}object%2F{{}}",
        asked("SELECT * FROM archive.dbobject WHERE object_id = '{}'").replace("%7B%7D", "{}"),
        asked("SELECT ivo_nocasematch('{}', 'x') AS x FROM archive.chip").replace("%7B%7D", "{}"),
    )
    digest = {"If-None-Match": f'"{hidden.digest}"'}, {"If-Match": f'"{hidden.digest}"'}
    ways = [("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-10"}), *(("GET", each) for each in digest)]
    for door in doors[:6]:
        shown = client.get(door.format(hidden.raw), headers=headers["A"])
        assert (shown.status_code, bool(shown.cache_control.public)) == (200, False)
    for cls, name in ((Store, "path"), (Execution, "run"), (Planner, "node"), (Planner, "node_of")):
        monkeypatch.setattr(cls, name, lambda *_a, _name=name, **_k: pytest.fail(f"{_name} was called"))
    tried = list(product(("B", "stranger"), doors, (hidden.raw, hidden.product), ways[:1]))
    tried += product(("B", "stranger"), doors[:6], (hidden.raw,), ways[1:])
    for who, door, id, (method, trick) in tried:
        answers = []
        for which in (id, absent):
            with sent_to(site) as sent:
                answer = client.open(door.format(which), method=method, headers=headers[who] | trick)
            noted = [text.replace(which, "ID") for text in sent if "catalogue_state" not in text]
            answers.append((without(which, told(answer)), noted))  # that one is looked at once a second
        assert answers[0] == answers[1], (who, door, method, trick)
    for name in ("secret.stars", "absent.stars"):
        refused = client.get(f"/tap/tables/{name}", headers=headers["B"])
        assert (refused.status_code, refused.text.count("secret")) == (404, int(name == "secret.stars"))


def test_the_tables_of_another_are_changed_by_nobody_and_told_of_by_no_error(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    """B, whose own table of that name is hers alone, is told what she would be told of a table that there is not."""
    for method, path in (("DELETE", "tables"), ("POST", "load")):
        answers = []
        for name in ("hoard", "absnt"):
            refused = client.open(
                f"/tap/{path}/mydb__41.{name}", method=method, data="ra\n1\n", headers=headers["B"]
            )
            answers.append((refused.status_code, refused.text.replace(name, "NAME")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    for data in ({"TABLE": "mydb__41.hoard", "INDEX": "ra"}, {"TABLE": "mydb.hoard", "INDEX": "ra"}):
        assert client.post("/tap/table-update", data=data, headers=headers["B"]).status_code == 404
    made = client.put("/tap/tables/mydb.hoard", data="ra\n5\n", headers=headers["B"])
    assert (made.status_code, client.delete("/tap/tables/mydb.hoard", headers=headers["B"]).status_code) == (
        201,
        200,
    )
    own_tables.require_own(own_tables.found(site, "mydb.hoard", site.caller("A")), site.caller("A"))


def test_tables_that_come_along_join_nothing_hidden(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    query = "SELECT t.id, r.object FROM TAP_UPLOAD.t AS t JOIN archive.raw_science_frame AS r ON r.object_id = t.id"
    found = {}
    for who in ("A", "B", "stranger"):
        sent = {
            "LANG": "ADQL",
            "QUERY": query,
            "RESPONSEFORMAT": "csv",
            "UPLOAD": "t,param:t",
            "t": (io.BytesIO(f"id\n{hidden.raw}\n".encode()), "t.csv"),
        }
        answer = client.post("/tap/sync", data=sent, headers=headers[who])
        assert answer.status_code == 200, answer.text
        found[who] = NAME in answer.text
    assert found == {"A": True, "B": False, "stranger": False}


def test_the_job_of_another_is_not_seen_changed_or_ended(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    url = f"/tap/async/{hidden.job}"
    result = client.get(f"{url}/results/result", headers=headers["A"])
    assert (result.status_code, str(RA) in result.text or len(result.data) > 100) == (200, True)
    parts = (
        "",
        "/phase",
        "/owner",
        "/quote",
        "/parameters",
        "/parameters/query",
        "/results",
        "/results/result",
        "/error",
    )
    for who in ("B", "stranger"):
        for part in parts:
            for method in ("GET", "HEAD"):
                refused = client.open(url + part, method=method, headers=headers[who])
                assert (refused.status_code, "secret" in refused.text) == (403, False)
        for part, data in (
            ("", {"ACTION": "DELETE"}),
            ("/phase", {"PHASE": "ABORT"}),
            ("/destruction", {"DESTRUCTION": "2030-01-01T00:00:00Z"}),
            ("/executionduration", {"EXECUTIONDURATION": "1"}),
            ("/parameters", {"QUERY": "SELECT 1"}),
        ):
            assert client.post(url + part, data=data, headers=headers[who]).status_code == 403
        assert client.delete(url, headers=headers[who]).status_code == 403
    assert client.get(f"{url}/phase", headers=headers["A"]).text == "COMPLETED"


def test_a_job_of_another_caller_is_told_nothing_either(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    for who in ("B", "stranger"):
        texts = []
        for name in ("secret", "absent"):
            sent = {"LANG": "ADQL", "QUERY": f"SELECT * FROM {name}.stars", "PHASE": "RUN"}
            job = client.post("/tap/async", data=sent, headers=headers[who]).headers["Location"]
            with Holder(site) as holder:
                assert Worker(site, JOBS).run_one(holder)
            url = job.removeprefix("http://127.0.0.1:8000")
            texts.append(client.get(f"{url}/error", headers=headers[who]).text.replace(name, "NAME"))
        assert "unknown table" in texts[0]
        assert texts[0] == texts[1]


def test_a_wrong_token_opens_nothing_and_a_second_reader_gets_no_copy(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    doors = (
        f"/data/{hidden.raw}",
        f"/object/{hidden.raw}",
        f"/object/{hidden.raw}/thumbnail.png",
        f"/tap/async/{hidden.job}",
        *DOORS,
    )
    for door in doors:
        own = client.get(door, headers=headers["A"])
        assert own.headers["X-VO-Authenticated"] == "A"
        assert own.cache_control.private is not None
        assert not own.cache_control.public
        assert {"Authorization", "Cookie"} <= set(own.vary)
        refused = client.get(door, headers=bearer("vo_token_wrong"))
        assert (refused.status_code, NAME in refused.text) == (401, False)


def test_what_is_published_is_told_to_everybody_by_every_service(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    """The last test here: afterwards nothing is hidden any more."""
    projects.set_member(site, "P", "A", is_manager=True)
    lists = asked(QUERIES[5])
    target = quote(NAME)
    doors = (f"/sia2/query?TARGET={target}&RESPONSEFORMAT=csv", asked(QUERIES[3]), lists)
    before = [client.get(door, headers=headers["stranger"]).text for door in doors]
    with Session(site, site.caller("A", "P", MYDB)) as session:
        made = session.load(BiasFrame, hidden.product)
        assert made.publish(4, deep=False, lineage="redacted").hidden
        assert differences(session) == []
        made.publish(4)
        (RawScienceFrame.OBJECT == NAME)[0].publish(4)
        assert differences(session) == []
    after = [client.get(door, headers=headers["stranger"]).text for door in doors]
    assert [NAME in text for text in before[:1]] == [False]
    assert (NAME in after[0], hidden.raw in after[1], after[2].count(str(SLID))) == (True, True, 3)
    assert hidden.raw not in "".join(before)
    for door in (f"/data/{hidden.raw}", f"/data/{hidden.product}", f"/object/{hidden.raw}"):
        assert client.get(door).status_code == 200
