"""Are names made legal, and files that describe columns understood or refused within bounds?"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.catalogue import felis
from vo_server.catalogue.names import LONGEST, checked, legal


@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_names_become_different_identifiers(names: list[str]) -> None:
    made = legal([Column(name, "BIGINT") for name in names], taken=("hpx29",))
    found = [column.name for column in made]
    assert len(set(found)) == len(names)
    assert "hpx29" not in found
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and len(name) <= LONGEST for name in found)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("RAJ2000", "raj2000"),
        ("[Fe/H]", "fe_h"),
        ("2MASS", "c_2mass"),
        ("e_B-V", "e_b_v"),
        ("Größe", "grosse"),
        ("xmin", "xmin_"),
        ("☉", "column_1"),
        ("date", "date"),
    ],
)
def test_a_name_stays_as_near_as_can_be(given: str, made: str) -> None:
    (column,) = legal([Column(given, "BIGINT", description="What it is")])
    assert column.name == made
    told = "What it is" if given.lower() == made else f"What it is ('{given}' in the file)"
    assert column.description == told


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    made = legal(
        [Column("Mag", "REAL"), Column("mag", "REAL"), Column("MAG_2", "REAL"), Column("hpx29", "BIGINT")]
    )
    assert [c.name for c in made] == ["mag", "mag_2", "mag_2_2", "hpx29"]


@pytest.mark.parametrize("schema", ["archive", "ivoa", "tap_schema", "TAP_UPLOAD"])
def test_schemas_of_ours_are_not_for_catalogues(schema: str) -> None:
    with pytest.raises(UsageError, match="belongs to the archive"):
        checked(f"{schema}.stars")


DEEP = "[" * 3000 + "]" * 3000
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\ntables: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tables: [", "is not YAML"),
        ("- a\n- b\n", "expected keys with values"),
        ("name: x\n", "has no tables"),
        ("tables: []\n", "has no tables"),
        ("tables: [1]\n", "expected keys with values"),
        ("tables:\n- name: a\n  columns: [{}]\n", "a column without a name"),
        (
            "tables:\n- name: a\n  columns: [{name: x, datatype: decimal}]\n",
            "the datatype 'decimal', expected one of",
        ),
        ("tables:\n- name: a\n- name: b\n", "tells of a, b, expected a table 'stars'"),
        ("tables: !!python/object/apply:os.system [echo]\n", "is not YAML"),
        (DEEP, "at most 20 levels"),
        (BOMB, "no aliases"),
        ("\x00", "is not YAML"),
    ],
)
def test_what_is_no_felis_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "felis.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        felis.read(path, "stars")


def test_a_felis_file_is_bounded_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(felis, "MAX_BYTES", 100)
    path = tmp_path / "felis.yaml"
    path.write_text("# " + "x" * 200)
    with pytest.raises(UsageError, match="is 202 bytes long, expected 100 at the most"):
        felis.read(path, "stars")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="is not UTF-8"):
        felis.read(path, "stars")


def test_indices_are_those_of_keys_and_indexes(tmp_path: Path) -> None:
    path = tmp_path / "felis.yaml"
    path.write_text(
        'tables:\n- name: only\n  primaryKey: ["#a", "#b"]\n  indexes: [{name: i, columns: ["#c"]}]\n'
        '  columns: [{name: a, "@id": "#a"}, {name: b, "@id": "#b"}, {name: c, "@id": "#c", "votable:arraysize": 5}]\n'
    )
    table = felis.read(path, "stars")
    assert [(c.name, c.indexed, c.type) for c in table.columns] == [
        ("a", True, None),
        ("b", False, None),
        ("c", True, None),
    ]
    assert table.columns[2].arraysize == "5"
