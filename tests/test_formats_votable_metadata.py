"""Does a VOTable tell how the query ended, where it is from and what its columns are, and keep to the schema?"""

import io
import xml.etree.ElementTree as ET

import pytest
from astropy.io.votable import parse
from lxml import etree

from datamodel.columns import Column
from datamodel.errors import ArchiveError, QueryTimeoutError, UsageError
from tests.answers import answer, failing
from tests.votables import (
    COLUMNS,
    NAMESPACE,
    SERIALIZATIONS,
    assert_valid,
    document,
    needs_schemas,
    statuses,
    table,
)
from vo_server.formats import votable


@pytest.mark.parametrize("serialization", SERIALIZATIONS)
def test_overflow_is_told_after_the_table_and_only_then(serialization):
    cut = document(answer(COLUMNS, overflow=True), serialization=serialization)
    whole = document(answer(COLUMNS), serialization=serialization)
    assert statuses(cut) == [("OK", False, None), ("OVERFLOW", True, None)]
    assert statuses(whole) == [("OK", False, None)]
    assert b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>' in cut


def test_overflow_may_be_known_only_at_the_end():
    rows = answer(COLUMNS)
    given = rows.batches

    def until_cut():
        yield from given
        rows.overflow = True

    rows.batches = until_cut()
    assert statuses(document(rows))[-1] == ("OVERFLOW", True, None)


@pytest.mark.parametrize("serialization", SERIALIZATIONS)
@pytest.mark.parametrize("good", [[], [[(1,), (2,)]]], ids=["at once", "after two rows"])
def test_a_failure_on_the_way_ends_the_document_well_and_says_why(good, serialization):
    content = document(failing(QueryTimeoutError("60 s <are> over"), *good), serialization=serialization)
    assert statuses(content) == [("OK", False, None), ("ERROR", True, "60 s <are> over")]
    assert len(etree.fromstring(content).findall(".//v:TABLE", NAMESPACE)) == 1
    if serialization == "binary2" and good:
        assert table(content).array["x"].tolist() == [1, 2]


def test_a_bug_on_the_way_is_told_to_the_log_and_not_to_the_caller(caplog):
    content = document(failing(ZeroDivisionError("secret"), [(1,)]))
    (_, (status, after, text)) = statuses(content)
    assert (status, after) == ("ERROR", True)
    assert "secret" not in text
    assert text.split()[-1] in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("x", "CHAR", arraysize="3"), "four"),
        (Column("x", "POINT"), [1.0]),
        (Column("x", "CIRCLE"), [1.0] * 4),
    ],
    ids=["text", "point", "circle"],
)
def test_a_value_of_the_wrong_length_is_refused_by_name(column, value):
    (_, (status, _, text)) = statuses(document(answer((column,), [(value,)])))
    assert status == "ERROR"
    assert "column x" in text
    assert f"length {len(value)}" in text


def test_an_error_document_says_so_literally():
    content = votable.error('UsageFault: "<x>"', [("request", "q?a&b")])
    assert b'<INFO name="QUERY_STATUS" value="ERROR">UsageFault: "&lt;x&gt;"</INFO>' in content
    assert statuses(content) == [("ERROR", False, 'UsageFault: "<x>"')]
    assert parse(io.BytesIO(content)).version == "1.4"


def test_infos_and_extras_stand_where_they_belong():
    content = document(
        answer(COLUMNS, []),
        infos=[("publisher", "A & B"), ("citation", "ivo://x", "how to cite")],
        results_extras=b'<TIMESYS ID="t" timescale="TT" refposition="TOPOCENTER"/>',
        resource_extras=b'<RESOURCE type="meta" utype="adhoc:service" ID="dl"/>',
        table_name="t.x",
        description="All of it",
    )
    read = parse(io.BytesIO(content), verify="exception")
    results, meta = read.resources
    assert [(i.name, i.value, i.content) for i in results.infos[1:]] == [
        ("publisher", "A & B", None),
        ("citation", "ivo://x", "how to cite"),
    ]
    assert (meta.type, meta.utype) == ("meta", "adhoc:service")
    assert (results.tables[0].name, results.tables[0].description) == ("t.x", "All of it")


def test_a_field_carries_what_the_column_declares():
    fields = {f.name: f for f in table(document(answer(COLUMNS, []))).fields}
    double, spot = fields["double"], fields["spot"]
    assert (double.datatype, str(double.unit), double.ucd, double.description) == (
        "double",
        "deg",
        "pos.eq.ra",
        'a < b & "c"',
    )
    assert (spot.datatype, spot.arraysize, spot.xtype) == ("double", "2", "point")
    assert (fields["taken"].xtype, fields["single"].utype) == ("timestamp", "x:y")


def test_field_ids_are_legal_and_unique():
    names = ("ra", "2mass", "a b", "a_b", "size", "a_b")
    assert votable.field_ids([Column(n, "REAL") for n in names]) == [
        "ra",
        "_2mass",
        "a_b",
        "a_b_2",
        "size",
        "a_b_3",
    ]


@pytest.mark.parametrize(("option", "value"), [("serialization", "fits"), ("version", "2.0")])
def test_an_unknown_serialization_or_version_is_a_usage_error(option, value):
    with pytest.raises(UsageError, match=f"'{value}', expected one of"):
        votable.write(answer(COLUMNS), **{option: value})


@needs_schemas
@pytest.mark.parametrize("version", votable.VERSIONS)
def test_documents_keep_to_the_schema(version):
    row = (True, 1, 2, 3, 4.0, 5.0, "é<", "ab", None, [1.0, 2.0], None, [1.0] * 6)
    options = {"infos": [("a", "b")], "resource_extras": b'<RESOURCE type="meta"/>', "description": "d"}
    documents = [
        document(answer(COLUMNS, [row], overflow=True), serialization=s, version=version, **options)
        for s in SERIALIZATIONS
    ]
    for content in (*documents, votable.error("no", [("a", "b")], version)):
        assert_valid(content, version)


def test_an_archive_error_without_a_message_is_still_an_error():
    assert statuses(document(failing(ArchiveError())))[-1][0] == "ERROR"


def test_attribute_order_is_the_one_that_regular_expressions_look_for():
    content = document(answer(COLUMNS, [])).decode()
    assert '<INFO name="QUERY_STATUS" value="OK"/>' in content
    assert ET.fromstring(content).tag == "{http://www.ivoa.net/xml/VOTable/v1.3}VOTABLE"
