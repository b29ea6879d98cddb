"""Can a site add functions of its own, and are objects found by their names, wherever these are known?"""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from astropy.coordinates import SkyCoord

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.errors import UsageError
from processing.opening import open_archive
from vo_server.formats.negotiate import choose
from vo_server.tap import tap_schema, udfs
from vo_server.tap.capability import table_access
from vo_server.tap.parameters import TapQuery
from vo_server.tap.query import run

SITE = '''
"""What our archive knows of stars."""

from datamodel.functions import Function
from vo_server.tap.adql.udf import Udf

UDFS = [
    Udf(
        "site_temperature(bp_rp REAL) -> REAL",
        "The temperature of a star of this colour.",
        "4600 * (1 / (0.92 * {bp_rp} + 1.7) + 1 / (0.92 * {bp_rp} + 0.62))",
        unit="K",
        ucd="phys.temperature",
    ),
    Udf(
        "site_height(p POINT, radius REAL) -> REAL",
        "How high above the equator a point of a sphere is.",
        "{radius} * sin(radians({p_lat}))",
    ),
    Udf(
        "site_backwards(name TEXT) -> TEXT",
        "A name from its end to its beginning.",
        "site_reversed({name})",
        functions=(
            Function(
                "site_reversed",
                "name text",
                "text",
                "SELECT reverse(name)",
                python=lambda name: name[::-1],
                language="sql",
            ),
        ),
    ),
]
'''


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Archive]:
    """An archive whose site declares functions in a file."""
    (tmp_path / "site.py").write_text(SITE, encoding="utf-8")
    config = Config(archive=tmp_path / "archive", database_url=database_url, udfs=str(tmp_path / "site.py"))
    opened = open_archive(config)
    tap_schema.update_tap_schema(opened, tap_schema.tables(config))
    yield opened
    opened.close()


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Archive]:
    """An archive as programs open it, with nothing in it."""
    opened = open_archive(Config(archive=tmp_path / "archive", database_url=database_url))
    yield opened
    opened.close()


def answer(archive: Archive, query: str) -> list[tuple[object, ...]]:
    rows = run(archive, ANONYMOUS, TapQuery(query, 10, choose(None)))
    return [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()]


def test_a_site_adds_functions_with_a_few_lines(site: Archive) -> None:
    query = (
        "SELECT TOP 1 site_temperature(0.5) AS a, site_backwards(table_name) AS b, site_temperature(NULL) AS c, "
        "site_height(POINT(table_index, 30), 2) AS h FROM tap_schema.tables WHERE table_name = 'tap_schema.keys'"
    )
    ((temperature, backwards, nothing, height),) = answer(site, query)
    assert temperature == pytest.approx(4600 * (1 / 2.16 + 1 / 1.08))
    assert height == pytest.approx(1.0)
    assert (backwards, nothing) == ("syek.amehcs_pat", None)


def test_the_functions_of_a_site_are_told_of_and_described(site: Archive) -> None:
    told = ElementTree.tostring(table_access("http://x/tap", site.config), encoding="unicode")
    assert "site_temperature(bp_rp REAL) -&gt; REAL" in told
    assert "The temperature of a star of this colour." in told
    rows = run(
        site, ANONYMOUS, TapQuery("SELECT site_temperature(1) AS t FROM tap_schema.keys", 0, choose(None))
    )
    assert [(c.type, c.unit, c.ucd) for c in rows.columns] == [("DOUBLE", "K", "phys.temperature")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UDFS = [1]", "expected a Udf"),
        ("x = 1", "has no list UDFS"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "from vo_server.tap.adql.udf import Udf\nUDFS = [Udf('ivo_x(a REAL) -> REAL', 'd', '{a}')]",
            "begin with ivo_",
        ),
        (
            "from vo_server.tap.adql.udf import Udf\nUDFS = [Udf('log(a REAL) -> REAL', 'd', '{a}')]",
            "already is a function",
        ),
        (
            "from vo_server.tap.adql.udf import Udf\nUDFS = [Udf('f(REAL) -> REAL', 'd', '{a}')]",
            "expected a form such as",
        ),
        (
            "from vo_server.tap.adql.udf import Udf\nUDFS = [Udf('f(a REAL) -> COLOUR', 'd', '{a}')]",
            "expected a form such as",
        ),
        (
            "from vo_server.tap.adql.udf import Udf\nUDFS = [Udf('f(a REAL) -> REAL', 'd', '{b} + 1')]",
            "no parameter 'b'",
        ),
    ],
)
def test_declarations_that_are_none_are_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "site.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        udfs.offered(Config(udfs=str(path)))
    with pytest.raises(UsageError, match="expected a Python file"):
        udfs.offered(Config(udfs=str(tmp_path / "nowhere.py")))


SIMBAD = {
    "M 31": "00h42m44.3s +41d16m07.5s",
    "NGC0224": "00h42m44.3s +41d16m07.5s",
    "messier 13": "16h41m41.6s +36d27m40.8s",
    "Andromeda  galaxy": "00h42m44.3s +41d16m07.5s",
    "UGC 454": "00h42m44.3s +41d16m07.5s",
    "Pleiades": "03h46m24.2s +24d06m50s",
    "IC 10": "00h20m17.3s +59d18m13.6s",
}
"""As SIMBAD has them."""


def test_objects_of_the_new_general_catalogue_are_known_by_their_names(opened: Archive) -> None:
    find = udfs.for_query(opened, ANONYMOUS).find
    for name, place in SIMBAD.items():
        found = find(name)
        assert found is not None, name
        assert SkyCoord(*found, unit="deg").separation(SkyCoord(place)).arcmin < 16, name
    assert [
        find(name) for name in ("", " ", "M 999", "x,y", "%", "'; DROP TABLE x", "NGC 224 " + "9" * 150)
    ] == [None] * 7


def test_a_name_is_searched_among_the_targets_of_observations(observatory: Archive) -> None:
    rows = answer(
        observatory, "SELECT TOP 1 target_name, s_ra, s_dec FROM ivoa.obscore WHERE target_name IS NOT NULL"
    )
    ((name, _, _),) = rows
    tap_schema.update_tap_schema(observatory, tap_schema.tables(observatory.config))
    (((ra, dec),),) = answer(
        observatory, f"SELECT TOP 1 ivo_simbadpoint('{name}') AS p FROM tap_schema.tables"
    )
    near = f"ABS(s_ra - {ra!r}) < 1e-9 AND ABS(s_dec - {dec!r}) < 1e-9"
    found = answer(
        observatory, f"SELECT COUNT(*) AS n FROM ivoa.obscore WHERE target_name = '{name}' AND {near}"
    )
    assert found[0][0] > 0


class Sesame(BaseHTTPRequestHandler):
    """A name service that knows one star, fails for one name, and tells what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        name = unquote(self.path.partition("?")[2])
        self.asked.append(name)
        self.send_response(500 if name == "broken" else 302 if name == "elsewhere" else 200)
        self.send_header("Location", "/?GJ%20699")
        self.end_headers()
        body = (
            "%J 269.452076958619 +04.69336496657667 = 17:57:48.5\n"
            if name == "GJ 699"
            else "#! Nothing found\n"
        )
        self.wfile.write(f"# {name}\n#=Sc=Simbad (via url):    1\n{body}".encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def sesame() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Sesame,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/resolve?{{name}}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def finding(
    database_url: str, tmp_path: Path, sesame: tuple[str, list[str]]
) -> Iterator[Callable[[str], object]]:
    """Where an object is, by an archive with that name service."""
    config = Config(archive=tmp_path / "archive", database_url=database_url, name_service=sesame[0])
    opened = open_archive(config)
    yield udfs.for_query(opened, ANONYMOUS).find
    opened.close()


def test_a_name_service_is_asked_once_for_what_is_not_known_here(
    finding: Callable[[str], object], sesame: tuple[str, list[str]]
) -> None:
    assert finding("M 31") is not None
    assert [finding("GJ 699"), finding("GJ  699")] == [(269.452076958619, 4.69336496657667)] * 2
    assert [finding("no such thing?&x=1"), finding("no such thing?&x=1")] == [None, None]
    assert sesame[1] == ["GJ 699", "no such thing?&x=1"]


def test_a_name_service_that_fails_or_sends_elsewhere_is_told_of(finding: Callable[[str], object]) -> None:
    for name in ("broken", "elsewhere"):
        with pytest.raises(
            UsageError, match=f"the name service does not answer, so '{name}' cannot be looked up"
        ):
            finding(name)


def test_no_name_service_is_asked_unless_one_is_configured(opened: Archive) -> None:
    with pytest.raises(UsageError, match="no object called 'GJ 699' is known to this service"):
        answer(opened, "SELECT ivo_simbadpoint('GJ 699') AS p FROM tap_schema.tables")
