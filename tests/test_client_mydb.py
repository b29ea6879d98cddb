"""Do pyvo's own ways to make, fill, index, ask, save and remove tables work here? Does STILTS read them?"""

import gc
import io
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import pyvo
import requests
from astropy.table import Table
from pyvo.utils import activate_features
from werkzeug.serving import make_server

from datamodel import projects, tokens
from datamodel.archive import Archive
from processing.classes import TABLES
from tests.accounts import bearer
from tests.catalogues import positions
from vo_server.app import JOBS, create_app
from vo_server.mydb import tables as own_tables
from vo_server.mydb.publishing import publish
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

pytestmark = [  # pyvo leaves connections to be closed by whoever comes
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.clients,
]

TABLE = b"""<vosi:table xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0"
xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<name>mydb.stars</name>
<column><name>name</name><dataType xsi:type="vs:VOTableType" arraysize="*">char</dataType></column>
<column><name>ra</name><unit>deg</unit><dataType xsi:type="vs:VOTableType">double</dataType></column>
<column><name>dec</name><unit>deg</unit><dataType xsi:type="vs:VOTableType">double</dataType></column>
</vosi:table>"""


@pytest.fixture
def url(archive: Archive) -> Iterator[str]:
    """The URL of a TAP service with one worker."""
    archive.prepare(TABLES)
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    update_tap_schema(archive, tables(archive.config))
    worker = Worker(archive, JOBS)
    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=worker.run)]
    for each in threads:
        each.start()
    yield f"http://127.0.0.1:{server.port}/tap"
    worker.stop()
    server.shutdown()
    for each in threads:
        each.join()
    server.server_close()


def test_pyvo_makes_fills_indexes_asks_and_removes_tables(url: str, archive: Archive) -> None:
    activate_features("cadc-tb-upload")
    with ExitStack() as sessions:
        session = sessions.enter_context(requests.Session())
        session.headers.update(bearer(tokens.issue(archive, "A")[1]))
        service = pyvo.dal.TAPService(url, session=session)
        service.create_table("mydb.stars", io.BytesIO(TABLE))
        assert len(service.search("SELECT * FROM mydb.stars")) == 0
        service.load_table("mydb.stars", io.BytesIO(b"name\tra\tdec\nVega\t279.23\t38.78\n"), format="tsv")
        service.load_table("mydb.stars", io.BytesIO(b"dec,ra,name\n-16.7,101.3,Sirius\n"), format="csv")
        fits = io.BytesIO()
        Table({"name": ["Deneb"], "ra": [310.36], "dec": [45.28]}).write(fits, format="fits")
        service.load_table("mydb.stars", io.BytesIO(fits.getvalue()), format="FITSTable")
        service.create_index("mydb.stars", "name")
        found = service.search("SELECT name FROM mydb.stars ORDER BY dec").to_table()
        assert list(found["name"]) == ["Sirius", "Vega", "Deneb"]
        assert "mydb.stars" in service.tables  # pyvo 1.9 asks for the columns without the session
        job = service.submit_job("SELECT name, ra FROM mydb.stars WHERE dec > 0", mydb="north")
        job.run().wait(phases=["COMPLETED", "ERROR"], timeout=30)
        job.raise_if_error()
        assert len(job.fetch_result()) == 2
        job.delete()
        assert len(service.search("SELECT * FROM mydb.north")) == 2
        copied = io.BytesIO()
        service.search("SELECT * FROM mydb.north").votable.to_xml(copied)
        service.create_table("mydb.copy", io.BytesIO(copied.getvalue()), format="VOTable")
        assert len(service.search("SELECT * FROM mydb.copy")) == 2
        for name in ("stars", "north", "copy"):
            service.remove_table(f"mydb.{name}")
        with pytest.raises(requests.HTTPError, match="404"):
            service.remove_table("mydb.stars")
        stranger = pyvo.dal.TAPService(url, session=sessions.enter_context(requests.Session()))
        with pytest.raises(requests.HTTPError, match="401"):
            stranger.create_table("mydb.stars", io.BytesIO(TABLE))
    del service, stranger, job
    gc.collect()


def test_stilts_reads_a_table_of_a_user_that_the_world_sees(
    url: str, archive: Archive, stilts: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """STILTS before 3.4-9 cannot log in, and so sees no other."""
    projects.set_member(archive, "P", "A", is_manager=True)
    caller = archive.caller("A")
    own_tables.create(archive, caller, "stars", positions([1.0, 2.0], [3.0, 4.0]), "x")
    query = "adql=SELECT ra FROM mydb__41.stars ORDER BY ra"
    asked = ("tapquery", f"tapurl={url}", "sync=true", query, "ofmt=csv")
    refused = stilts(*asked)
    assert (refused.returncode != 0, "unknown table" in refused.stderr) == (True, True)
    publish(archive, caller, "stars", 4)
    found = stilts(*asked)
    assert found.stdout.split() == ["ra", "1.0", "2.0"], found.stderr
