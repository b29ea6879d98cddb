"""The query page as the server makes it: its policy, its answers, its jobs, and what hostile text does."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

import vo_server
from datamodel.archive import Archive
from datamodel.config import Config
from tests import query_page
from tests.query_page import page, sync
from vo_server.adql_layout import laid_out
from vo_server.app import create_app
from vo_server.web.query_answer import SHOWN
from vo_server.web.query_page import formats, policy

opened, client = query_page.opened, query_page.client

STATIC = Path(vo_server.__file__).parent / "web" / "static"
HOSTILE = "</textarea><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus='x"


def cells(soup: BeautifulSoup) -> list[list[str]]:
    return [[cell.text for cell in row("td")] for row in soup.select("#answer tbody tr")]


def test_the_page_leads_to_all_that_it_is_made_of(client: FlaskClient) -> None:
    soup = page(client)
    paths = [tag.get("href") or tag.get("src") for tag in soup.select("link, script")]
    paths += [soup.find(id="ask")["data-words"]]
    files = sorted((STATIC / "query").glob("*.js"))
    modules = [path.name for path in files]
    imported = [name for path in files for name in re.findall(r'from "\./(.*?)";', path.read_text())]
    assert {*imported, "page.js", "jobs_page.js"} == set(modules)
    for path in [*paths, *(f"/static/query/{name}" for name in modules), "/query/jobs"]:
        assert client.get(path).status_code == 200, path


def test_nothing_of_the_page_comes_from_elsewhere_or_makes_markup_of_text() -> None:
    for path in (STATIC / "query").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "http://www.w3.org" in text or "http" not in re.sub(r"https\?|\^https|//.*", "", text), path
        assert not re.search(
            r"(inner|outer)HTML|AdjacentHTML|document\.write|eval\(|Function\(|@import", text
        ), path


def test_the_front_page_and_the_service_lead_to_it(client: FlaskClient) -> None:
    front = BeautifulSoup(client.get("/").text, "html.parser")
    assert front.find("a", href="/query")
    assert "/query" in client.get("/tap").text


def test_without_scripts_a_form_brings_the_first_rows(client: FlaskClient) -> None:
    soup = page(
        client, QUERY="SELECT schema_name, schema_index FROM tap_schema.schemas ORDER BY schema_index"
    )
    assert cells(soup) == sync(
        client, "SELECT schema_name, schema_index FROM tap_schema.schemas ORDER BY schema_index"
    )
    assert soup.find(id="told").text.startswith(f"{len(cells(soup))} rows in")
    head = [" ".join(cell.stripped_strings) for cell in soup.select("#answer th")]
    assert head == ["schema_name meta.id;meta.main", "schema_index meta.number"]
    many = page(client, QUERY="SELECT column_name FROM tap_schema.columns")
    assert len(cells(many)) == SHOWN
    assert "There are more" in many.find(id="told").text
    by_get = client.get("/query?q=SELECT+COUNT(*)+FROM+tap_schema.keys&DO=run")
    assert len(cells(BeautifulSoup(by_get.text, "html.parser"))) == 1


def test_a_query_in_the_address_is_shown_and_not_run(client: FlaskClient) -> None:
    soup = BeautifulSoup(client.get("/query?q=SELECT+nonsense").text, "html.parser")
    assert soup.textarea.text.strip() == "SELECT nonsense"
    assert soup.find(id="wrong").has_attr("hidden")
    assert cells(soup) == []


def test_units_and_links_are_shown(client: FlaskClient, opened: Archive) -> None:
    query = "SELECT s_ra, access_url FROM ivoa.obscore WHERE 1 = 0"
    heads = [[*cell.stripped_strings] for cell in page(client, QUERY=query).select("#answer th")]
    assert heads == [["s_ra", "deg", "pos.eq.ra"], ["access_url", "meta.ref.url"]]


def test_only_addresses_of_the_web_become_links(client: FlaskClient) -> None:
    values = {"https://a.example/x": True, "javascript:alert(1)": False, "data:text/html,x": False}
    for value, is_link in values.items():
        soup = page(client, QUERY=f"SELECT TOP 1 '{value}' AS access_url FROM tap_schema.schemas")
        assert cells(soup) == [[value]]
        assert bool(soup.select("#answer td a")) is is_link


@pytest.mark.parametrize(
    "query", ["SELECT\n nothing FROM tap_schema.keys", "SELECT 'x' AS a,\n 'open FROM t"]
)
def test_a_mistake_is_shown_where_it_is(client: FlaskClient, query: str) -> None:
    soup = page(client, 400, QUERY=query)
    told = re.match(r"line (\d+), column (\d+): ", soup.find(id="wrong").span.text)
    before, marked = soup.select_one(".place code").contents[0], soup.select_one(".place mark").text
    assert (before.count("\n") + 1, len(before.split("\n")[-1]) + 1) == (int(told[1]), int(told[2]))
    assert query.startswith(before + marked)


def test_an_empty_form_says_what_is_missing(client: FlaskClient) -> None:
    assert "expected one such as" in page(client, 400, QUERY=" ", DO="run").find(id="wrong").text


@pytest.mark.parametrize("where", ["QUERY", "literal", "name", "error"])
def test_hostile_text_is_text_wherever_it_stands(client: FlaskClient, where: str) -> None:
    quoted, named = HOSTILE.replace("'", "''"), HOSTILE.replace('"', '""')
    queries = {
        "QUERY": (HOSTILE, 400),
        "literal": (f"SELECT TOP 1 '{quoted}' AS v FROM tap_schema.keys", 200),
        "name": (f'SELECT TOP 1 1 AS "{named}" FROM tap_schema.keys', 200),
        "error": (f'SELECT "{named}" FROM tap_schema.keys', 400),
    }
    query, status = queries[where]
    soup = page(client, status, QUERY=query)
    assert soup.textarea.text.strip() == query
    assert not soup("img")
    assert len(soup("script")) == 1
    if where == "literal":
        assert cells(soup) == [[HOSTILE]]


def test_the_policy_lets_the_page_reach_the_server_under_its_base_url_too() -> None:
    config = Config(base_url="https://archive.example.org/perseus")
    assert "connect-src 'self';" in policy(config, "https://archive.example.org/")
    assert "connect-src 'self' https://archive.example.org;" in policy(config, "http://localhost:8000/")


def test_the_formats_that_are_offered_can_be_had(client: FlaskClient) -> None:
    assert {"votable", "csv", "tsv"} <= {name for name, _ in formats()}
    for name, _ in formats():
        data = {"LANG": "ADQL", "QUERY": "SELECT schema_name FROM tap_schema.schemas", "RESPONSEFORMAT": name}
        assert client.post("/tap/sync", data=data).status_code == 200, name


def test_jobs_are_listed_with_their_query_laid_out(client: FlaskClient) -> None:
    hostile = f"select '{HOSTILE.replace(chr(39), chr(39) * 2)}' as v from tap_schema.keys"
    made = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": hostile})
    job = made.headers["Location"].rsplit("/", 1)[-1]
    soup = BeautifulSoup(client.get("/query/jobs").text, "html.parser")
    item = soup.find("li", {"data-job": job})
    assert item.select_one(".status").text == "pending"
    assert item.pre.text == laid_out(hostile)
    assert item.pre.text.startswith("SELECT '")
    assert not soup("img")
    assert item.form["action"] == f"/tap/async/{job}/phase"
    fragment = BeautifulSoup(client.get("/query/jobs/list").text, "html.parser")
    assert fragment.find("li", {"data-job": job})
    elsewhere = client.get("/query/jobs/list", headers={"Origin": "https://elsewhere.example"})
    assert job not in elsewhere.text
    client.post(f"/tap/async/{job}", data={"ACTION": "DELETE"})
    assert job not in client.get("/query/jobs/list").text


def test_of_giant_queries_the_list_of_jobs_shows_the_beginning(client: FlaskClient) -> None:
    giant = f"SELECT '{'x' * 1_000_000}' AS v FROM tap_schema.keys"
    job = (
        client.post("/tap/async", data={"LANG": "ADQL", "QUERY": giant})
        .headers["Location"]
        .rsplit("/", 1)[-1]
    )
    page = client.get("/query/jobs/list").text
    item = BeautifulSoup(page, "html.parser").find("li", {"data-job": job})
    assert item.pre.text.startswith("SELECT 'xxx")
    assert item.pre.text.endswith("x …")
    assert not item("a")
    assert len(page) < 100_000
    client.delete(f"/tap/async/{job}")


def test_pages_stay_under_the_path_of_the_base_url(opened: Archive) -> None:
    config = opened.config
    opened.config = replace(config, base_url="http://127.0.0.1:8000/somewhere")
    try:
        answer = create_app(opened).test_client().get("/somewhere/query")
    finally:
        opened.config = config
    soup = BeautifulSoup(answer.text, "html.parser")
    told = [tag.attrs.items() for tag in soup.select("#ask, #jobs")]
    data = [value for items in told for name, value in items if name.startswith("data-")]
    names = ("href", "src", "action", "formaction")
    urls = [tag[name] for name in names for tag in soup.find_all(attrs={name: True})]
    assert [url for url in [*urls, *data] if not url.startswith(("/somewhere", "#"))] == []
