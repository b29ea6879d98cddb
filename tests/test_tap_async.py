"""Do asynchronous queries give what synchronous ones do, to clients that we did not write, in valid documents?"""

import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import pyvo
import requests
from astropy.io.votable import parse
from astropy.table import Table
from lxml import etree
from werkzeug.serving import make_server

from datamodel.archive import Archive
from datamodel.clock import utc_now
from datamodel.context import ANONYMOUS
from datamodel.errors import ArchiveError
from tests import templates as of_archives
from tests.templates import COMPLETE, Templates
from vo_server.app import JOBS, create_app
from vo_server.tap.adql.parser import parse as parse_adql
from vo_server.tap.jobs import work
from vo_server.tap.plan import plan
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.service import Task
from vo_server.uws.worker import Worker

pytestmark = [  # pyvo leaves connections to be closed by whoever comes
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SCHEMA = Path(__file__).parents[2] / "shared" / "schemas" / "ivoa" / "rec" / "UWS.xsd"
archive = of_archives.complete_archive

QUERY = "SELECT TOP 4 table_name, column_name FROM tap_schema.columns ORDER BY table_name, column_index"

XLINK = b"""<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/1999/xlink">
<attribute name="type" type="string"/><attribute name="href" type="anyURI"/></schema>"""


@pytest.fixture(scope="module")
def url(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a TAP service with one worker, on an archive that holds nothing but TAP_SCHEMA."""
    archive = templates.opened(COMPLETE, tmp_path_factory.mktemp("async") / "archive", utc_now)
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    update_tap_schema(archive, tables(archive.config))
    worker = Worker(archive, JOBS)
    worker.rehearse()
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.01,)),
        threading.Thread(target=worker.run),
    ]
    for each in threads:
        each.start()
    try:
        yield f"http://127.0.0.1:{server.port}/tap"
    finally:
        worker.stop()
        server.shutdown()
        for each in threads:
            each.join()
        server.server_close()
        archive.close()


@pytest.fixture(scope="module")
def service(url: str) -> pyvo.dal.TAPService:
    return pyvo.dal.TAPService(url)


def made(url: str, **parameters: str) -> str:
    """The URL of a new job."""
    answer = requests.post(
        f"{url}/async", data={"LANG": "ADQL", **parameters}, allow_redirects=False, timeout=60
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def ended(job: str) -> str:
    """The document of a job at its end."""
    while True:
        text = get(f"{job}?WAIT=-1").text
        if re.search("<uws:phase>(COMPLETED|ERROR|ABORTED)<", text):
            return text


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=90)


def test_an_asynchronous_query_gives_what_a_synchronous_one_does(service: pyvo.dal.TAPService) -> None:
    later, now = service.run_async(QUERY), service.run_sync(QUERY)
    assert len(later) == 4
    assert later.to_table().pformat() == now.to_table().pformat()
    assert [repr(f) for f in later.fielddescs] == [repr(f) for f in now.fielddescs]


def test_a_job_is_kept_listed_changed_and_deleted(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job(QUERY, runid="kept", maxrec=2)
    assert (job.phase, job.owner, job.quote) == ("PENDING", None, None)
    job.execution_duration = 20
    assert job.execution_duration.value == 20
    job.run()
    job.wait()
    assert job.phase == "COMPLETED"
    assert len(job.fetch_result()) == 2
    assert [each.jobid for each in service.get_job_list(last=1)] == [job.job_id]
    assert job.job_id in {each.jobid for each in service.get_job_list(phases=["COMPLETED"])}
    assert job.job_id not in {each.jobid for each in service.get_job_list(phases=["ERROR", "QUEUED"])}
    job.delete()
    assert job.job_id not in {each.jobid for each in service.get_job_list()}


def test_a_bad_query_makes_a_job_that_is_an_error(url: str, service: pyvo.dal.TAPService) -> None:
    with pytest.raises(pyvo.dal.DALQueryError, match="did you mean 'table_name'"):
        service.run_async("SELECT table_nam FROM tap_schema.tables")
    for parameters in ({"QUERY": "SELEC"}, {}, {"QUERY": QUERY, "FORMAT": "papyrus"}):
        job = made(url, PHASE="RUN", **parameters)
        assert "<uws:phase>ERROR<" in ended(job)
        (info,) = parse(io.BytesIO(get(f"{job}/error").content)).resources[0].infos
        assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
        assert get(f"{job}/results/result").status_code == 404


def test_the_format_that_is_asked_for_is_the_one_that_comes(url: str) -> None:
    job = made(url, QUERY=QUERY, PHASE="RUN", RESPONSEFORMAT="csv", REQUEST="doQuery")
    text = ended(job)
    assert '<uws:parameter id="REQUEST">doQuery</uws:parameter>' in text
    answer = get(f"{job}/results/result")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=result.csv"
    assert len(answer.text.splitlines()) == 5
    assert f'size="{len(answer.content)}"' in text


def test_a_job_brings_tables_along(service: pyvo.dal.TAPService) -> None:
    mine = Table({"name": ["tap_schema.keys", "none"], "number": [3, 4]})
    query = (
        "SELECT t.table_name, u.number FROM TAP_UPLOAD.mine AS u "
        "JOIN tap_schema.tables AS t ON t.table_name = u.name"
    )
    found = service.run_async(query, uploads={"mine": mine}).to_table()
    assert [tuple(row) for row in found] == [("tap_schema.keys", 3)]


def test_a_running_query_is_interrupted(url: str) -> None:
    columns = ", ".join(f"tap_schema.columns AS {name}" for name in "abcde")
    together = " || ".join(f"{name}.column_name" for name in "abcde")
    job = made(url, QUERY=f"SELECT COUNT(*) AS n FROM {columns} WHERE {together} = 'x'", PHASE="RUN")
    text = get(f"{job}?WAIT=-1&PHASE=QUEUED").text
    assert "<uws:phase>EXECUTING<" in text
    requests.post(f"{job}/phase", data={"PHASE": "ABORT"}, timeout=60)
    assert get(f"{job}/phase").text == "ABORTED"
    after = made(url, QUERY=QUERY, PHASE="RUN")
    assert "<uws:phase>COMPLETED<" in ended(after), "the one worker is free again"


def test_a_slow_job_is_in_the_log_of_slow_queries(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive.config = replace(archive.config, slow_query_seconds=0.0)
    asked = (("LANG", "ADQL"), ("QUERY", QUERY))
    (output,) = work(Task(archive, ANONYMOUS, "address 192.0.2.7", asked, tmp_path, 60, lambda: False))
    for _ in output.chunks:
        pass
    (told,) = [message for message in caplog.messages if message.startswith("slow query")]
    assert re.match(r"slow query of address 192\.0\.2\.7: \d+\.\d s, 4 rows\n {4}\| SELECT TOP 4", told)


@pytest.mark.parametrize("format", ["votable/td", "csv", "fits"])
def test_an_answer_that_cannot_be_written_is_an_error_in_any_format(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """A VOTable can tell of a failure inside, but the job has to say so."""
    asked = (("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", format))
    (output,) = work(Task(archive, ANONYMOUS, "A", asked, tmp_path, 60, lambda: False))
    failing = Mock(side_effect=ArchiveError("a text is longer than its arraysize says"))
    for place in ("tabledata.encode", "text.cells", "fits._narrowed"):
        monkeypatch.setattr(f"vo_server.formats.{place}", failing)
    with pytest.raises(ArchiveError, match="longer than its arraysize"):
        list(output.chunks)
    assert archive.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_scripts_of_other_sites_do_not_see_the_jobs_of_an_address(url: str) -> None:
    """A browser sends them from the address of who looks at such a site, and says whose script it is."""
    job = made(url, QUERY=QUERY)
    origin = url.removesuffix("/tap")
    id = job.rpartition("/")[2]
    assert id in get(f"{url}/async").text
    assert id in get(f"{url}/async", Origin=origin).text
    for elsewhere in (
        "https://elsewhere.example",
        "null",
        f"{origin}.elsewhere.example",
        "http://127.0.0.1:9",
    ):
        answer = get(f"{url}/async", Origin=elsewhere)
        assert (answer.status_code, id in answer.text) == (200, False)
        assert "no-store" in answer.headers["Cache-Control"]
        assert get(job, Origin=elsewhere).status_code == 200, "who has made a job knows it"


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schemas are not here")
def test_the_documents_are_valid(url: str) -> None:
    jobs = [
        made(url, QUERY=QUERY),
        made(url, QUERY=QUERY, RUNID='a <b> & "c" \x01é', PHASE="RUN"),
        made(url, QUERY="SELECT", PHASE="RUN"),
    ]
    for job in jobs[1:]:
        ended(job)
    schema = uws_schema()
    places = ["", "/parameters", "/results"]
    documents = [f"{job}{place}" for job in jobs for place in places]
    for place in [*documents, f"{url}/async", f"{url}/async?LAST=1", f"{url}/async?PHASE=HELD"]:
        answer = get(place)
        assert answer.headers["Content-Type"].startswith("text/xml")
        document = etree.fromstring(answer.content)
        assert schema.validate(document), f"{place}: {schema.error_log}"
        if place.endswith(places[0]) and document.tag.endswith(("}job", "}jobs")):
            assert document.get("version") == "1.1"


def uws_schema() -> etree.XMLSchema:
    class Local(etree.Resolver):
        def resolve(self, system_url: str, public_id: Any, context: Any) -> Any:
            return self.resolve_string(XLINK, context) if "xlink" in system_url.lower() else None

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local())
    return etree.XMLSchema(etree.parse(SCHEMA, parser))


@pytest.mark.clients
def test_astroquery_runs_and_finds_its_jobs(url: str) -> None:
    from astroquery.utils.tap.core import TapPlus

    service = TapPlus(url=url)
    job = service.launch_job_async(QUERY, name="mine")
    assert len(job.get_results()) == 4
    again = service.load_async_job(jobid=job.jobid)
    assert len(again.get_results()) == 4
    assert job.jobid in [each.jobid for each in service.list_async_jobs()]
    with pytest.raises(requests.exceptions.HTTPError, match="unknown column"):
        service.launch_job_async("SELECT nope FROM tap_schema.tables").get_results()


PLANS = {
    "SELECT TOP 5 s.ra FROM a.s AS s JOIN b.o ON 1 = CONTAINS(POINT(s.ra, s.dec), o.s_region) ORDER BY s.ra DESC": (
        "read a.s as s|inner join with b.o|  by position, s.ra, s.dec, o.s_region|sort by s.ra, descending|"
        "stop after 5 rows|give 9 rows at the most"
    ),
    "SELECT x FROM t WHERE y > 1 AND x IN (SELECT z FROM u) OFFSET 2": (
        "read t|keep rows by y, x|  compared with:|    read u|pass over 2 rows|give 9 rows at the most"
    ),
    "SELECT DISTINCT c, COUNT(*) AS n FROM t GROUP BY c HAVING MAX(d) > 1": (
        "read t|group by c|keep groups by d|drop rows that are there already|give 9 rows at the most"
    ),
    "WITH w AS (SELECT AVG(x) AS m FROM t) SELECT m FROM w UNION ALL SELECT y FROM (SELECT y FROM v) AS q": (
        "find w:|  read t|  summarize all rows into one|take:|  read w|UNION ALL with:|  read the rows of q:|"
        "    read v|give 9 rows at the most"
    ),
}


@pytest.mark.parametrize("query", PLANS)
def test_a_plan_says_in_the_querys_own_names_what_is_done(query: str) -> None:
    assert plan(parse_adql(query), 9).replace("\n", "|") == PLANS[query]


def test_a_plan_has_an_end() -> None:
    query = " UNION ".join(["SELECT x FROM t"] * 150)
    lines = plan(parse_adql(query), 9).splitlines()
    assert len(lines) == 61
    assert lines[-1].startswith("... and ")
    columns = " AND ".join(f"column_{n} = {n}" for n in range(2000))
    (_, filtered, _) = plan(parse_adql(f"SELECT x FROM t WHERE {columns}"), 9).splitlines()
    assert filtered.startswith("keep rows by column_0, column_1, column_2, ")
    assert filtered.endswith(" ...")
    assert len(filtered) < 510
