"""Do publisher DIDs name what they were made of?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.config import Config
from datamodel.errors import UsageError
from registry.identifiers import Made, Target, did_prefix, object_did, parse_did, target_did

CONFIG = Config(authority="obs.example", archive_name="live")
OID = "0197c3a0-7b1e-7000-8000-0123456789ab"


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,30}", fullmatch=True), st.uuids().map(str))
def test_a_target_is_read_back(class_name: str, exposure: str) -> None:
    assert parse_did(CONFIG, target_did(CONFIG, class_name, exposure)) == Target(class_name, exposure)


@given(st.uuids().map(str))
def test_an_object_is_read_back(object_id: str) -> None:
    assert parse_did(CONFIG, object_did(CONFIG, object_id)) == Made(object_id)


def test_the_forms_are_those_that_are_fixed() -> None:
    assert did_prefix(CONFIG) == "ivo://obs.example/live"
    assert target_did(CONFIG, "ReducedScienceFrame", OID) == (
        f"ivo://obs.example/live?target/ReducedScienceFrame/{OID}"
    )
    assert object_did(CONFIG, OID) == f"ivo://obs.example/live?object/{OID}"


def test_case_matters_only_after_the_question_mark() -> None:
    assert parse_did(CONFIG, f"IVO://OBS.Example/LIVE?target/BiasFrame/{OID.upper()}") == Target(
        "BiasFrame", OID
    )
    with pytest.raises(UsageError):
        parse_did(CONFIG, f"ivo://obs.example/live?TARGET/BiasFrame/{OID}")


@pytest.mark.parametrize(
    "did",
    [
        "",
        "x" * 5000,
        "ivo://obs.example/live",
        "ivo://obs.example/live?",
        "ivo://obs.example/live?object/",
        "ivo://obs.example/live?object/../../etc/passwd",
        f"ivo://obs.example/live?object/{OID}/x",
        f"ivo://obs.example/live?object/{OID}%00",
        f"ivo://obs.example/live?target//{OID}",
        f"ivo://obs.example/live?target/Bias Frame/{OID}",
        f"ivo://other.example/live?object/{OID}",
        f"ivo://obs.example/live2?object/{OID}",
        f"https://obs.example/live?object/{OID}",
    ],
)
def test_what_names_nothing_is_quoted_with_the_forms_that_do(did: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_did(CONFIG, did)
    assert f"'{did[:200]}" in str(refusal.value)
    assert "ivo://obs.example/live" in str(refusal.value)
    assert len(str(refusal.value)) < 500
