"""Are the words that the query page proposes those of TAP_SCHEMA and of ADQL, and can each function be asked?"""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from tests import query_page
from tests.query_page import sync
from vo_server.tap.adql.words import RESERVED
from vo_server.web.adql_functions import FUNCTIONS

opened, client = query_page.opened, query_page.client


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
