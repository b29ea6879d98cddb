"""Is a query laid out for people without a change of what it means, and soon, whatever stands in it?"""

import time

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import query_page
from vo_server.adql_layout import KEYWORDS, MAX_CHARACTERS, laid_out
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.lexer import tokens
from vo_server.tap.adql.words import RESERVED

opened, client = query_page.opened, query_page.client


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
    except AdqlError:
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
