"""Does pyvo log in: by a session of one's own, and by what the capabilities say?"""

import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import pyvo
import requests
from werkzeug.serving import make_server

from datamodel import tokens
from datamodel.archive import Archive
from processing.classes import TABLES
from tests import accounts as of_tests
from tests.accounts import PASSWORD, bearer, with_password
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

pytestmark = [  # pyvo leaves connections to be closed by whoever comes
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

cheap = of_tests.cheap

QUERY = "SELECT TOP 1 table_name FROM tap_schema.tables"


@pytest.fixture
def url(archive: Archive) -> Iterator[str]:
    """The URL of an archive where A has a password and B has none."""
    archive.prepare(TABLES)
    with_password(archive, "A")
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    update_tap_schema(archive, tables(archive.config))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_pyvo_is_known_by_a_token_and_by_what_the_capabilities_say(url: str, archive: Archive) -> None:
    with ExitStack() as sessions:
        by_token = sessions.enter_context(requests.Session())
        by_token.headers.update(bearer(tokens.issue(archive, "B")[1]))
        by_password = pyvo.auth.AuthSession()
        by_password.credentials.set_password("A", PASSWORD)
        for kept in by_password.credentials.credentials.values():
            sessions.enter_context(kept)
        for session, name in ((by_token, "B"), (by_password, "A")):
            service = pyvo.dal.TAPService(f"{url}/tap", session=session)
            if session is by_password:
                session.update_from_capabilities(service.capabilities)
            assert len(service.search(QUERY)) == 1
            job = service.submit_job(QUERY)
            assert job.owner == name
            job.delete()
    del service, job
    gc.collect()
