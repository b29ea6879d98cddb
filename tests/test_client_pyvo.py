"""Does pyvo get what it asks of a live service: answers, jobs, tables, examples, what belongs to a row?"""

import io
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvo
import requests
from astropy.table import Table
from astropy.time import Time

pytestmark = [
    pytest.mark.clients,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # pyvo leaves connections to others
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVERYTHING = Path(__file__).parent / "tables" / "everything.vot"
SLOW = (
    "SELECT COUNT(*) FROM gaia.bright AS a, gaia.bright AS b, gaia.bright AS c "
    "WHERE SIN(a.ra) + SIN(b.ra) + SIN(c.ra) > 2.9"
)


@pytest.fixture(scope="module")
def service(served: Any) -> pyvo.dal.TAPService:
    return pyvo.dal.TAPService(served.tap)


def test_every_datatype_is_read_alike_at_once_and_from_a_job(service: pyvo.dal.TAPService) -> None:
    query = "SELECT * FROM small.votable ORDER BY n"
    now, later = service.run_sync(query), service.run_async(query)
    assert (now.query_status, len(now)) == ("OK", 3)
    original = Table.read(EVERYTHING)
    original["taken"] = [Time(text).isot if text else "" for text in original["taken"]]
    for answer in (now.to_table(), later.to_table()):
        for name in original.colnames:
            given, got = original[name], answer[name]
            assert got.unit == given.unit, name
            for mine, its in zip(given, got, strict=True):
                assert np.array_equal(np.ma.getmaskarray(its), np.ma.getmaskarray(mine)), name
                assert np.array_equal(np.ma.filled(its, 0), np.ma.filled(mine, 0)), name


def test_rows_that_are_cut_off_are_told_of(service: pyvo.dal.TAPService) -> None:
    for run in (service.run_sync, service.run_async):
        asked_for = run("SELECT n, ra FROM small.csv", maxrec=2)
        assert (len(asked_for), asked_for.query_status) == (2, "OVERFLOW")
        with pytest.warns(pyvo.dal.exceptions.DALOverflowWarning, match="truncated due to server limits"):
            assert len(run("SELECT a.source_id FROM gaia.bright AS a, gaia.bright AS b")) == service.maxrec
    with pytest.warns(pyvo.dal.exceptions.DALOverflowWarning):
        none = service.run_sync("SELECT n, ra FROM small.csv", MAXREC=0)  # as maxrec, it would not be sent
    assert (len(none), none.fieldnames, none.query_status) == (0, ("n", "ra"), "OVERFLOW")


def test_tables_come_along_from_wherever_they_are(
    service: pyvo.dal.TAPService, served: Any, tmp_path: Path
) -> None:
    table = Table({"n": [1, 2, 3], "z": [0.1, 0.2, 0.3]})
    table.write(tmp_path / "file.vot", format="votable")
    earlier = service.submit_job("SELECT n, mag FROM small.csv").run()
    earlier.wait()
    query = (
        "SELECT one.n, two.z + three.z AS z, four.ra, five.dec, six.mag FROM TAP_UPLOAD.one AS one "
        "JOIN TAP_UPLOAD.two ON one.n = two.n JOIN TAP_UPLOAD.three ON one.n = three.n "
        "JOIN TAP_UPLOAD.four ON one.n = four.n JOIN TAP_UPLOAD.five ON one.n = five.n "
        "JOIN TAP_UPLOAD.six ON one.n = six.n ORDER BY one.n"
    )
    for run in (service.run_sync, service.run_async):
        uploads = {
            "one": table,
            "two": str(tmp_path / "file.vot"),
            "three": io.BytesIO((tmp_path / "file.vot").read_bytes()),
            "four": service.run_sync("SELECT n, ra FROM small.csv"),
            "five": f"{served.tap}/sync?LANG=ADQL&QUERY=SELECT+n%2C+dec+FROM+small.csv",
            "six": earlier,
        }
        found = run(query, uploads=uploads)
        assert found["z"].tolist() == pytest.approx([0.2, 0.4, 0.6])
        assert found["ra"].tolist() == [34.75, 359.999, 0.001]
        assert found["dec"].tolist() == [57.13, -89.5, 0.0]
        assert found["mag"].tolist()[::2] == [11.5, -1.25]
    earlier.delete()


def test_a_job_is_made_changed_run_and_deleted(service: pyvo.dal.TAPService) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    job = service.submit_job("SELECT n FROM small.csv", runid="mine", maxrec=7)
    assert (job.phase, job.job.runid) == ("PENDING", "mine")
    job.execution_duration = 17
    wanted = datetime.now(UTC) + timedelta(days=2)
    job.destruction = wanted
    assert job.execution_duration.value == 17
    assert abs(job.destruction.to_datetime(UTC) - wanted) < timedelta(seconds=1)
    job.query = "SELECT n, ra FROM small.csv ORDER BY n"
    assert "SELECT n, ra" in job.query
    with pytest.raises(pyvo.dal.DALServiceError):
        job.fetch_result()
    job.run().wait(timeout=60)
    job.raise_if_error()
    assert job.phase == "COMPLETED"
    assert job.fetch_result()["ra"].tolist() == [34.75, 359.999, 0.001]
    assert len(job.result_uris) == 1
    assert job.job_id in {each.jobid for each in service.get_job_list()}
    assert [each.jobid for each in service.get_job_list(last=1)] == [job.job_id]
    assert job.job_id in {each.jobid for each in service.get_job_list(after=began)}
    assert job.job_id not in {each.jobid for each in service.get_job_list(phases="ERROR")}
    again = pyvo.dal.AsyncTAPJob(job.url)
    assert (again.phase, again.query) == ("COMPLETED", job.query)
    url = job.url
    job.delete()
    assert requests.get(url, timeout=60).status_code == 404


def test_a_job_is_aborted(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job(SLOW).run()
    while job.phase == "QUEUED":
        time.sleep(0.05)
    assert job.phase == "EXECUTING"
    job.abort()
    assert job.phase == "ABORTED"
    job.delete()


def test_a_job_that_fails_says_why(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job("SELECT nn FROM small.csv").run()
    job.wait(phases=["ERROR", "COMPLETED"], timeout=60)
    with pytest.raises(pyvo.dal.DALQueryError, match="unknown column 'nn'"):
        job.raise_if_error()
    job.delete()
    with pytest.raises(pyvo.dal.DALQueryError, match="did you mean 'small"):
        service.run_sync("SELECT n FROM smal.csv")


def test_tables_are_looked_at_one_by_one(service: pyvo.dal.TAPService) -> None:
    names = list(service.tables.keys())
    assert {"archive.sources", "ivoa.obscore", "gaia.bright", "hipparcos.main", "small.votable"} <= set(names)
    original = Table.read(EVERYTHING)
    columns = {column.name: column for column in service.tables["small.votable"].columns}
    assert {name.strip('"') for name in columns} == {*original.colnames, "hpx29"}
    assert {columns[name].unit for name in ("ra", "dec")} == {"deg"}
    assert service.tables["gaia.bright"].description.startswith("The 2,411 stars of Gaia DR3")


def test_every_example_is_answered(service: pyvo.dal.TAPService) -> None:
    examples = service.examples
    assert len(examples) >= 10
    for example in examples:
        example.execute()


def test_what_a_client_must_know_is_in_the_capabilities(service: pyvo.dal.TAPService) -> None:
    language = service.get_tap_capability().get_adql()
    assert language.get_udf("ivo_healpix_index").form.startswith("ivo_healpix_index(")
    assert "parallax" in language.get_udf("ivo_epoch_prop_pos").description
    assert language.get_feature("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo", "POLYGON")
    assert (service.maxrec, service.hardlimit) == (10_000, 20_000_000)
    assert {method.ivo_id.rpartition("#")[2] for method in service.upload_methods} >= {
        "upload-inline",
        "upload-http",
    }


@pytest.mark.parametrize(
    "query",
    [
        "SELECT obs_publisher_did, access_url, access_format, obs_id FROM ivoa.obscore WHERE calib_level = 1",
        "SELECT obs_publisher_did FROM ivoa.obscore WHERE calib_level = 1",
    ],
    ids=["by access_url", "by the descriptor of the service"],
)
def test_rows_lead_to_what_belongs_to_them(query: str, service: pyvo.dal.TAPService) -> None:
    found = service.run_sync(f"{query} ORDER BY obs_publisher_did", maxrec=10_000)
    row = found[0]
    links = row.getdatalink()
    assert {link["ID"] for link in links} == {row["obs_publisher_did"]}
    this = next(links.bysemantics("#this", include_narrower=False))
    file = this.getdataset() if hasattr(this, "getdataset") else requests.get(this["access_url"], timeout=60)
    assert file.read(6) == b"SIMPLE"


def test_many_rows_lead_to_their_links_at_once(service: pyvo.dal.TAPService) -> None:
    found = service.run_sync("SELECT TOP 3 obs_publisher_did FROM ivoa.obscore WHERE calib_level = 1")
    links = found.iter_datalinks(preserve_order=True)
    assert [next(iter(each))["ID"] for each in links] == list(found["obs_publisher_did"])
    links = found.iter_datalinks()  # one request for all
    assert {next(iter(each))["ID"] for each in links} == set(found["obs_publisher_did"])


def test_the_document_of_an_answer_is_the_one_that_is_kept(service: pyvo.dal.TAPService) -> None:
    found = service.run_sync("SELECT n, mag FROM small.csv")
    kept = io.BytesIO()
    found.votable.to_xml(kept)
    assert len(Table.read(io.BytesIO(kept.getvalue()), format="votable")) == 3
