"""Are the parameters of a request read as DALI says?"""

import io
from pathlib import Path

import flask
import pytest
from astropy.io.votable import parse
from flask import Flask, request

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server import dali
from vo_server.app import create_app
from vo_server.dali import Parameters
from vo_server.errors import Told


def read(**sent: object) -> Parameters:
    with Flask("a test").test_request_context("/", **sent):  # type: ignore[arg-type]
        return dali.read(request)


@pytest.mark.parametrize("name", ["QUERY", "query", "Query", "qUeRy"])
def test_names_are_blind_to_case_and_values_are_not(name: str) -> None:
    parameters = read(query_string={name: "Select X"})
    assert parameters.one("query") == parameters.one("QUERY") == "Select X"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_post_is_read_in_either_encoding_together_with_its_url(content_type: str) -> None:
    parameters = read(
        method="POST",
        query_string={"LANG": "ADQL"},
        data={"QUERY": "SELECT 'é+ &'"},
        content_type=content_type,
    )
    assert (parameters.one("LANG"), parameters.one("QUERY")) == ("ADQL", "SELECT 'é+ &'")


def test_repeated_values_keep_their_order_across_spellings() -> None:
    parameters = read(query_string="ID=b&id=a&Id=b")
    assert parameters.all("ID") == ["b", "a", "b"]


def test_a_parameter_that_may_be_given_once_is_refused_twice() -> None:
    with pytest.raises(UsageError, match="MAXREC is given 2 times"):
        read(query_string="MAXREC=1&maxrec=1").one("MAXREC")


@pytest.mark.parametrize("value", ["", " ", "%20%20", "+"])
def test_what_a_form_left_empty_was_not_given(value: str) -> None:
    parameters = read(query_string=f"BAND={value}")
    assert parameters.one("BAND") is None
    assert parameters.all("BAND") == []


def test_the_character_nul_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        read(query_string="QUERY=a%00b")


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (None, 100),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("+7", 7),
        ("007", 7),
        ("1000", 1000),
        ("1001", 1000),
        ("9" * 30, 1000),
        ("9" * 5000, 1000),
    ],
)
def test_maxrec_is_bounded(given: str | None, rows: int) -> None:
    values = () if given is None else (("MAXREC", given),)
    assert Parameters(values).maxrec(100, 1000) == rows


@pytest.mark.parametrize("given", ["-1", "1.5", "1e3", "ten", "٣", "0x10", "1 2", "NaN", "--1"])
def test_a_maxrec_that_is_no_number_of_rows_is_quoted(given: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Parameters((("MAXREC", given),)).maxrec(100, 1000)
    assert f"'{given}'" in str(refusal.value)


@pytest.mark.parametrize(
    ("query_string", "format"),
    [
        ("", None),
        ("FORMAT=csv", "csv"),
        ("responseformat=csv", "csv"),
        ("FORMAT=csv&RESPONSEFORMAT=csv", "csv"),
        ("FORMAT=csv&format=csv", "csv"),
    ],
)
def test_format_is_the_older_name_of_responseformat(query_string: str, format: str | None) -> None:
    assert read(query_string=query_string).responseformat() == format


def test_two_formats_that_differ_are_refused() -> None:
    with pytest.raises(UsageError, match="'csv' but FORMAT is 'tsv'"):
        read(query_string="FORMAT=tsv&RESPONSEFORMAT=csv").responseformat()


def test_what_is_shown_of_a_long_text_can_be_read() -> None:
    assert len(dali.shown("x" * 10_000)) < 120


def test_an_error_is_a_votable_that_says_so() -> None:
    response = dali.error_document(Told(400, "there is no <column> 'é' & \"such\""))
    assert response.content_type == "application/x-votable+xml"
    assert b'<INFO name="QUERY_STATUS" value="ERROR">' in response.data
    (info,) = parse(io.BytesIO(response.data)).resources[0].infos
    assert (info.name, info.value, info.content) == (
        "QUERY_STATUS",
        "ERROR",
        "there is no <column> 'é' & \"such\"",
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", " ,", "10.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_from_which_address_one_asks(
    peer: str, forwarded: str | None, who: str, tmp_path: Path
) -> None:
    app = create_app(Archive(Config(archive=tmp_path, trusted_proxies="10.0.0.1, 10.0.0.2")))
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    with app.test_request_context(environ_base={"REMOTE_ADDR": peer}, headers=headers):
        assert dali.who_asks(flask.request) == f"address {who}"


@pytest.mark.parametrize("wrong", ["%E9", "%C3", "%ff%fe", "%C3%28", "%ED%A0%80"])
def test_bytes_that_are_not_utf_8_are_refused_by_the_name_of_their_parameter(wrong: str) -> None:
    pairs = f"LANG=ADQL&QUERY=%C3%A9{wrong}&x=%C3%A9"
    with pytest.raises(UsageError, match="'QUERY' holds bytes that are not UTF-8"):
        read(query_string=pairs)
    with pytest.raises(UsageError, match="'QUERY' holds bytes that are not UTF-8"):
        read(method="POST", data=pairs, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("place", ["url", "form", "multipart"])
def test_bytes_that_are_not_utf_8_and_not_encoded_either_are_refused(place: str) -> None:
    raw = b"QUERY=\xe9"
    part = b'--x\r\nContent-Disposition: form-data; name="QUERY"\r\n\r\n\xe9\r\n--x--\r\n'
    sent = {
        "url": {"environ_overrides": {"QUERY_STRING": raw.decode("latin-1")}},
        "form": {"method": "POST", "data": raw, "content_type": "application/x-www-form-urlencoded"},
        "multipart": {"method": "POST", "data": part, "content_type": "multipart/form-data; boundary=x"},
    }
    with pytest.raises(UsageError, match="'QUERY' holds bytes that are not UTF-8"):
        read(**sent[place])


def test_a_nul_is_refused_by_the_name_of_its_parameter(observatory):
    answer = create_app(observatory).test_client().get("/sia2/query?COLLECTION=a%00b")
    assert answer.status_code == 400
    assert "COLLECTION" in answer.text
