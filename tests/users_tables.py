"""What do the tests of tables of users share: an archive with its users, and ways to write and ask?"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from datamodel import catalogues, tokens
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.job_claims import Holder
from processing.classes import TABLES
from tests.accounts import bearer
from vo_server.app import JOBS, create_app
from vo_server.mydb import tables as own_tables
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

STARS = "ra,dec,Mag\n10.5,20.25,7.5\n11,21,8.5\n"
VOSI = """<?xml version="1.0"?><vosi:table xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0"
xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<name>ignored.name</name><description>Papers that cite us</description>
<column><name>article</name><description>Its number</description><ucd>meta.id</ucd>
<dataType xsi:type="vs:VOTableType" arraysize="30*">char</dataType><flag>indexed</flag></column>
<column><name>Count</name><unit>ct</unit><dataType xsi:type="vs:VOTableType">long</dataType></column>
<column><name>weight</name><dataType xsi:type="vs:TAPType">DOUBLE</dataType></column>
</vosi:table>"""

Headers = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without objects; accounts A and B are members of project P, C of project Q."""
    opened = begun(tmp_path_factory.mktemp("mydb"), new_database(), ("A", "P"), ("B", "P"), ("C", "Q"))
    yield opened
    opened.close()


def begun(folder: Path, database_url: str, *members: tuple[str, str]) -> Archive:
    """A new archive without objects, with accounts in projects; its clock stands still."""
    config = Config(archive=folder / "archive", database_url=database_url, project="P")
    opened = Archive(config, lambda: datetime(2026, 1, 1))
    opened.prepare(TABLES)
    for account, project in members:
        opened.add_account(account, project)
    update_tap_schema(opened, tables(opened.config))
    return opened


@pytest.fixture(scope="module")
def headers(shared: Archive) -> Headers:
    return {name: bearer(tokens.issue(shared, name)[1]) for name in "ABC"} | {"stranger": {}}


@pytest.fixture(scope="module")
def application(shared: Archive, headers: Headers) -> FlaskClient:
    made = create_app(shared).test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture
def client(
    shared: Archive, application: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """A client of the archive, whose users keep nothing yet; its configuration is as it was afterwards."""
    monkeypatch.setattr(shared, "config", shared.config)
    yield application
    for each in catalogues.known(shared).entries:
        own_tables.drop_known(shared, each)


def asked(client: FlaskClient, query: str, headers: dict[str, str]) -> str:
    sent = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": query}
    return client.post("/tap/sync", data=sent, headers=headers).text


def put(
    client: FlaskClient, name: str, headers: dict[str, str], data: str | bytes = STARS, mime: str = "text/csv"
) -> str:
    answer = client.put(f"/tap/tables/{name}", data=data, headers=headers, content_type=mime)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def run(archive: Archive) -> None:
    with Holder(archive) as holder:
        assert Worker(archive, JOBS).run_one(holder)


def job(client: FlaskClient, headers: dict[str, str], query: str, **parameters: str) -> str:
    """The path of a job that has run."""
    sent = {"LANG": "ADQL", "QUERY": query, "PHASE": "RUN", **parameters}
    url = client.post("/tap/async", data=sent, headers=headers).headers["Location"]
    run(client.application.extensions["archive"])
    return str(url[url.index("/tap/async") :])


QUERY = (
    "SELECT table_name, column_index, unit, ucd FROM tap_schema.columns WHERE table_name = 'tap_schema.keys'"
)
