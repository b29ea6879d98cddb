"""Does a person who logs in with a browser get their own answers and jobs, and can they leave? Chromium tries."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from datamodel import account_changes, jobs
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import MYDB, Caller
from processing.opening import open_archive
from tests import accounts as of_tests
from tests.accounts import PASSWORD
from tests.catalogues import positions
from vo_server.app import JOBS, create_app
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

pytestmark = pytest.mark.clients
playwright = pytest.importorskip("playwright.sync_api")
browsing = pytest.importorskip("tests.test_query_page_browser")
browser = browsing.browser
cheap = of_tests.cheap


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive where eve has a password and a catalogue of her own."""
    opened = open_archive(Config(archive=tmp_path / "archive"))
    update_tap_schema(opened, tables(opened.config))
    account_changes.add(opened, "eve", password=PASSWORD)
    bring(opened, positions([1.5], [2.0]), Given("secret.stars", level=MYDB), Caller("eve", "P"), "x")
    yield opened
    opened.close()


@pytest.fixture
def served(archive: Archive) -> Iterator[str]:
    """Its URL, with a worker for jobs."""
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    worker = Worker(archive, JOBS)
    threads = [threading.Thread(target=each) for each in (server.serve_forever, worker.run)]
    for thread in threads:
        thread.start()
    yield f"http://127.0.0.1:{server.port}"
    worker.stop()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()


def test_a_person_logs_in_asks_has_a_job_and_leaves(
    archive: Archive, served: str, browser: "playwright.Browser"
) -> None:
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/query")
    page.click("text=Log in")
    page.fill("#username", "eve")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url(f"{served}/query")
    page.wait_for_selector("html.ready")
    assert page.inner_text("header .account span") == "eve"
    page.fill("#query", "SELECT ra FROM secret.stars")
    page.click("#run")
    page.wait_for_selector("#answer td:has-text('1.5')")
    page.click("#background")
    page.wait_for_selector("#jobs li .status:has-text('completed')")
    (mine,) = jobs.listed(archive, "tap", archive.caller("eve"), "eve")
    assert mine.owner == "eve"
    page.click("#jobs button:has-text('Delete')")
    page.wait_for_selector("#jobs li", state="detached")
    assert list(jobs.listed(archive, "tap", archive.caller("eve"), "eve")) == []
    page.click("header .account button")
    page.wait_for_selector("header >> text=Log in")
    assert "secret" not in page.goto(f"{served}/tap/tables").text()
    assert complaints == []
    context.close()
