"""Does any text, deep, long or random, give a statement or an AdqlError and never anything else?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy_catalogue import translated
from vo_server.tap.adql.errors import AdqlError


@pytest.mark.parametrize(
    "query",
    [
        "SELECT {open}ra{close} FROM cat",
        "SELECT ra FROM cat WHERE {open}ra=1{close}",
        "SELECT ra FROM {open}cat{close}",
        "{open}SELECT ra FROM cat{close}",
        "SELECT ra FROM cat WHERE ra IN {open}SELECT ra FROM cat{close}",
    ],
)
def test_two_hundred_parentheses_are_refused_cleanly(query: str) -> None:
    for depth in (200, 20_000):
        with pytest.raises(AdqlError, match="nested deeper"):
            translated(query.format(open="(" * depth, close=")" * depth))


@pytest.mark.parametrize(
    "part",
    [
        "- ",
        "NOT ",
        "SQRT(",
        "ra+",
        "ra=1 AND NOT(",
        "COALESCE(",
        "'a'||",
        "1*(",
        "EXISTS(SELECT 1 FROM cat WHERE ",
    ],
)
def test_any_repeated_beginning_ends_in_a_query_or_a_clean_error(part: str) -> None:
    for count in (10, 30, 60, 70, 1000):
        text = f"SELECT ra FROM cat WHERE {part * count} ra = 1"
        for closed in (text, text + ")" * count):
            try:
                translated(closed)
            except AdqlError:
                continue


def test_functions_inside_functions_stay_small_or_are_refused() -> None:
    with pytest.raises(AdqlError, match="too large"):
        translated(f"SELECT {'POWER(' * 30}ra{', 2)' * 30} FROM cat")


def test_a_long_text_and_many_literals_are_refused() -> None:
    with pytest.raises(AdqlError, match="at most 1000000 characters"):
        translated("SELECT " + "a" * 1_000_001)
    with pytest.raises(AdqlError, match="at most 30000 literals"):
        translated(f"SELECT ra FROM cat WHERE id IN ({','.join('1' * 40_000)})")


_WORDS = """SELECT FROM WHERE cat a.twice ra dec mag name seen id * ( ) , . = < + - / || 'x' '2003-01-01' 1 2.5 AND OR
    NOT IN BETWEEN LIKE IS NULL GROUP BY HAVING ORDER DESC OFFSET TOP 3 DISTINCT JOIN LEFT NATURAL USING ON AS q UNION
    EXCEPT ALL INTERSECT WITH COUNT(*) MIN( SQRT( POINT( CIRCLE( CONTAINS( DISTANCE( CAST( INTEGER COALESCE( EXISTS
    "ra" ; -- \n ILIKE MOD( PI() POLYGON( IN_UNIT( AVG("""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_WORDS.split(" ")), max_size=30).map(" ".join))
def test_random_words_give_a_statement_or_an_adql_error(words: str) -> None:
    for text in (words, f"SELECT ra FROM cat WHERE {words}", f"SELECT {words} FROM cat"):
        try:
            translated(text)
        except AdqlError:
            continue


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_random_text_gives_an_adql_error(text: str) -> None:
    for query in (text, f"SELECT {text} FROM cat", f"SELECT ra FROM cat WHERE '{text}' = name"):
        try:
            translated(query)
        except AdqlError:
            continue
