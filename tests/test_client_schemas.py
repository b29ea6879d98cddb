"""Is every VOSI, UWS and VOTable document of a live service as the schemas say, today's and those of the registries?

The schemas are looked for beside the project; nothing is fetched.
"""

from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree

from tests import ivoa_schemas

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"

pytestmark = [
    pytest.mark.clients,
    ivoa_schemas.needed,
]

SETS = {
    "rec": ("rofr/*.xsd", "rec/*.xsd", "rec/VOTable-1.5/*.xsd"),
    "rec, VOTable 1.4": ("rofr/*.xsd", "rec/*.xsd", "rec/VOTable-1.4/*.xsd"),
    "rofr": ("rofr/*.xsd",),
}
"""Patterns; of two schemas with the same namespace the later counts."""

EVERYTHING = Path(__file__).parent / "tables" / "everything.vot"
ASKED = {"LANG": "ADQL", "QUERY": "SELECT * FROM small.votable"}
BOUNDS = {"rows": {}, "overflow": {"MAXREC": "1"}, "no rows": {"MAXREC": "0"}}


def valid(document: bytes, *names: str) -> etree._Element:
    """The root of a document that keeps to each of the sets."""
    root = etree.fromstring(document)
    for name in names:
        known = ivoa_schemas.schema(*SETS[name])
        assert known.validate(root), (name, known.error_log.filter_from_errors())
    return root


def get(url: str, **parameters: str) -> bytes:
    return requests.get(url, parameters, timeout=60).content


@pytest.mark.parametrize("service", ["tap", "sia2", "datalink"])
def test_what_a_service_tells_of_itself_is_valid(service: str, served: Any) -> None:
    capabilities = valid(get(f"{served.url}/{service}/capabilities"), "rec", "rofr")
    assert len(capabilities) > 1
    valid(get(f"{served.url}/{service}/availability"), "rec", "rofr")


def test_the_tables_are_valid_together_and_each(served: Any) -> None:
    whole = valid(get(f"{served.tap}/tables"), "rec", "rofr")
    names = [table.findtext("name") for table in whole.iter("table")]
    assert len(names) > 40
    valid(get(f"{served.tap}/tables", detail="min"), "rec", "rofr")
    for name in names:
        table = valid(get(f"{served.tap}/tables/{name}"), "rec", "rofr")
        assert table.findtext("name") == name


def test_a_job_is_valid_in_every_phase(served: Any) -> None:
    jobs = f"{served.tap}/async"
    wrong = ASKED | {"QUERY": "SELECT nothing FROM small.votable"}
    slow = ASKED | {
        "QUERY": "SELECT COUNT(*) FROM gaia.bright a, gaia.bright b, gaia.bright c WHERE a.ra > b.ra + c.ra"
    }
    given = {"waiting": ASKED, "right": ASKED, "wrong": wrong, "ended": slow}
    made = {}
    for name, asked in given.items():
        files = {"t": EVERYTHING.read_bytes()} if name == "right" else None
        data = asked | ({"UPLOAD": "t,param:t", "RUNID": "é <&>"} if files else {})
        made[name] = requests.post(jobs, data, files=files, allow_redirects=False, timeout=60).headers[
            "Location"
        ]
    for name in ("right", "wrong", "ended"):
        requests.post(f"{made[name]}/phase", {"PHASE": "RUN"}, allow_redirects=False, timeout=60)
    requests.post(f"{made['ended']}/phase", {"PHASE": "ABORT"}, timeout=60)
    expected = {"waiting": "PENDING", "right": "COMPLETED", "wrong": "ERROR", "ended": "ABORTED"}
    for name, job in made.items():
        document = get(job, WAIT="30", PHASE="QUEUED")
        while valid(document, "rec").findtext(f"{UWS}phase") in ("QUEUED", "EXECUTING"):
            document = get(job, WAIT="30")
        assert valid(document, "rec").findtext(f"{UWS}phase") == expected[name]
        for part in ("parameters", "results"):
            valid(get(f"{job}/{part}"), "rec")
    listed = valid(get(jobs), "rec")
    ids = {job.get("id") for job in listed.iter(f"{UWS}jobref")}
    assert {job.rpartition("/")[2] for job in made.values()} <= ids
    valid(get(f"{made['wrong']}/error"), "rec", "rec, VOTable 1.4")
    valid(get(f"{made['right']}/results/result"), "rec", "rec, VOTable 1.4")
    for job in made.values():
        requests.delete(job, timeout=60)
    valid(get(jobs, PHASE="ARCHIVED"), "rec")


@pytest.mark.parametrize("serialization", ["binary2", "tabledata", "binary"])
@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_every_answer_is_valid(version: str, serialization: str, served: Any) -> None:
    format = f"application/x-votable+xml;serialization={serialization};version={version}"
    names = ("rec", "rec, VOTable 1.4") if version == "1.4" else ("rec",)
    for bound in BOUNDS.values():
        root = valid(get(f"{served.tap}/sync", RESPONSEFORMAT=format, **ASKED, **bound), *names)
        assert root.get("version") == version
    valid(
        get(f"{served.tap}/sync", RESPONSEFORMAT=format, LANG="ADQL", QUERY="SELECT * FROM ivoa.obscore"),
        *names,
    )


def test_errors_and_the_answers_of_other_services_are_valid(served: Any) -> None:
    both = ("rec", "rec, VOTable 1.4")
    images = valid(get(f"{served.url}/sia2/query", POS="CIRCLE 35 57 3"), *both)
    assert images.findtext(".//{*}TR/{*}TD") or images.find(".//{*}STREAM") is not None
    for url in (
        "tap/sync",
        "tap/sync?LANG=ADQL&QUERY=SELECT",
        "sia2/query?POS=x",
        "datalink/links?ID=nobody",
    ):
        valid(get(f"{served.url}/{url}"), *both)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("tap/capabilities", ("rec", "rofr")),
        ("tap/async", ("rec",)),
        ("tap/sync", ("rec", "rec, VOTable 1.4")),
    ],
)
def test_what_is_not_valid_is_found_out(path: str, names: tuple[str, ...], served: Any) -> None:
    root = valid(get(f"{served.url}/{path}"), *names)
    etree.SubElement(root, f"{{{etree.QName(root).namespace}}}nonsense")
    for name in names:
        assert not ivoa_schemas.schema(*SETS[name]).validate(root)
