"""Does a person get an answer on the query page? Chromium types, runs, errs, downloads and waits for a job."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io.votable import parse_single_table
from werkzeug.serving import make_server

from datamodel.config import Config
from processing.opening import open_archive
from vo_server.app import JOBS, create_app
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

pytestmark = pytest.mark.clients
playwright = pytest.importorskip("playwright.sync_api")

COUNT = "SELECT COUNT(*) AS n FROM tap_schema.columns"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a served archive of its own, with a worker for jobs."""
    archive = open_archive(Config(archive=tmp_path_factory.mktemp("browsed") / "archive"))
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    update_tap_schema(archive, tables(archive.config))
    worker = Worker(archive, JOBS)
    threads = [threading.Thread(target=each) for each in (server.serve_forever, worker.run)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        worker.stop()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
        archive.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    """A Chromium of the system, without a window."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(served: str, browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """The query page, open; at the end nothing may have been blocked, failed or asked for elsewhere."""
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(8000)
    opened = context.new_page()
    complaints: list[str] = []
    expected = "the server responded with a status of 400"  # the browser notes each query that was refused
    opened.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: asked.url.startswith(served) or complaints.append(asked.url))
    opened.goto(f"{served}/query?q=")
    opened.wait_for_selector("html.ready")
    yield opened
    assert [said for said in complaints if expected not in said] == []
    context.close()


def write(page: "playwright.Page", text: str) -> None:
    page.fill("#query", "")
    page.type("#query", text)


def rows(page: "playwright.Page") -> list[list[str]]:
    return [row.locator("td").all_text_contents() for row in page.locator("#answer tbody tr").all()]


def test_a_query_is_completed_run_sorted_and_kept_in_the_address(
    page: "playwright.Page", served: str
) -> None:
    write(page, "SELECT table_name FROM tap_schema.tab")
    assert page.locator(".proposals [aria-selected=true] .label").text_content() == "tables"
    page.keyboard.press("Enter")
    page.type("#query", " AS t WHERE t.table_n")
    page.keyboard.press("Tab")
    page.type("#query", " LIKE 'tap%'")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#told:has-text('5 rows')")
    expected = "SELECT table_name FROM tap_schema.tables AS t WHERE t.table_name LIKE 'tap%'"
    assert page.input_value("#query") == expected
    names = [row[0] for row in rows(page)]
    page.click("#answer th button")
    assert [row[0] for row in rows(page)] == sorted(names)
    page.click("#answer th button")
    assert [row[0] for row in rows(page)] == sorted(names, reverse=True)
    assert page.locator("#answer th").get_attribute("aria-sort") == "descending"
    address = page.url
    page.goto(address)
    assert page.input_value("#query") == expected


def test_columns_are_proposed_with_their_unit_and_meaning(page: "playwright.Page") -> None:
    page.fill("#query", "SELECT  FROM archive.sources AS s")
    page.evaluate("document.querySelector('#query').setSelectionRange(7, 7)")
    page.type("#query", "de")
    chosen = page.locator(".proposals [aria-selected=true]")
    assert chosen.locator(".label").text_content() == "dec"
    assert "deg" in chosen.locator(".detail").text_content()
    assert "pos.eq.dec" in page.locator(".proposals .info").text_content()
    assert page.get_attribute("#query", "aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Escape")
    assert page.locator(".proposals").is_hidden()
    page.fill("#query", "SELECT ivo_healpix_i")
    page.type("#query", "n")
    page.keyboard.press("Enter")
    assert page.input_value("#query") == "SELECT ivo_healpix_index("


def test_the_place_of_a_mistake_is_marked_and_gone_to(page: "playwright.Page") -> None:
    write(page, "SELECT table_name,\n  colum_name\nFROM tap_schema.columns")
    page.click("#run")
    page.wait_for_selector("#wrong:has-text(\"did you mean 'column_name'\")")
    assert page.locator(".paint .wrong").text_content() == "colum_name"
    caret = page.evaluate("document.querySelector('#query').selectionStart")
    assert page.input_value("#query")[caret:].startswith("colum_name")
    page.type("#query", "x")
    assert page.locator(".paint .wrong").count() == 0
    assert page.locator("#wrong").is_hidden()


def test_an_answer_is_downloaded_and_a_mistake_is_not(page: "playwright.Page", tmp_path: Path) -> None:
    write(page, "SELECT schema_name FROM tap_schema.schemas")
    with page.expect_download() as begun:
        page.click("#download")
    begun.value.save_as(tmp_path / "result.vot")
    assert "tap_schema" in parse_single_table(tmp_path / "result.vot").to_table()["schema_name"].tolist()
    page.select_option("[name=RESPONSEFORMAT]", "csv")
    with page.expect_download() as begun:
        page.click("#download")
    assert begun.value.suggested_filename == "result.csv"
    write(page, "SELECT nothing FROM tap_schema.schemas")
    page.click("#download")
    page.wait_for_selector("#wrong:has-text('nothing')")


def test_a_query_runs_in_the_background_and_its_job_can_be_deleted(page: "playwright.Page") -> None:
    write(page, COUNT)
    page.select_option("[name=RESPONSEFORMAT]", "csv")
    page.click("#background")
    page.wait_for_selector("#jobs li:has-text('completed')")
    assert page.locator("#jobs summary").text_content() == COUNT
    with page.expect_download() as begun:
        page.click("#jobs a:has-text('Download')")
    assert Path(begun.value.path()).read_text().startswith("n\n")
    page.click("#jobs button:has-text('Delete')")
    page.wait_for_selector("#jobs.empty", state="attached")
    assert page.locator("#jobs li").count() == 0


def test_a_query_is_laid_out_and_can_be_undone(page: "playwright.Page") -> None:
    write(page, "select count(*) from tap_schema.columns where std = 1")
    page.click("#layout")
    laid_out = "SELECT count(*)\nFROM tap_schema.columns\nWHERE std = 1"
    playwright.expect(page.locator("#query")).to_have_value(laid_out)
    page.keyboard.press("Control+z")
    assert page.input_value("#query").startswith("select")


def test_tables_are_found_by_a_word_and_their_columns_put_into_the_query(page: "playwright.Page") -> None:
    page.fill("#query", "SELECT")
    page.fill("#filter", "magnitude")
    shown = page.locator("details[data-table]:visible")
    page.wait_for_selector("[data-table='tap_schema.keys'][hidden]", state="attached")
    assert "archive.sources" in [each.get_attribute("data-table") for each in shown.all()]
    page.locator("[data-table='archive.sources'] summary").click()
    page.locator("[data-table='archive.sources'] .columns .name:visible").first.click()
    assert page.input_value("#query").startswith("SELECT mag")


def test_an_example_is_taken_and_a_stopped_query_says_so(page: "playwright.Page") -> None:
    page.click("#examples a >> nth=-1")
    assert "FROM tap_schema" in page.input_value("#query")
    page.route("**/tap/sync", lambda route: None)  # never answered
    page.click("#run")
    page.click("#stop")
    page.wait_for_selector("#told:has-text('Stopped')")
    assert page.locator("#run").is_enabled()


def test_the_page_fits_a_narrow_window(page: "playwright.Page") -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    write(page, "SELECT TOP 3 * FROM tap_schema.columns")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer tbody tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_the_form_brings_the_rows(served: str, browser: "playwright.Browser") -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/query")
    page.fill("#query", COUNT)
    page.click("#run")
    assert page.locator("#answer tbody td").count() == 1
    page.fill("#query", "SELECT\n nothing FROM tap_schema.tables")
    page.click("#run")
    assert page.locator(".place mark").text_content() == "nothing"
    context.close()
