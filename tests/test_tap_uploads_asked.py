"""Is UPLOAD understood as clients write it, and is what it cannot mean told?"""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.errors import UsageError
from vo_server.tap.uploads import asked

HERE = Path("folder")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["mine,param:t1"], [("mine", "param:t1")]),
        (["a,param:t1;b,param:t2"], [("a", "param:t1"), ("b", "param:t2")]),
        (["a,param:t1", "b,http://example.org/t"], [("a", "param:t1"), ("b", "http://example.org/t")]),
        ([" a , param:t1 ; b,param:t2 ;"], [("a", "param:t1"), ("b", "param:t2")]),
        (["a,http://example.org/t;v=1?x=1,2"], [("a", "http://example.org/t;v=1?x=1,2")]),
        (["a,http://example.org/t?x=1;b,param:t"], [("a", "http://example.org/t?x=1"), ("b", "param:t")]),
        (['"my ""own"", table;x",param:t1'], [('my "own", table;x', "param:t1")]),
        (['"select",param:t1'], [("select", "param:t1")]),
    ],
)
def test_tables_and_their_uris_are_told_apart(values: list[str], expected: list[tuple[str, str]]) -> None:
    assert [(each.name, each.uri) for each in asked(values, HERE)] == expected


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["mine"], "UPLOAD has 'mine', expected a table name and a URI such as mine,param:t1"),
        (["my table,param:t1"], "UPLOAD has 'my table,param:t1'"),
        (["1st,param:t1"], "UPLOAD has '1st,param:t1'"),
        (["TAP_UPLOAD.t,param:t1"], "UPLOAD has 'TAP_UPLOAD.t,param:t1'"),
        (['"",param:t1'], "UPLOAD has '\"\",param:t1'"),
        ([",param:t1"], "UPLOAD has ',param:t1'"),
        (["mine,"], "UPLOAD has 'mine,'"),
        (["t;DROP TABLE x,param:t1"], "UPLOAD has 't;DROP TABLE x,param:t1'"),
        (["select,param:t1"], 'UPLOAD calls a table select, a reserved word of ADQL; write "select"'),
        (["a,param:t1;A,param:t2"], "UPLOAD names the table 'a' twice"),
        (["a,param:t1", '"a",param:t2'], "UPLOAD names the table 'a' twice"),
        ([f"t{i},param:t" for i in range(33)], "UPLOAD names 33 tables, expected 32 at the most"),
        ([";".join(f"t{i},param:t" for i in range(100_000))], "UPLOAD names 100000 tables"),
    ],
)
def test_what_has_no_meaning_is_told(values: list[str], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        asked(values, HERE)
    assert str(raised.value).startswith(told)
    assert len(str(raised.value)) < 300


def test_tables_are_not_taken_where_there_is_no_place_for_them() -> None:
    with pytest.raises(UsageError, match="where no tables are taken"):
        asked(["a,param:t"], None)
    assert asked([], None) == ()


@pytest.mark.parametrize("text", ["a,b{}c", "a{}b", "a,b;{}x;{}x", "{}a,b", '"a{}'])
def test_white_space_costs_no_more_than_it_is_long(text: str) -> None:
    """Half a million of it, which would take hours if each began a search of its own."""
    with suppress(UsageError):
        asked([text.replace("{}", " " * 500_000)], HERE)


@given(st.lists(st.text(alphabet='ab1,;:" \n', max_size=40), max_size=3))
def test_any_text_is_read_or_refused(values: list[str]) -> None:
    try:
        found = asked(values, HERE)
    except UsageError:
        return
    assert len({each.name.lower() for each in found}) == len(found)
    assert all(each.name and each.uri.strip() == each.uri != "" for each in found)
