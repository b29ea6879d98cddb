"""What does TAP take a request to ask?"""

import pytest

from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server.dali import Parameters
from vo_server.tap import parameters
from vo_server.tap.parameters import TapQuery

QUERY = "SELECT sid FROM archive.sources"
CONFIG = Config(maxrec=100, maxrec_limit=1000)


def read(*pairs: tuple[str, str]) -> TapQuery:
    return parameters.read(Parameters.of(pairs), CONFIG)


def test_a_query_with_nothing_else_gets_the_defaults() -> None:
    asked = read(("LANG", "ADQL"), ("QUERY", QUERY))
    assert (asked.text, asked.maxrec, asked.format.serialization) == (QUERY, 100, "binary2")


@pytest.mark.parametrize("language", ["ADQL", "ADQL-2.0", "ADQL-2.1", "adql"])
def test_the_languages_that_are_told_of_are_taken(language: str) -> None:
    assert read(("LANG", language), ("QUERY", QUERY)).text == QUERY


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "LANG is missing"),
        ({"QUERY": QUERY}, "LANG is missing"),
        ({"LANG": "OOBLECK", "QUERY": QUERY}, "'OOBLECK'"),
        ({"LANG": "ADQL-3.0", "QUERY": QUERY}, "'ADQL-3.0'"),
        ({"LANG": "ADQL"}, "QUERY is missing"),
        ({"LANG": "ADQL", "QUERY": "  "}, "QUERY is missing"),
        ({"LANG": "ADQL", "QUERY": QUERY, "query": QUERY}, "QUERY is given 2 times"),
        ({"LANG": "ADQL", "lang": "ADQL", "QUERY": QUERY}, "LANG is given 2 times"),
        ({"LANG": "ADQL", "QUERY": QUERY, "MAXREC": "-1"}, "'-1'"),
        ({"LANG": "ADQL", "QUERY": QUERY, "MAXREC": "all"}, "'all'"),
        ({"LANG": "ADQL", "QUERY": QUERY, "FORMAT": "image/png"}, "'image/png'"),
        ({"LANG": "ADQL", "QUERY": QUERY, "REQUEST": "getCapabilities"}, "'getCapabilities'"),
        ({"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,http://x.example/t"}, "UPLOAD"),
        ({"LANG": "x" * 9999, "QUERY": QUERY}, "xxx..."),
    ],
)
def test_what_has_no_meaning_is_quoted(given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read(*given.items())
    assert told in str(refusal.value)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("name", "value"), [("REQUEST", "doQuery"), ("VERSION", "1.0"), ("RUNID", "7"), ("X", "y")]
)
def test_what_older_clients_send_and_what_nobody_knows_is_passed_over(name: str, value: str) -> None:
    assert read(("LANG", "ADQL"), ("QUERY", QUERY), (name, value)).text == QUERY
