"""The query page as the server makes it: its policy, its words, its answers, and what hostile text does."""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import html5lib
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

import vo_server
from datamodel.archive import Archive
from datamodel.columns import Column, Rows
from datamodel.config import Config
from processing.opening import open_archive
from vo_server.adql_layout import KEYWORDS, MAX_CHARACTERS, laid_out
from vo_server.app import create_app
from vo_server.slow_queries import watched
from vo_server.tap.adql.lexer import tokens
from vo_server.tap.adql.words import RESERVED
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.web.adql_functions import FUNCTIONS
from vo_server.web.query_answer import SHOWN
from vo_server.web.query_page import formats, policy

STATIC = Path(vo_server.__file__).parent / "web" / "static"
HOSTILE = "</textarea><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus='x"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without objects, for all tests that only ask."""
    archive = open_archive(Config(archive=tmp_path_factory.mktemp("asked") / "archive"))
    update_tap_schema(archive, tables(archive.config))
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def client(opened: Archive) -> FlaskClient:
    client = create_app(opened).test_client()
    client.open = partial(client.open, buffered=True)  # reads and closes, as a server does
    return client


def sync(client: FlaskClient, adql: str) -> list[list[str]]:
    """The rows of an answer in tab-separated values."""
    answer = client.post("/tap/sync", data={"LANG": "ADQL", "RESPONSEFORMAT": "tsv", "QUERY": adql})
    assert answer.status_code == 200, answer.text
    return [line.split("\t") for line in answer.text.splitlines()[1:]]


def page(client: FlaskClient, status: int = 200, **form: str) -> BeautifulSoup:
    """The page, sent a form where there is one, after what must always hold of it was looked at."""
    answer = client.post("/query", data=form) if form else client.get("/query")
    assert answer.status_code == status
    rules = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    html5lib.HTMLParser(strict=True).parse(answer.text)
    soup = BeautifulSoup(answer.text, "html.parser")
    for tag in soup.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on") or name == "style"], tag
    assert all(script["src"].startswith("/static/") and not script.text.strip() for script in soup("script"))
    assert not soup("style")
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in soup("label") if label.has_attr("for")}
    for control in soup.select("textarea, select, input[type=search]"):
        assert control.get("id") in labelled or control.find_parent("label")
    return soup


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


def test_the_words_for_completion_are_those_of_tap_schema(client: FlaskClient) -> None:
    words = client.get("/query/words").json
    listed = [table for schema in words["schemas"] for table in schema["tables"]]
    assert [schema["name"] for schema in words["schemas"]] == [
        name for (name,) in sync(client, "SELECT schema_name FROM tap_schema.schemas ORDER BY schema_index")
    ]
    assert [[table["name"], table["description"]] for table in listed] == sync(
        client, "SELECT table_name, description FROM tap_schema.tables ORDER BY table_index"
    )
    told = {
        (table["name"], column["name"]): [column.get(key, "") for key in ("unit", "ucd", "description")]
        for table in listed
        for column in table["columns"]
    }
    known = sync(client, "SELECT table_name, column_name, unit, ucd, description FROM tap_schema.columns")
    assert told == {(table, column): rest for table, column, *rest in known}
    assert set(words["reserved"]) == RESERVED


def test_every_function_that_the_capabilities_declare_is_proposed(client: FlaskClient) -> None:
    functions = client.get("/query/words").json["functions"]
    assert len({function["form"] for function in functions}) == len(functions)
    names = {function["name"].upper() for function in functions}
    soup = BeautifulSoup(client.get("/tap/capabilities").text, "xml")
    declared = [
        form.text.partition("(")[0].strip().upper()
        for features in soup.find_all("languageFeatures")
        if features["type"].endswith(
            ("udf", "adqlgeo", "adql-string", "conditional", "adql-unit", "adql-type")
        )
        for form in features.find_all("form")
    ]
    assert {"CIRCLE", "COALESCE", "IVO_HEALPIX_INDEX"} <= set(declared)
    assert set(declared) - names <= {"ILIKE"}  # an operator


def test_the_words_are_sent_once_as_long_as_they_are_the_same(client: FlaskClient) -> None:
    tag = client.get("/query/words").headers["ETag"]
    assert client.get("/query/words", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.example], ids=lambda f: f.name)
def test_every_function_that_is_proposed_can_be_asked(client: FlaskClient, function: object) -> None:
    ((value,),) = sync(client, f"SELECT TOP 1 {function.example} AS v FROM tap_schema.schemas")
    assert value != ""


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


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "select ra, dec from t where a=1 and b='x  AND y'",
            "SELECT ra, dec\nFROM t\nWHERE a=1\n  AND b='x  AND y'",
        ),
        ('select "From" as value from t -- and more', 'SELECT "From" AS value\nFROM t -- and more'),
        ("select a from b union all select c from d", "SELECT a\nFROM b\nUNION ALL\nSELECT c\nFROM d"),
    ],
)
def test_a_query_is_laid_out_for_people(client: FlaskClient, written: str, expected: str) -> None:
    assert laid_out(written) == expected
    assert client.post("/query/layout", data={"QUERY": written}).text == expected
    soup = BeautifulSoup(client.post("/query", data={"QUERY": written, "DO": "layout"}).text, "html.parser")
    assert soup.textarea.text.removeprefix("\n") == expected


def test_words_that_are_written_large_are_never_names() -> None:
    assert KEYWORDS <= RESERVED


def meaning(adql: str) -> list[tuple[str, str]]:
    """The tokens as the parser of ADQL sees them; it minds no case of names without quotes."""
    return [(t.kind, t.text.upper() if t.kind == "name" else t.text) for t in tokens(adql)]


PIECES = st.sampled_from(
    """SELECT select FROM where AND or ( ) , . ; * = <> != <= || 'it''s' '(' "De c" -- --x a b.c 1.5e-3 /2 case when
    end between in (1,2,3) values date begin if as on join union over ' " @newline""".split()  # noqa: SIM905
).map(lambda piece: "\n" if piece == "@newline" else piece)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=30).map(" ".join))
def test_laying_out_never_changes_what_a_query_means(text: str) -> None:
    made = laid_out(text)
    assert laid_out(made) is not None
    try:
        wanted = meaning(text)
    except vo_server.tap.adql.errors.AdqlError:
        return  # no query, whatever becomes of it
    assert meaning(made) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9000,
        "a," * 9000,
        "case " * 3000,
        "a=" * 900,
        "(select " * 900,
        "'" * 9999,
        "--\n" * 5000,
        "a+" * 999,
        "x" * 200_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_text_is_laid_out_quickly_or_left_alone(text: str) -> None:
    began = time.process_time()
    assert len(laid_out(text)) < 3 * max(len(text), MAX_CHARACTERS)
    assert time.process_time() - began < 3


def rows_of(counts: list[int], fails: bool = False) -> Rows:
    """Rows in batches of so many."""

    def batches() -> Iterator[pa.RecordBatch]:
        for count in counts:
            yield pa.RecordBatch.from_arrays([pa.array(range(count), pa.int32())], names=["n"])
        if fails:
            raise RuntimeError("lost")

    return Rows((Column("n", "INTEGER"),), batches())


@pytest.mark.parametrize("bound", [0.0, 1000.0])
def test_a_slow_query_is_logged_once_with_who_what_and_how_many(
    caplog: pytest.LogCaptureFixture, bound: float
) -> None:
    rows = watched(
        Config(slow_query_seconds=bound), "address 192.0.2.7", "select n from t", lambda: rows_of([3, 4])
    )
    assert [batch.num_rows for batch in rows.batches] == [3, 4]
    rows.close()
    if bound:
        assert caplog.messages == []
        return
    (message,) = caplog.messages
    assert message.startswith("slow query of address 192.0.2.7: 0.0 s, 7 rows\n")
    assert message.endswith("\n    | SELECT n\n    | FROM t")


def test_a_slow_query_is_logged_also_where_it_fails_or_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    config = Config(slow_query_seconds=0.0)
    with pytest.raises(RuntimeError, match="lost"):
        list(watched(config, "A", "q1", lambda: rows_of([5], fails=True)).batches)
    watched(config, "A", "q2", lambda: rows_of([5])).close()
    with pytest.raises(ZeroDivisionError):
        watched(config, "A", "q3", lambda: 1 // 0)
    assert [re.search(r"(\d) rows\n    \| (q\d)", told).groups() for told in caplog.messages] == [
        ("5", "q1"),
        ("0", "q2"),
        ("0", "q3"),
    ]


def test_a_query_cannot_write_lines_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    text = "select 'x\n2026-01-01 ERROR forged\r\x1b[2J\x85\u2028' from t"
    list(watched(Config(slow_query_seconds=0.0), "A", text, lambda: rows_of([1])).batches)
    _, *others = caplog.messages[0].splitlines()
    assert all(line.startswith("    | ") and line.isprintable() for line in others)


def test_a_query_over_http_is_watched(opened: Archive, caplog: pytest.LogCaptureFixture) -> None:
    config = opened.config
    opened.config = replace(config, slow_query_seconds=0.0)
    client = create_app(opened).test_client()
    try:
        with caplog.at_level(logging.WARNING, "vo_server.slow"):
            sync(client, "SELECT schema_name FROM tap_schema.schemas")
            page(client, QUERY="SELECT key_id FROM tap_schema.keys")
    finally:
        opened.config = config
    assert ["address 127.0.0.1" in message for message in caplog.messages] == [True, True]
