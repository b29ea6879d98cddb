"""Are units and UCDs taken or refused as VOUnits and the schema of VOTable say, and further tables found?"""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile
from astropy.units import Unit
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.errors import UsageError
from tests.catalogues import OWNER, reading
from vo_server.catalogue import felis
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.catalogue.meanings import told_ucd, told_unit, understood
from vo_server.catalogue.tables import left_out

SCHEMA = Path(votable.__file__).parent / "data" / "VOTable.v1.4.xsd"


def allowed_ucds() -> str:
    """The pattern of the schema."""
    xs = {"xs": "http://www.w3.org/2001/XMLSchema"}
    (pattern,) = etree.parse(SCHEMA).xpath(
        "//xs:simpleType[@name='ucdType']//xs:pattern/@value", namespaces=xs
    )
    return str(pattern)


PATTERN = re.compile(allowed_ucds())


@given(st.text(st.sampled_from("aZ9_.:;-!/+% é\n"), min_size=1, max_size=12))
def test_a_ucd_is_what_the_schema_says(text: str) -> None:
    closed = re.sub(r"\s*;\s*", ";", text.strip())
    if closed and PATTERN.fullmatch(closed):
        assert told_ucd(text, "here") == closed
    else:
        with pytest.raises(UsageError, match="here has the UCD"):
            told_ucd(text, "here")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (None, None),
        ("mag", "mag"),
        ("mas.yr**-1", "mas.yr**-1"),
        ("mas/yr", "mas/yr"),
        ("Angstrom", "Angstrom"),
        ("km s-1", "km s-1"),
        ("nmgy", "nmgy"),
        ("parsnip furlongs", None),
        ("furlong", None),
        ("mag\t;", None),
    ],
)
def test_a_unit_that_a_person_tells_is_known_or_refused(given: str | None, made: str | None) -> None:
    if made or not given:
        assert told_unit(given, "here") == made
    else:
        with pytest.raises(
            UsageError, match=re.escape(f"here has the unit '{given}', expected one of VOUnits")
        ):
            told_unit(given, "here")


def test_a_unit_of_others_is_written_as_vounits_has_it_or_stays() -> None:
    made = told_unit("km/s/Mpc", "here")
    assert Unit(made, format="vounit") == Unit("km / (s Mpc)")
    assert told_unit("dex", "here") == "dex"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ('"ivoa:unit": parsnip furlongs', "column 'mag' has the unit 'parsnip furlongs'"),
        ('"fits:tunit": furlong', "column 'mag' has the unit 'furlong'"),
        ('"ivoa:ucd": not a ucd!', "column 'mag' has the UCD 'not a ucd!'"),
    ],
)
def test_what_a_felis_file_tells_wrongly_is_quoted(told: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "felis.yaml"
    path.write_text(f"tables:\n- name: stars\n  columns: [{{name: mag, {told}}}]\n")
    with pytest.raises(UsageError, match=re.escape(message)):
        felis.read(path, "stars")


def test_of_a_file_what_is_no_ucd_is_left_out_and_any_unit_kept_and_both_are_said(archive: Archive) -> None:
    columns = (
        Column("id", "BIGINT", "parsnip furlongs", "not a ucd!"),
        Column("ra", "DOUBLE", "deg", "pos.eq.ra; meta.main"),
        Column("dec", "DOUBLE", "deg", "pos.eq.dec;meta.main"),
        Column("mag", "DOUBLE", "mag\x07", "phot.mag"),
    )
    notes: list[str] = []
    values = {"id": [1], "ra": [1.0], "dec": [2.0], "mag": [3.0]}
    made = bring(archive, reading(values, columns), Given("a.b"), OWNER, "x.fits", tell=notes.append)
    assert [(c.unit, c.ucd) for c in made.columns[:-1]] == [
        ("parsnip furlongs", None),
        ("deg", "pos.eq.ra;meta.main"),
        ("deg", "pos.eq.dec;meta.main"),
        (None, "phot.mag"),
    ]
    assert made.placed == 1
    assert notes == [
        "UCDs that are none are left out: 'not a ucd!' of id",
        "units that cannot be printed are left out: 'mag\\x07' of mag",
        "units that VOUnits does not know are kept as they are: 'parsnip furlongs' of id",
    ]


def test_of_many_wrong_columns_some_are_named() -> None:
    columns = tuple(Column(f"c{k}", "BIGINT", ucd="no ucd") for k in range(8))
    notes: list[str] = []
    understood(reading({c.name: [1] for c in columns}, columns), notes.append)
    (note,) = notes
    assert note.endswith("'no ucd' of c4 and 3 more")


def in_votable(path: Path, *tables: str | None) -> Path:
    """A document with some tables of these names; None is one without columns."""
    document = VOTableFile()
    for name in tables:
        resource = Resource()
        document.resources.append(resource)
        element = TableElement(document, name=name or "nothing")
        resource.tables.append(element)
        if name is not None:
            element.fields.append(Field(document, name="a", datatype="int"))
            element.create_arrays(2)
    with path.open("wb") as stream:
        document.to_xml(stream)
    return path


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (("one",), None),
        (("one", None), None),
        ((None, "one", "two"), "the file has 2 tables; 'one' was taken, not 'two'"),
        (tuple("abcdefgh"), "the file has 8 tables; 'a' was taken, not 'b', 'c', 'd', 'e', 'f' and 2 more"),
    ],
)
@pytest.mark.parametrize("how", ["plain", "gzip", "utf-16", "prefixed"])
def test_further_tables_of_a_votable_are_told(
    tables: tuple[str | None, ...], said: str | None, how: str, tmp_path: Path
) -> None:
    path = in_votable(tmp_path / "t.vot", *tables)
    if how == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    elif how == "utf-16":
        text = re.sub(r"<\?xml[^>]*\?>", '<?xml version="1.0" encoding="utf-16"?>', path.read_text())
        path.write_bytes(text.encode("utf-16"))
    elif how == "prefixed":
        text = re.sub(r"<(/?)([A-Z])", r"<\1vot:\2", path.read_text())
        path.write_text(text.replace("xmlns=", "xmlns:vot="))
    assert left_out(path) == said


def test_what_only_looks_like_a_table_is_none(tmp_path: Path) -> None:
    path = in_votable(tmp_path / "t.vot", "one")
    path.write_text(path.read_text().replace("<TABLE ", "<!-- <TABLE name='x'> <TABLE > --><TABLE "))
    assert left_out(path) is None


def test_further_tables_of_a_fits_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    columns = [fits.Column("a", "J", array=np.arange(3))]
    ascii_columns = [fits.Column("a", "I10", array=np.arange(3))]
    units = [
        fits.PrimaryHDU(),
        fits.TableHDU.from_columns(ascii_columns, name="TEXT"),
        fits.ImageHDU(np.zeros((2, 2)), name="IMAGE"),
        fits.BinTableHDU.from_columns(columns, name="ONE"),
        fits.BinTableHDU.from_columns(columns),
    ]
    fits.HDUList(units).writeto(path)
    assert left_out(path) == "the file has 3 tables; 'ONE' was taken, not 'TEXT', number 3"
    cut = tmp_path / "cut.fits"
    cut.write_bytes(path.read_bytes()[: -2880 - 1440])
    assert left_out(cut) == "the file has 2 tables; 'ONE' was taken, not 'TEXT'"
    fits.HDUList([units[0], units[3]]).writeto(path, overwrite=True)
    assert left_out(path) is None


def test_a_file_of_another_kind_has_one_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n<TABLE >,<TABLE >\n")
    assert left_out(path) is None
    assert left_out(tmp_path) is None
